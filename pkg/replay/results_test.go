package replay_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/pipelinetest"
	"github.com/headrace/headrace/pkg/replay"
	"github.com/headrace/headrace/pkg/stream"
)

func (b *bundle) planResults(r replay.Range) *replay.Plan {
	b.Helper()
	p, err := replay.Results(b.Context(), b.c, r)
	if err != nil {
		b.Fatal(err)
	}
	return p
}

func TestResults_OfRequestsInEveryState_OnlyTheUncommittedIsReplayed(t *testing.T) {
	t.Parallel()
	b := setup(t)
	lost, done, waits, passed, dead, held := keyOf("purchase", "AS-1", "PR-1"), keyOf("purchase", "AS-2", "PR-2"),
		keyOf("purchase", "AS-3", "PR-3"), keyOf("purchase", "AS-4", "PR-4"), keyOf("purchase", "AS-5", "PR-5"), keyOf("purchase", "AS-6", "PR-6")
	b.decide(lost, b.open(lost), fulfillment.Approve)
	at := b.open(done)
	b.decide(done, at, fulfillment.Approve)
	b.close(done, at, fulfillment.EventApproved)
	b.decide(waits, b.open(waits), fulfillment.Wait)
	b.decide(passed, b.open(passed), fulfillment.Recheck)
	b.open(passed)
	b.bury(fulfillment.StreamResults, b.decide(dead, b.open(dead), fulfillment.Approve), fulfillment.StageCommit)
	b.bury(fulfillment.StreamResults, b.decide(held, b.open(held), fulfillment.Approve), fulfillment.StageHold)

	p := b.planResults(replay.Range{})
	for request, part := range map[string]string{
		"PR-1": "would call the vendor: no, result exists", "PR-2": "nothing to do: the request is approved",
		"PR-3": "nothing to do: it is not decided yet", "PR-4": "nothing to do: superseded",
		"PR-5": "would call the vendor: no, result exists", "PR-6": "nothing to do: held, dead letter 2",
	} {
		has(t, would(t, p, request), part)
	}
	if p.ToDo() != 2 {
		t.Errorf("%d to do, not 2", p.ToDo())
	}
}

func TestResults_Run_StoresTheSameResultOnceMoreUnderTheOperatorsName(t *testing.T) {
	t.Parallel()
	b := setup(t)
	key := keyOf("purchase", "AS-1", "PR-1")
	first := b.decide(key, b.open(key), fulfillment.Approve)
	p, stale := b.planResults(replay.Range{}), b.planResults(replay.Range{})
	for _, plan := range []*replay.Plan{p, stale} {
		if err := plan.Run(t.Context(), replay.Options{By: "ada"}); err != nil {
			t.Fatal(err)
		}
	}
	if p.Steps[0].Done != replay.DoneSent || stale.Steps[0].Done != replay.DoneNothing {
		t.Errorf("the plan says %+v, the stale one %+v", p.Steps[0], stale.Steps[0])
	}
	if n := pipelinetest.Count(t, b.c, fulfillment.StreamResults, ""); n != 2 {
		t.Errorf("%d results, not 2", n)
	}
	was := pipelinetest.Deliver(t, b.c, fulfillment.StreamResults, first, 1)
	is := pipelinetest.Last(t, b.c, fulfillment.StreamResults, key.Subject(fulfillment.RootResults))
	if string(is.Body) != string(was.Body) || is.ID == was.ID {
		t.Errorf("replayed as %s: %s", is.ID, is.Body)
	}
	if is.Header[fulfillment.HeaderOperator] != "ada" || is.Header[fulfillment.HeaderReplayed] == "" ||
		is.Header[fulfillment.HeaderEpisode] != was.Header[fulfillment.HeaderEpisode] {
		t.Errorf("headers %v", is.Header)
	}
}

func TestResults_InTheCommittersHands_LeftAlone(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.apply(stream.Topology{Consumers: []stream.Consumer{{
		Stream: fulfillment.StreamResults, Durable: stream.DurableCommitter, Filters: []string{fulfillment.RootResults + ".>"},
	}}})
	key := keyOf("purchase", "AS-1", "PR-1")
	b.decide(key, b.open(key), fulfillment.Approve)
	has(t, would(t, b.planResults(replay.Range{}), "PR-1"), "nothing to do: the committer")
}

func TestRange_Bounds_Compose(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, key := range []fulfillment.Key{
		keyOf("purchase", "AS-1", "PR-1"), keyOf("change", "AS-1", "PR-2"), keyOf("purchase", "AS-2", "PR-3"), keyOf("purchase", "AS-2", "PR-4"),
	} {
		b.decide(key, b.open(key), fulfillment.Approve)
	}
	now := time.Now()
	for name, c := range map[string]struct {
		within replay.Range
		want   []string
	}{
		"all":       {replay.Range{}, []string{"PR-1", "PR-2", "PR-3", "PR-4"}},
		"type":      {replay.Range{Type: "purchase"}, []string{"PR-1", "PR-3", "PR-4"}},
		"asset":     {replay.Range{Type: "purchase", Asset: "AS-1"}, []string{"PR-1"}},
		"request":   {replay.Range{Request: "PR-3"}, []string{"PR-3"}},
		"product":   {replay.Range{Product: "PRD-9"}, nil},
		"sequences": {replay.Range{From: 2, To: 3}, []string{"PR-2", "PR-3"}},
		"since":     {replay.Range{Since: now.Add(time.Minute)}, nil},
		"until":     {replay.Range{Until: now.Add(time.Minute), From: 4}, []string{"PR-4"}},
	} {
		var got []string
		for _, s := range b.planResults(c.within).Steps {
			got = append(got, s.RequestID)
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s: -want +got\n%s", name, diff)
		}
	}
}
