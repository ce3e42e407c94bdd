package replay_test

import (
	"context"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/pipelinetest"
	"github.com/headrace/headrace/pkg/replay"
	"github.com/headrace/headrace/pkg/stream"
)

// approve has a request opened, decided and approved, and returns its episode.
func (b *bundle) approve(typ fulfillment.Type, asset, request string) uint64 {
	b.Helper()
	key := keyOf(typ, asset, request)
	at := b.open(key)
	b.decide(key, at, fulfillment.Approve)
	b.close(key, at, fulfillment.EventApproved)
	return at
}

// begin has a request's round begun, and returns its episode.
func (b *bundle) begin(typ fulfillment.Type, asset, request, round string) uint64 {
	b.Helper()
	key := keyOf(typ, asset, request)
	return pipelinetest.Append(b.T, b.c, stream.Message{
		Subject: key.Subject(fulfillment.RootRequests), Body: pipelinetest.Request(b.T, key, ""),
		Header: map[string]string{fulfillment.HeaderReplay: round},
	})
}

func (b *bundle) planAgain(r replay.Range, round int) *replay.Plan {
	b.Helper()
	p, err := replay.Again(b.Context(), b.c, r, round)
	if err != nil {
		b.Fatal(err)
	}
	return p
}

// todo are the requests that the plan would carry out, in its order.
func todo(p *replay.Plan) (requests []string) {
	for _, s := range p.Steps {
		if s.ToDo() {
			requests = append(requests, s.RequestID)
		}
	}
	return requests
}

func TestAgain_Plan_GoesBySubscriptionInConnectsOrder(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.approve("purchase", "AS-1", "PR-12")
	b.approve("purchase", "AS-2", "PR-21")
	b.approve("suspend", "AS-1", "PR-11") // the order is that of the episodes
	b.approve("change", "AS-2", "PR-22")
	other := keyOf("change", "AS-2", "PR-23")
	at := b.open(other)
	b.decide(other, at, fulfillment.Recheck)
	b.close(other, at, fulfillment.EventApproved)
	failed := keyOf("change", "AS-2", "PR-24")
	b.close(failed, b.open(failed), fulfillment.EventFailed)
	b.approve("tier-setup", "TC-1", "TCR-1")

	p := b.planAgain(replay.Range{}, 0)
	if diff := cmp.Diff([]string{"PR-12", "PR-11", "PR-21", "PR-22"}, todo(p)); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	has(t, would(t, p, "PR-12"), "round 1: the vendor creates the tenant; key PR-12/replay-1")
	has(t, would(t, p, "PR-23"), "nothing to do: not a service of ours")
	has(t, would(t, p, "TCR-1"), "nothing to do: requests of tiers")
	if len(p.Steps) != 6 {
		t.Errorf("%d steps, not 6: what failed is none", len(p.Steps))
	}
}

func TestAgain_CancelledSubscription_IsNotMadeAnew(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.approve("purchase", "AS-1", "PR-1")
	second := b.approve("change", "AS-1", "PR-2")
	b.approve("cancel", "AS-1", "PR-3")
	p := b.planAgain(replay.Range{}, 0)
	if todo(p) != nil {
		t.Errorf("would do %v", todo(p))
	}
	has(t, would(t, p, "PR-1"), "left out, since the subscription is cancelled")
	// The tenant is older than what was lost, and must go.
	p = b.planAgain(replay.Range{From: second}, 0)
	if diff := cmp.Diff([]string{"PR-3"}, todo(p)); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	has(t, would(t, p, "PR-2"), "left out, since PR-3 cancelled")
}

