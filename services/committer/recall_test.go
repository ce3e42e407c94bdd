package committer_test

import (
	"testing"

	"github.com/headrace/headrace/pkg/facts"
	"github.com/headrace/headrace/pkg/fulfillment"
)

// begin tells that the episode was opened, as the fetcher does.
func (b *bench) begin(t *testing.T) {
	t.Helper()
	if _, err := b.teller.Tell(t.Context(), facts.Story{Key: b.key, Episode: 7}); err != nil {
		t.Fatal(err)
	}
	b.log.reads = 0
}

func TestCommit_BegunHere_ReadsNoEvent(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.begin(t)
	b.commit(t, b.approved(t), 1)
	if b.log.reads != 0 {
		t.Errorf("%d reads of what this process told", b.log.reads)
	}
	b.told(t, approvedOnce()...)
}

func TestCommit_BegunHereAndDeliveredAgain_ReadsTheEvents(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.begin(t)
	if _, err := facts.New(b.client, facts.Rules{}).Tell(t.Context(), facts.Story{
		Key: b.key, Episode: 7, Events: []fulfillment.Event{fulfillment.EventLeft}, Status: "revoked",
	}); err != nil {
		t.Fatal(err)
	}
	d := b.approved(t)
	d.Attempt = 2
	b.commit(t, d, 1)
	if calls := b.calls(); len(calls) != 0 {
		t.Errorf("%v of an episode that is closed", calls)
	}
}

// What another process has told since comes first, and once.
func TestCommit_BegunHereAndToldElsewhere_GoesOnFromThere(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.begin(t)
	if _, err := facts.New(b.client, facts.Rules{}).Tell(t.Context(), facts.Story{
		Key: b.key, Episode: 7, Events: []fulfillment.Event{fulfillment.EventProvisioned}, Status: "pending",
	}); err != nil {
		t.Fatal(err)
	}
	b.commit(t, b.approved(t), 1)
	b.told(t, approvedOnce()...)
}
