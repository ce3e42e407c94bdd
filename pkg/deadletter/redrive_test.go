package deadletter_test

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/headrace/headrace/pkg/deadletter"
	"github.com/headrace/headrace/pkg/episode"
	"github.com/headrace/headrace/pkg/facts"
	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/pipelinetest"
	"github.com/headrace/headrace/pkg/stream"
)

// held stores a request that is held for a person, and returns its letter.
func held(t *testing.T, c *stream.Client) deadletter.Entry {
	t.Helper()
	d := pipelinetest.Open(t, c, key(), pipelinetest.Request(t, key(), ""))
	return bury(t, c, d)
}

func bury(t *testing.T, c *stream.Client, d *stream.Delivery) deadletter.Entry {
	t.Helper()
	w := deadletter.NewWriter(c, nil).Telling(facts.New(c, facts.Rules{}).OfLetter)
	if err := w.Write(t.Context(), deadletter.OfDelivery(d, fulfillment.StageHold, "why")); err != nil {
		t.Fatal(err)
	}
	all := list(t, c, deadletter.Filter{})
	e, err := deadletter.Get(t.Context(), c, all[len(all)-1].ID)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func stateOf(t *testing.T, c *stream.Client) fulfillment.State {
	t.Helper()
	head, err := episode.HeadOf(t.Context(), c, "AS-1")
	if err != nil {
		t.Fatal(err)
	}
	state, err := episode.StateOf(t.Context(), c, head)
	if err != nil {
		t.Fatal(err)
	}
	return state
}

func TestSend_Request_GoesOnOnceAndIsNoLongerListed(t *testing.T) {
	t.Parallel()
	c := pipelinetest.Client(t)
	e := held(t, c)
	if err := deadletter.Send(t.Context(), c, e, deadletter.Redrive{By: "ann"}); err != nil {
		t.Fatal(err)
	}
	head, err := episode.HeadOf(t.Context(), c, "AS-1")
	if err != nil || head.Root != fulfillment.RootRetries || head.Episode != e.Episode || string(head.Stored.Body) != string(e.Body) {
		t.Errorf("head is %+v, %v", head, err)
	}
	if s := stateOf(t, c); s != fulfillment.StateDeciding {
		t.Errorf("state is %s", s)
	}
	if err := deadletter.Send(t.Context(), c, e, deadletter.Redrive{By: "ann"}); !errors.Is(err, deadletter.ErrSettled) {
		t.Errorf("again: %v, want ErrSettled", err)
	}
	for _, f := range []deadletter.Filter{{}, {Stage: fulfillment.StageHold}, {Type: fulfillment.Purchase}} {
		if n := len(list(t, c, f)); n != 0 {
			t.Errorf("%+v: %d letters listed, want none", f, n)
		}
	}
	trail, err := deadletter.Audit(t.Context(), c, deadletter.AuditFilter{})
	if err != nil || len(trail) != 1 || trail[0].Reason != "dead letter 1 (hold) was redriven by ann" {
		t.Errorf("audit trail: %+v, %v", trail, err)
	}
}

func TestSend_CallOfUnknownOutcome_MustBeSaid(t *testing.T) {
	t.Parallel()
	intent := func(t *testing.T, c *stream.Client, idempotent bool) {
		t.Helper()
		body, err := json.Marshal(fulfillment.Intent{RequestID: "PR-1", Episode: 1, State: fulfillment.IntentCalling, Idempotent: idempotent, Time: time.Now()})
		if err != nil {
			t.Fatal(err)
		}
		pipelinetest.Append(t, c, stream.Message{Subject: key().Subject(fulfillment.RootIntents), Body: body})
	}
	t.Run("unsaid", func(t *testing.T) {
		t.Parallel()
		c := pipelinetest.Client(t)
		intent(t, c, false)
		e := held(t, c)
		if err := deadletter.Send(t.Context(), c, e, deadletter.Redrive{}); !errors.Is(err, deadletter.ErrOutcome) {
			t.Errorf("err %v, want ErrOutcome", err)
		}
		if s := stateOf(t, c); s != fulfillment.StateHeld {
			t.Errorf("state is %s, want it held as before", s)
		}
		intent(t, c, true)
		if err := deadletter.Send(t.Context(), c, e, deadletter.Redrive{}); err != nil {
			t.Errorf("with a vendor that honours the key: %v", err)
		}
	})
	t.Run("not done", func(t *testing.T) {
		t.Parallel()
		c := pipelinetest.Client(t)
		intent(t, c, false)
		if err := deadletter.Send(t.Context(), c, held(t, c), deadletter.Redrive{Outcome: deadletter.OutcomeNotDone, By: "ann"}); err != nil {
			t.Fatal(err)
		}
		in := pipelinetest.Body[fulfillment.Intent](t, c, fulfillment.StreamResults, key().Subject(fulfillment.RootIntents))
		if in.State != fulfillment.IntentNotDone || stateOf(t, c) != fulfillment.StateDeciding {
			t.Errorf("intent is %+v", in)
		}
	})
	t.Run("done", func(t *testing.T) {
		t.Parallel()
		c := pipelinetest.Client(t)
		intent(t, c, false)
		id := "T-1"
		set := []fulfillment.Param{{ID: "subscription_id", Value: &id}}
		if err := deadletter.Send(t.Context(), c, held(t, c), deadletter.Redrive{Outcome: deadletter.OutcomeDone, Set: set, By: "ann"}); err != nil {
			t.Fatal(err)
		}
		m := pipelinetest.Last(t, c, fulfillment.StreamRequests, key().Subject(fulfillment.RootRetries))
		if m == nil || m.Header[fulfillment.HeaderDone] != `[{"id":"subscription_id","value":"T-1"}]` || stateOf(t, c) != fulfillment.StateDeciding {
			t.Errorf("sent again as %+v", m)
		}
	})
}

func TestSend_Result_GoesToTheCommitterAgain(t *testing.T) {
	t.Parallel()
	c := pipelinetest.Client(t)
	pipelinetest.Open(t, c, key(), pipelinetest.Request(t, key(), ""))
	body, err := json.Marshal(fulfillment.Result{
		RequestID: "PR-1", AssetID: "AS-1", ProductID: "PRD-1", Type: fulfillment.Purchase, Episode: 1, Decision: fulfillment.Approve,
	})
	if err != nil {
		t.Fatal(err)
	}
	seq := pipelinetest.Append(t, c, stream.Message{
		Subject: key().Subject(fulfillment.RootResults), Header: map[string]string{fulfillment.HeaderEpisode: "1"}, Body: body,
	})
	e := bury(t, c, pipelinetest.Deliver(t, c, fulfillment.StreamResults, seq, 1))
	if err := deadletter.Send(t.Context(), c, e, deadletter.Redrive{By: "ann"}); err != nil {
		t.Fatal(err)
	}
	if n := pipelinetest.Count(t, c, fulfillment.StreamResults, ""); n != 2 || stateOf(t, c) != fulfillment.StateCommitting {
		t.Errorf("%d results, state %s", n, stateOf(t, c))
	}
}

func TestDiscard_ClosesTheEpisodeOnce(t *testing.T) {
	t.Parallel()
	c := pipelinetest.Client(t)
	e := held(t, c)
	if err := deadletter.Discard(t.Context(), c, e, "done by hand", "ann"); err != nil {
		t.Fatal(err)
	}
	if err := deadletter.Discard(t.Context(), c, e, "done by hand", "bob"); !errors.Is(err, deadletter.ErrSettled) {
		t.Errorf("again: %v, want ErrSettled", err)
	}
	body := pipelinetest.Body[fulfillment.EventBody](t, c, fulfillment.StreamEvents, key().EventFilter())
	if body.Event != fulfillment.EventDiscarded || body.Episode != e.Episode || body.Reason != "done by hand" {
		t.Errorf("event is %+v", body)
	}
	if n := pipelinetest.Count(t, c, fulfillment.StreamEvents, ""); n != 3 || stateOf(t, c) != fulfillment.StateLeft || len(list(t, c, deadletter.Filter{})) != 0 {
		t.Errorf("%d events, state %s, letters %v", n, stateOf(t, c), list(t, c, deadletter.Filter{}))
	}
}

func TestDiscard_RowThatNeverWasAMessage_IsNoLongerListed(t *testing.T) {
	t.Parallel()
	c := pipelinetest.Client(t)
	l := fulfillment.Letter{RequestID: "PR-1", Stage: fulfillment.StageDecode, Reason: "why", Body: []byte("x"), Digest: deadletter.Digest([]byte("x"))}
	if err := deadletter.NewWriter(c, nil).Write(t.Context(), l); err != nil {
		t.Fatal(err)
	}
	e := list(t, c, deadletter.Filter{})[0]
	if err := deadletter.Discard(t.Context(), c, e, "", "ann"); err != nil {
		t.Fatal(err)
	}
	if left := list(t, c, deadletter.Filter{}); len(left) != 0 {
		t.Errorf("still listed: %+v", left)
	}
}

func TestList_FinishedByAPerson_IsNoLongerListed(t *testing.T) {
	t.Parallel()
	c := pipelinetest.Client(t)
	e := held(t, c)
	body, err := json.Marshal(fulfillment.EventBody{Event: fulfillment.EventApproved, Episode: e.Episode})
	if err != nil {
		t.Fatal(err)
	}
	pipelinetest.Append(t, c, stream.Message{Subject: key().EventSubject(fulfillment.EventApproved), Body: body})
	if left := list(t, c, deadletter.Filter{}); len(left) != 0 {
		t.Errorf("still listed: %+v", left)
	}
}