func TestAgain_Rounds_AreDoneOnceAndGoOn(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.approve("purchase", "AS-1", "PR-1")
	b.approve("change", "AS-1", "PR-2")
	first := b.begin("purchase", "AS-1", "PR-1", "1")
	p := b.planAgain(replay.Range{}, 0)
	has(t, would(t, p, "PR-1"), "round 1 has begun and is waited for")
	b.close(keyOf("purchase", "AS-1", "PR-1"), first, fulfillment.EventReplayed)
	p = b.planAgain(replay.Range{}, 0)
	has(t, would(t, p, "PR-1"), "nothing to do: replayed in round 1; --round 2")
	if diff := cmp.Diff([]string{"PR-2"}, todo(p)); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if diff := cmp.Diff([]string{"PR-1", "PR-2"}, todo(b.planAgain(replay.Range{}, 2))); diff != "" {
		t.Errorf("round 2: -want +got\n%s", diff)
	}
	// Once round 2 has begun, it is the one that goes on.
	second := b.begin("purchase", "AS-1", "PR-1", "2")
	b.close(keyOf("purchase", "AS-1", "PR-1"), second, fulfillment.EventReplayed)
	has(t, would(t, b.planAgain(replay.Range{}, 0), "PR-2"), "key PR-2/replay-2")
}

func TestAgain_OvertakenBetweenTwoCalls_IsDoneOnceMoreAtTheEnd(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.approve("purchase", "AS-1", "PR-1")
	last := b.approve("change", "AS-1", "PR-2")
	b.close(keyOf("purchase", "AS-1", "PR-1"), b.begin("purchase", "AS-1", "PR-1", "1"), fulfillment.EventReplayed)
	b.approve("change", "AS-1", "PR-3") // live
	b.close(keyOf("change", "AS-1", "PR-2"), b.begin("change", "AS-1", "PR-2", "1"), fulfillment.EventReplayed)
	b.approve("change", "AS-1", "PR-4") // live, after the last call
	if diff := cmp.Diff([]string{"PR-3"}, todo(b.planAgain(replay.Range{To: last}, 0))); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestAgain_Times_AreThoseOfTheVendorsPart(t *testing.T) {
	t.Parallel()
	b := setup(t)
	key := keyOf("purchase", "AS-1", "PR-1")
	at := b.open(key)
	b.decide(key, at, fulfillment.Approve)
	lost := time.Now()
	b.close(key, at, fulfillment.EventApproved)
	b.approve("purchase", "AS-2", "PR-2")
	if diff := cmp.Diff([]string{"PR-2"}, todo(b.planAgain(replay.Range{Since: lost}, 0))); diff != "" {
		t.Errorf("since: -want +got\n%s", diff)
	}
	if diff := cmp.Diff([]string{"PR-1"}, todo(b.planAgain(replay.Range{Until: lost}, 0))); diff != "" {
		t.Errorf("until: -want +got\n%s", diff)
	}
}

// A schedule that outlives its episode, which a person has ended, would fire and
// be the head in the place of the replay: nobody would carry that out.
func TestAgain_HeadWasScheduled_TakesTheScheduleAway(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.approve("purchase", "AS-1", "PR-1")
	waits := keyOf("change", "AS-1", "PR-2")
	at := b.open(waits)
	scheduled := waits.Subject(fulfillment.RootSchedules)
	pipelinetest.Append(t, b.c, stream.Message{
		Subject: scheduled, Header: map[string]string{fulfillment.HeaderEpisode: strconv.FormatUint(at, 10)},
	}, stream.ScheduleAt(time.Now().Add(time.Hour), waits.Subject(fulfillment.RootRetries)))
	b.close(waits, at, fulfillment.EventFailed)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	p := b.planAgain(replay.Range{}, 0)
	go func() { ended <- p.Run(ctx, replay.Options{By: "ops"}) }()
	pipelinetest.Until(t, "the replay has begun", func() bool {
		return pipelinetest.Count(t, b.c, fulfillment.StreamRequests, keyOf("purchase", "AS-1", "PR-1").Subject(fulfillment.RootRequests)) == 2
	})
	stop()
	<-ended
	if m := pipelinetest.Last(t, b.c, fulfillment.StreamRequests, scheduled); m != nil {
		t.Errorf("the schedule is still there: %d", m.Sequence)
	}
}
