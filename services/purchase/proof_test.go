package purchase_test

import (
	"strings"
	"testing"
	"time"

	"github.com/headrace/headrace/pkg/deadletter"
	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/pipelinetest"
	"github.com/headrace/headrace/pkg/stream"
)

// loseResults deletes the stream of results, intents included, and makes it anew.
func (b *bench) loseResults(t *testing.T, limits stream.Limits) {
	t.Helper()
	if err := b.broker.JetStream().DeleteStream(t.Context(), fulfillment.StreamResults); err != nil {
		t.Fatal(err)
	}
	if err := b.client.Apply(t.Context(), stream.Fulfillment(limits)); err != nil {
		t.Fatal(err)
	}
}

// redrive sends the one dead letter again, as an operator does.
func (b *bench) redrive(t *testing.T, outcome deadletter.Outcome) {
	t.Helper()
	letters, err := deadletter.List(t.Context(), b.client, deadletter.Filter{})
	if err != nil || len(letters) != 1 {
		t.Fatalf("%d dead letters, %v", len(letters), err)
	}
	if err := deadletter.Send(t.Context(), b.client, letters[0], deadletter.Redrive{Outcome: outcome, By: "ann"}); err != nil {
		t.Fatal(err)
	}
	b.redeliver(t)
}

func TestProof_ResultsMadeAnew_IsHeldUntilAnOperatorKnows(t *testing.T) {
	t.Parallel()
	v := &vendor{create: ready}
	b := newBench(t, v, false, "")
	b.loseResults(t, stream.Limits{})
	if err := b.handle(t); err != nil || v.creates != 0 {
		t.Fatalf("err %v, %d creations, want none", err, v.creates)
	}
	if reason := b.held(t); !strings.Contains(reason, "was made anew") {
		t.Errorf("held for %q", reason)
	}
	// Saying nothing does not help.
	b.redrive(t, deadletter.OutcomeUnsaid)
	if err := b.handle(t); err != nil || v.creates != 0 {
		t.Fatalf("redriven without an outcome: err %v, %d creations, want none", err, v.creates)
	}
	b.redrive(t, deadletter.OutcomeNotDone)
	if err := b.handle(t); err != nil || v.creates != 1 {
		t.Fatalf("redriven: err %v, %d creations, want one", err, v.creates)
	}
	b.approved(t, "T-1")
}

// TestProof_RetryOfAnOldEpisode_IsAsOldAsTheEpisode has the delivery in hand be
// younger than the stream of results, and its episode older.
func TestProof_RetryOfAnOldEpisode_IsAsOldAsTheEpisode(t *testing.T) {
	t.Parallel()
	v := &vendor{create: ready}
	b := newBench(t, v, false, "")
	b.loseResults(t, stream.Limits{})
	stored := b.d.Stored
	seq := pipelinetest.Append(t, b.client, stream.Message{
		Subject: key().Subject(fulfillment.RootRetries), Body: stored.Body,
		Header: fulfillment.Envelope{Key: key(), Episode: b.d.Sequence, Attempt: 2, Time: time.Now()}.Header(),
	})
	b.d = pipelinetest.Deliver(t, b.client, fulfillment.StreamRequests, seq, 1)
	if err := b.handle(t); err != nil || v.creates != 0 {
		t.Fatalf("err %v, %d creations, want none", err, v.creates)
	}
	if reason := b.held(t); !strings.Contains(reason, "was made anew") {
		t.Errorf("held for %q", reason)
	}
}

func TestProof_NewEpisode_IsCarriedOut(t *testing.T) {
	t.Parallel()
	for _, idempotent := range []bool{true, false} {
		v := &vendor{create: ready}
		b := newBench(t, v, idempotent, "")
		b.loseResults(t, stream.Limits{})
		if !idempotent { // a vendor that honours the key needs no proof
			b.d = pipelinetest.Open(t, b.client, key(), b.d.Body)
		}
		if err := b.handle(t); err != nil || v.creates != 1 {
			t.Fatalf("err %v, %d creations, want one", err, v.creates)
		}
		b.approved(t, "T-1")
	}
}

// TestProof_ResultsCutBySize_IsHeld has the stream of results lose messages
// before those of requests.
func TestProof_ResultsCutBySize_IsHeld(t *testing.T) {
	t.Parallel()
	v := &vendor{create: ready}
	b := newBench(t, v, false, "")
	b.loseResults(t, stream.Limits{MaxBytes: 20_000})
	b.d = pipelinetest.Open(t, b.client, key(), b.d.Body)
	for range 20 {
		pipelinetest.Append(t, b.client, stream.Message{Subject: "fulfillment.results.other", Body: make([]byte, 2000)})
	}
	if err := b.handle(t); err != nil || v.creates != 0 {
		t.Fatalf("err %v, %d creations, want none", err, v.creates)
	}
	if reason := b.held(t); !strings.Contains(reason, "is full") {
		t.Errorf("held for %q", reason)
	}
}

// TestProof_OlderThanResultsAreKept_IsHeld has a request from before what the
// stream of results can still know, which is there for long.
func TestProof_OlderThanResultsAreKept_IsHeld(t *testing.T) {
	t.Parallel()
	for ahead, creates := range map[time.Duration]int{0: 1, stream.DefaultResultsMaxAge + time.Hour: 0} {
		v := &vendor{create: ready}
		b := newBench(t, v, false, "")
		b.clock.add(ahead)
		if err := b.handle(t); err != nil || v.creates != creates {
			t.Fatalf("%s later: err %v, %d creations, want %d", ahead, err, v.creates, creates)
		}
		if creates == 0 && !strings.Contains(b.held(t), "is kept for") {
			t.Errorf("held for %q", b.held(t))
		}
	}
}

// TestProof_ReplayOfAnOldRequest_IsCarriedOut has a call that cannot be older
// than the replay.
func TestProof_ReplayOfAnOldRequest_IsCarriedOut(t *testing.T) {
	t.Parallel()
	v := &vendor{create: ready}
	b := newBench(t, v, false, "")
	b.status = "approved"
	// The streams are older than results are kept, and so is the request.
	limits := stream.Limits{ResultsMaxAge: time.Hour}
	if err := b.client.Apply(t.Context(), stream.Fulfillment(limits)); err != nil {
		t.Fatal(err)
	}
	b.d.Header = map[string]string{fulfillment.HeaderReplay: "1"}
	b.d.Time = b.clock.now().Add(2 * time.Hour)
	b.clock.add(2 * time.Hour)
	if err := b.handle(t); err != nil || v.creates != 1 {
		t.Fatalf("err %v, %d creations, want one", err, v.creates)
	}
}
