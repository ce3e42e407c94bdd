package ledger_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/headrace/headrace/pkg/episode"
	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/ledger"
	"github.com/headrace/headrace/pkg/pipelinetest"
	"github.com/headrace/headrace/pkg/stream"
)

func encode(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // ours can be encoded
	}
	return b
}

// history writes what the services would write about one request.
type history struct {
	t       *testing.T
	c       *stream.Client
	key     fulfillment.Key
	episode uint64
	head    uint64
}

func (h *history) append(subject string, header map[string]string, body any) uint64 {
	return pipelinetest.Append(h.t, h.c, stream.Message{Subject: subject, Header: header, Body: encode(body)})
}

func (h *history) open() {
	h.head = h.append(h.key.Subject(fulfillment.RootRequests), nil, map[string]string{})
	h.episode = h.head
}

func (h *history) again(root string) {
	h.head = h.append(h.key.Subject(root), map[string]string{fulfillment.HeaderEpisode: strconv.FormatUint(h.episode, 10)}, map[string]string{})
}

func (h *history) decide(d fulfillment.Decision) uint64 {
	return h.append(h.key.Subject(fulfillment.RootResults), nil, fulfillment.Result{Decision: d, Episode: h.episode, Reason: "why"})
}

func (h *history) bury(s fulfillment.Stage, name string, seq uint64) {
	h.append(h.key.DeadSubject(s), nil, fulfillment.Letter{
		RequestID: h.key.Request, AssetID: h.key.Asset, ProductID: h.key.Product, Type: h.key.Type,
		Stage: s, Episode: h.episode, Stream: name, Sequence: seq, Reason: "why",
	})
}

func (h *history) close(e fulfillment.Event) {
	h.append(h.key.EventSubject(e), nil, fulfillment.EventBody{Event: e, Episode: h.episode, Reason: "why"})
}

// Whatever happens to a request, the ledger, which reads the streams once, says
// of it what episode.StateOf says, which looks each thing up.
func TestShow_AnyHistory_AgreesWithTheHead(t *testing.T) {
	t.Parallel()
	c := pipelinetest.Client(t)
	n := 0
	rapid.Check(t, func(rt *rapid.T) {
		n++
		h := &history{t: t, c: c, key: fulfillment.Key{
			Type: fulfillment.Purchase, Product: "PRD-1", Asset: fmt.Sprintf("AS-%d", n), Request: fmt.Sprintf("PR-%d", n),
		}}
		h.open()
		var result uint64
		for range rapid.IntRange(0, 5).Draw(rt, "steps") {
			switch rapid.IntRange(0, 7).Draw(rt, "step") {
			case 0:
				h.again(fulfillment.RootSchedules)
			case 1:
				h.again(fulfillment.RootRetries)
			case 2:
				h.decide(fulfillment.Wait)
			case 3:
				result = h.decide(rapid.SampledFrom([]fulfillment.Decision{fulfillment.Approve, fulfillment.Recheck}).Draw(rt, "decision"))
			case 4:
				h.bury(rapid.SampledFrom([]fulfillment.Stage{fulfillment.StageHold, fulfillment.StageProcess, fulfillment.StageAudit}).Draw(rt, "stage"),
					fulfillment.StreamRequests, h.head)
			case 5:
				h.bury(fulfillment.StageHold, fulfillment.StreamResults, result)
			case 6:
				h.close(rapid.SampledFrom([]fulfillment.Event{fulfillment.EventApproved, fulfillment.EventInquiring, fulfillment.EventLeft}).Draw(rt, "event"))
			case 7:
				h.open()
			}
		}
		head, err := episode.HeadOf(t.Context(), c, h.key.Asset)
		if err != nil {
			rt.Fatal(err)
		}
		want, err := episode.StateOf(t.Context(), c, head)
		if err != nil {
			rt.Fatal(err)
		}
		got, err := ledger.Show(t.Context(), c, h.key.Request)
		if err != nil || got.State != want {
			rt.Fatalf("ledger says %s (%v), the head %s; steps %+v", got.State, err, want, got.Steps)
		}
	})
}

func TestList_Filters_AndTheLastToChangeFirst(t *testing.T) {
	t.Parallel()
	c := pipelinetest.Client(t)
	for i, typ := range []fulfillment.Type{fulfillment.Purchase, fulfillment.Change, fulfillment.Change} {
		h := &history{t: t, c: c, key: fulfillment.Key{Type: typ, Product: "PRD-1", Asset: fmt.Sprintf("AS-%d", i), Request: fmt.Sprintf("PR-%d", i)}}
		h.open()
		if i == 1 {
			h.close(fulfillment.EventFailed)
		}
	}
	for _, tt := range []struct {
		filter ledger.Filter
		want   []string
	}{
		{ledger.Filter{}, []string{"PR-2", "PR-1", "PR-0"}},
		{ledger.Filter{Type: fulfillment.Change}, []string{"PR-2", "PR-1"}},
		{ledger.Filter{State: fulfillment.StateFailed}, []string{"PR-1"}},
		{ledger.Filter{Asset: "AS-0"}, []string{"PR-0"}},
		{ledger.Filter{Product: "PRD-2"}, []string{}},
	} {
		entries, err := ledger.List(t.Context(), c, tt.filter, 0)
		if err != nil {
			t.Fatal(err)
		}
		ids := []string{}
		for _, e := range entries {
			ids = append(ids, e.RequestID)
		}
		if fmt.Sprint(ids) != fmt.Sprint(tt.want) {
			t.Errorf("%+v: %v, want %v", tt.filter, ids, tt.want)
		}
	}
}

// Who asks for a few gets the first of all, without all being read.
func TestList_Limit_IsTheBeginningOfAll(t *testing.T) {
	t.Parallel()
	c := pipelinetest.Client(t)
	for i := range 300 {
		h := &history{t: t, c: c, key: fulfillment.Key{Type: fulfillment.Purchase, Product: "PRD-1", Asset: fmt.Sprintf("AS-%d", i%250), Request: fmt.Sprintf("PR-%d", i)}}
		if i%100 == 7 {
			h.key.Type = fulfillment.Change
		}
		h.open()
		switch i % 3 {
		case 0:
			h.close(fulfillment.EventApproved)
		case 1:
			h.bury(fulfillment.StageHold, fulfillment.StreamRequests, h.head)
		}
	}
	for _, f := range []ledger.Filter{
		{}, {State: fulfillment.StateHeld}, {State: fulfillment.StateQueued}, {Type: fulfillment.Change}, {Product: "PRD-2"}, {Since: time.Now().Add(-time.Hour)},
	} {
		all, err := ledger.List(t.Context(), c, f, 0)
		if err != nil {
			t.Fatal(err)
		}
		few, err := ledger.List(t.Context(), c, f, 5)
		if diff := cmp.Diff(all[:min(5, len(all))], few); err != nil || diff != "" {
			t.Errorf("%+v: %v %s", f, err, diff)
		}
	}
}

func TestShow_Unknown_IsNotFound(t *testing.T) {
	t.Parallel()
	c := pipelinetest.Client(t)
	key := fulfillment.Key{Type: fulfillment.Purchase, Product: "PRD-1", Asset: "AS-1", Request: "PR-1"}
	pipelinetest.Append(t, c, stream.Message{Subject: key.Subject(fulfillment.RootRequests), Body: []byte(`{}`)})
	for _, id := range []string{"PR-404", ""} {
		if _, err := ledger.Show(t.Context(), c, id); !errors.Is(err, ledger.ErrNotFound) {
			t.Errorf("Show(%q): %v, want ErrNotFound", id, err)
		}
	}
}
