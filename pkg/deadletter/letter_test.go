package deadletter_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/headrace/headrace/pkg/deadletter"
	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/pipelinetest"
	"github.com/headrace/headrace/pkg/stream"
)

func key() fulfillment.Key { return pipelinetest.Key(fulfillment.Purchase, "PR-1") }

func list(t *testing.T, c *stream.Client, f deadletter.Filter) []deadletter.Entry {
	t.Helper()
	entries, err := deadletter.List(t.Context(), c, f)
	if err != nil {
		t.Fatal(err)
	}
	return entries
}

func TestWrite_ManyWorkersAtOnce_StoreOneLetterEach(t *testing.T) {
	t.Parallel()
	c := pipelinetest.Client(t)
	var mu sync.Mutex
	told := 0
	w := deadletter.NewWriter(c, func(fulfillment.Letter) { mu.Lock(); told++; mu.Unlock() })
	var wg sync.WaitGroup
	for i := range 4 {
		d := pipelinetest.Open(t, c, key(), []byte(fmt.Sprintf("broken %d", i))) // all on one subject
		for range 5 {
			wg.Go(func() {
				if err := w.Write(t.Context(), deadletter.OfDelivery(d, fulfillment.StageDecode, "why")); err != nil {
					t.Error(err)
				}
			})
		}
	}
	wg.Wait()
	if n := len(list(t, c, deadletter.Filter{})); n != 4 || told != 4 {
		t.Errorf("%d letters, %d told; want 4 of each", n, told)
	}
}

func TestWrite_Entry_HasSubjectHeadersAndBytes(t *testing.T) {
	t.Parallel()
	c := pipelinetest.Client(t)
	seq := pipelinetest.Append(t, c, stream.Message{
		Subject: key().Subject(fulfillment.RootRequests), Header: map[string]string{"ce-custom": "x"}, Body: []byte{0, 0xff, '{'},
	})
	d := pipelinetest.Deliver(t, c, fulfillment.StreamRequests, seq, 3)
	if err := deadletter.NewWriter(c, nil).Write(t.Context(), deadletter.OfDelivery(d, fulfillment.StageDecode, "why")); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"1", "PR-1"} { // by its own id, and by the request's
		got, err := deadletter.Get(t.Context(), c, id)
		if err != nil {
			t.Fatal(err)
		}
		want := deadletter.Entry{
			ID: "1", RequestID: "PR-1", AssetID: "AS-1", ProductID: "PRD-1", Type: fulfillment.Purchase,
			Stage: fulfillment.StageDecode, Reason: "why", Attempts: 3, Episode: seq,
			Subject: key().Subject(fulfillment.RootRequests), Stream: fulfillment.StreamRequests, Sequence: seq,
			Headers: map[string][]string{"ce-custom": {"x"}}, Body: []byte{0, 0xff, '{'}, Time: got.Time,
		}
		if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(deadletter.Entry{})); diff != "" {
			t.Errorf("%s:\n%s", id, diff)
		}
	}
}

func TestWrite_TooLargeToCopy_IsWrittenWithoutItsBody(t *testing.T) {
	t.Parallel()
	c := pipelinetest.Client(t)
	d := pipelinetest.Open(t, c, key(), bytes.Repeat([]byte("x"), 900_000)) // base64 makes it more than the broker takes
	if err := deadletter.NewWriter(c, nil).Write(t.Context(), deadletter.OfDelivery(d, fulfillment.StageDecode, "why")); err != nil {
		t.Fatal(err)
	}
	if got := list(t, c, deadletter.Filter{}); len(got) != 1 || !strings.Contains(got[0].Reason, "900000 bytes") {
		t.Errorf("letters: %+v", got)
	}
}

func TestHas_LetterAboutAnotherMessage_IsNone(t *testing.T) {
	t.Parallel()
	c := pipelinetest.Client(t)
	w := deadletter.NewWriter(c, nil)
	d := pipelinetest.Open(t, c, key(), []byte("x"))
	if err := w.Write(t.Context(), deadletter.OfDelivery(d, fulfillment.StageHold, "why")); err != nil {
		t.Fatal(err)
	}
	for seq, want := range map[uint64]bool{d.Sequence: true, d.Sequence + 1: false} {
		if got, err := w.Has(t.Context(), key(), d.Stream, seq); err != nil || got != want {
			t.Errorf("Has(%d) = %v, %v; want %v", seq, got, err, want)
		}
	}
}

func TestList_Filters_AndWhatIsNoLetter(t *testing.T) {
	t.Parallel()
	c := pipelinetest.Client(t)
	w := deadletter.NewWriter(c, nil)
	for i, stage := range []fulfillment.Stage{fulfillment.StageDecode, fulfillment.StageHold} {
		k := pipelinetest.Key(fulfillment.Change, fmt.Sprintf("PR-%d", i))
		if err := w.Write(t.Context(), deadletter.OfDelivery(pipelinetest.Open(t, c, k, nil), stage, "why")); err != nil {
			t.Fatal(err)
		}
	}
	pipelinetest.Append(t, c, stream.Message{Subject: "fulfillment.dead.x", Body: []byte("scribbled by hand")})
	for want, f := range map[int]deadletter.Filter{
		3: {}, 2: {Type: fulfillment.Change}, 1: {Stage: fulfillment.StageHold}, 0: {Asset: "AS-2"},
	} {
		if got := list(t, c, f); len(got) != want {
			t.Errorf("%+v: %d entries, want %d: %+v", f, len(got), want, got)
		}
	}
}

func TestGet_Unknown_IsNotFound(t *testing.T) {
	t.Parallel()
	c := pipelinetest.Client(t)
	held(t, c)
	for _, id := range []string{"7", "PR-7", ""} {
		if _, err := deadletter.Get(t.Context(), c, id); !errors.Is(err, deadletter.ErrNotFound) {
			t.Errorf("Get(%q): %v, want ErrNotFound", id, err)
		}
	}
}
