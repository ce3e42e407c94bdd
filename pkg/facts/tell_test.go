package facts_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/headrace/headrace/pkg/deadletter"
	"github.com/headrace/headrace/pkg/episode"
	"github.com/headrace/headrace/pkg/facts"
	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/pipelinetest"
	"github.com/headrace/headrace/pkg/stream"
)

func key() fulfillment.Key { return pipelinetest.Key(fulfillment.Purchase, "PR-1") }

// approval is the story of an approved purchase.
func approval(number uint64) facts.Story {
	return facts.Story{Key: key(), Episode: number, Status: "approved", Events: []fulfillment.Event{
		fulfillment.EventProvisioned, fulfillment.EventActivated, fulfillment.EventApproved,
	}}
}

func ends(number uint64, e fulfillment.Event) facts.Story {
	return facts.Story{Key: key(), Episode: number, Status: string(e), Events: []fulfillment.Event{e}}
}

func tell(t *testing.T, c *stream.Client, s facts.Story) bool {
	t.Helper()
	told, err := facts.New(c, facts.Rules{}).Tell(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	return told
}

// told are the ids of the events, without what all have in common.
func told(t *testing.T, c *stream.Client) []string {
	t.Helper()
	var steps []string
	var bodies []fulfillment.EventBody
	for m, err := range c.Read(t.Context(), fulfillment.StreamEvents, "", 1) {
		if err != nil {
			t.Fatal(err)
		}
		var body fulfillment.EventBody
		if err := json.Unmarshal(m.Body, &body); err != nil {
			t.Fatal(err)
		}
		bodies = append(bodies, body)
		steps = append(steps, strings.TrimPrefix(m.ID, "PR-1/"))
	}
	for _, wrong := range pipelinetest.Disorder(bodies) {
		t.Error(wrong)
	}
	return steps
}

func want(t *testing.T, c *stream.Client, steps ...string) {
	t.Helper()
	if diff := cmp.Diff(steps, told(t, c)); diff != "" {
		t.Error(diff)
	}
}

func TestTell_Again_PassesOverWhatWasTold(t *testing.T) {
	t.Parallel()
	c := pipelinetest.Client(t)
	if !tell(t, c, approval(3)) || tell(t, c, approval(3)) || tell(t, c, ends(3, fulfillment.EventFailed)) {
		t.Error("an episode is closed by the first who says so, and by nobody else")
	}
	want(t, c, "3/received", "3/provisioned", "3/activated", "3/approved")
	if tell(t, c, ends(2, fulfillment.EventLeft)) {
		t.Error("something is told of an episode before the last")
	}
}

func TestTell_AfterAnInquiry_TheRequestIsAnswered(t *testing.T) {
	t.Parallel()
	c := pipelinetest.Client(t)
	tell(t, c, ends(3, fulfillment.EventInquiring))
	tell(t, c, facts.Story{Key: key(), Episode: 5})
	tell(t, c, facts.Story{Key: key(), Episode: 5})
	tell(t, c, ends(5, fulfillment.EventLeft))
	tell(t, c, ends(8, fulfillment.EventFailed))
	want(t, c, "3/received", "3/inquiring", "5/answered", "5/left", "8/received", "8/failed")
}

func TestTell_CarriedOutAgain_OnlyTheEndIsTold(t *testing.T) {
	t.Parallel()
	c := pipelinetest.Client(t)
	tell(t, c, approval(3))
	s := ends(9, fulfillment.EventReplayed)
	s.Replay = true
	tell(t, c, s)
	want(t, c, "3/received", "3/provisioned", "3/activated", "3/approved", "9/replayed")
}

func TestTell_ManyAtOnce_EachFactOnce(t *testing.T) {
	t.Parallel()
	c := pipelinetest.Client(t)
	var wg sync.WaitGroup
	var mu sync.Mutex
	winners := 0
	for i := range 8 {
		wg.Go(func() {
			teller := facts.New(c, facts.Rules{})
			if i%2 == 0 {
				teller.Together(c.AppendChain)
			}
			if _, err := teller.Tell(t.Context(), facts.Story{Key: key(), Episode: 3}); err != nil {
				t.Error(err)
			}
			told, err := teller.Tell(t.Context(), approval(3))
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			if told {
				winners++
			}
		})
	}
	wg.Wait()
	if winners != 1 {
		t.Errorf("%d say that they closed the episode", winners)
	}
	want(t, c, "3/received", "3/provisioned", "3/activated", "3/approved")
}

var errKilled = errors.New("killed")

// mortal dies at an append, before or after it is stored.
type mortal struct {
	*stream.Client
	at    int
	after bool
}

func (m *mortal) Append(ctx context.Context, msg stream.Message, opts ...stream.AppendOption) (uint64, error) {
	m.at--
	switch {
	case m.at < 0 || m.at == 0 && !m.after:
		return 0, errKilled
	case m.at == 0:
		if _, err := m.Client.Append(ctx, msg, opts...); err != nil {
			return 0, err
		}
		return 0, errKilled
	}
	return m.Client.Append(ctx, msg, opts...)
}

func TestTell_KilledAtAnyAppend_TheNextOneMakesItGood(t *testing.T) {
	t.Parallel()
	for at := 1; at <= 5; at++ {
		for _, after := range []bool{false, true} {
			c := pipelinetest.Client(t)
			c2 := &mortal{c, at, after}
			teller := facts.New(c2, facts.Rules{})
			_, err := teller.Tell(t.Context(), facts.Story{Key: key(), Episode: 3})
			if err == nil {
				_, err = teller.Tell(t.Context(), approval(3))
			}
			if at <= 4 && !errors.Is(err, errKilled) {
				t.Fatalf("append %d: %v", at, err)
			}
			tell(t, c, approval(3))
			want(t, c, "3/received", "3/provisioned", "3/activated", "3/approved")
		}
	}
}

// hold writes a letter about the message, and tells of it as often as is said.
func hold(t *testing.T, c *stream.Client, d *stream.Delivery, stage fulfillment.Stage, times int) {
	t.Helper()
	w := deadletter.NewWriter(c, nil).Telling(facts.New(c, facts.Rules{}).OfLetter)
	for range times {
		if err := w.Write(t.Context(), deadletter.OfDelivery(d, stage, "why not")); err != nil {
			t.Fatal(err)
		}
	}
}

func TestOfLetter_EachLetterOfTheEpisode_IsToldOnce(t *testing.T) {
	t.Parallel()
	c := pipelinetest.Client(t)
	first := pipelinetest.Open(t, c, key(), pipelinetest.Request(t, key(), ""))
	hold(t, c, first, fulfillment.StageHold, 3)
	if err := deadletter.Send(t.Context(), c, entry(t, c, "1"), deadletter.Redrive{By: "ann"}); err != nil {
		t.Fatal(err)
	}
	second := pipelinetest.Deliver(t, c, fulfillment.StreamRequests, 2, 1)
	hold(t, c, second, fulfillment.StageProcess, 2)
	if err := deadletter.NewWriter(c, nil).Telling(facts.New(c, facts.Rules{}).OfLetter).Retell(t.Context(), key(), 1); err != nil {
		t.Fatal(err)
	}
	tell(t, c, approval(1))
	hold(t, c, second, fulfillment.StageHold, 1) // of who slept meanwhile
	want(t, c, "1/received", "1/held/1", "1/dead/3", "1/provisioned", "1/activated", "1/approved")
}

func entry(t *testing.T, c *stream.Client, id string) deadletter.Entry {
	t.Helper()
	e, err := deadletter.Get(t.Context(), c, id)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestSend_LetterThatNobodyWasToldOf_IsToldFirst(t *testing.T) {
	t.Parallel()
	for name, deed := range map[string]func(*stream.Client, deadletter.Entry) error{
		"redrive": func(c *stream.Client, e deadletter.Entry) error {
			return deadletter.Send(t.Context(), c, e, deadletter.Redrive{By: "ann"})
		},
		"discard": func(c *stream.Client, e deadletter.Entry) error {
			return deadletter.Discard(t.Context(), c, e, "by hand", "ann")
		},
	} {
		c := pipelinetest.Client(t)
		d := pipelinetest.Open(t, c, key(), pipelinetest.Request(t, key(), ""))
		if err := deadletter.NewWriter(c, nil).Write(t.Context(), deadletter.OfDelivery(d, fulfillment.StageHold, "why")); err != nil {
			t.Fatal(err)
		}
		if err := deed(c, entry(t, c, "1")); err != nil {
			t.Fatal(err)
		}
		steps := []string{"1/received", "1/held/1"}
		if name == "discard" {
			steps = append(steps, "1/discarded")
		}
		want(t, c, steps...)
	}
}

func TestOfLetter_NoRequestThatWasTakenIn_IsNoEvent(t *testing.T) {
	t.Parallel()
	c := pipelinetest.Client(t)
	w := deadletter.NewWriter(c, nil).Telling(facts.New(c, facts.Rules{}).OfLetter)
	seq := pipelinetest.Append(t, c, stream.Message{Subject: "fulfillment.requests.purchase", Body: []byte(`{}`)})
	foreign := deadletter.OfDelivery(pipelinetest.Deliver(t, c, fulfillment.StreamRequests, seq, 1), fulfillment.StageDecode, "why")
	row := fulfillment.Letter{
		RequestID: "PR-7", AssetID: "AS-7", ProductID: "PRD-1", Type: fulfillment.Purchase, Stage: fulfillment.StageDecode, Digest: "d",
	}
	for _, l := range []fulfillment.Letter{foreign, row} {
		if err := w.Write(t.Context(), l); err != nil {
			t.Fatal(err)
		}
	}
	want(t, c)
}

// Of a result that can't be read, the number of its episode can't be read
// either: that of the head counts.
func TestOfLetter_ResultThatCannotBeRead_IsToldOfTheHeadsEpisode(t *testing.T) {
	t.Parallel()
	c := pipelinetest.Client(t)
	pipelinetest.Open(t, c, key(), pipelinetest.Request(t, key(), ""))
	var seq uint64
	for range 5 {
		seq = pipelinetest.Append(t, c, stream.Message{Subject: key().Subject(fulfillment.RootResults), Body: []byte(`jane@example.com`)})
	}
	hold(t, c, pipelinetest.Deliver(t, c, fulfillment.StreamResults, seq, 1), fulfillment.StageDecode, 1)
	want(t, c, "1/received", "1/dead/1")
	closing, err := episode.ClosingOf(t.Context(), c, key())
	if err != nil || closing.Covers(1) {
		t.Errorf("%+v, %v", closing, err)
	}
}

// Better an event without what it is about than an episode that never closes.
func TestTell_TooLargeForTheBroker_TheFactIsTold(t *testing.T) {
	t.Parallel()
	c := pipelinetest.Client(t)
	s := approval(1)
	s.About = facts.AboutBody(fulfillment.Purchase, []byte(`{"id":"PR-1","type":"purchase","status":"pending","asset":{"id":"AS-1","product":{"id":"PRD-1"},"params":[`+
		`{"id":"plan","type":"choice","value":"`+strings.Repeat("much ", 400_000)+`"}]}}`))
	if s.About.Unknown() {
		t.Fatal("the request can't be read")
	}
	tell(t, c, s)
	m, err := c.Last(t.Context(), fulfillment.StreamEvents, key().EventFilter())
	if err != nil || len(m.Body) > 2000 {
		t.Errorf("%v: %d bytes", err, len(m.Body))
	}
}
