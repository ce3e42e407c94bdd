package replay_test

import (
	"testing"

	"github.com/headrace/headrace/pkg/episode"
	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/pipelinetest"
	"github.com/headrace/headrace/pkg/replay"
	"github.com/headrace/headrace/pkg/stream"
)

func (b *bundle) planRequests(r replay.Range) *replay.Plan {
	b.Helper()
	p, err := replay.Requests(b.Context(), b.c, r)
	if err != nil {
		b.Fatal(err)
	}
	return p
}

func TestRequests_InEveryState_OnlyTheAbandonedIsReplayed(t *testing.T) {
	t.Parallel()
	b := setup(t)
	lost, decided, closed, dead, old, foreign := keyOf("purchase", "AS-1", "PR-1"), keyOf("purchase", "AS-2", "PR-2"),
		keyOf("purchase", "AS-3", "PR-3"), keyOf("purchase", "AS-4", "PR-4"), keyOf("purchase", "AS-5", "PR-5"), keyOf("return", "AS-6", "PR-6")
	b.open(lost)
	b.decide(decided, b.open(decided), fulfillment.Approve)
	b.close(closed, b.open(closed), fulfillment.EventFailed)
	b.bury(fulfillment.StreamRequests, b.open(dead), fulfillment.StageHold)
	b.open(old)
	b.open(keyOf("change", "AS-5", "PR-7"))
	b.open(foreign)

	p := b.planRequests(replay.Range{})
	for request, part := range map[string]string{
		"PR-1": "would call the vendor: yes", "PR-2": "nothing to do: result exists", "PR-3": "nothing to do: the request is failed",
		"PR-4": "nothing to do: dead letter 1", "PR-5": "nothing to do: superseded by a later message about PR-7",
		"PR-6": "nothing to do: no service",
	} {
		has(t, would(t, p, request), part)
	}
	if p.ToDo() != 2 { // PR-1 and PR-7
		t.Errorf("%d to do, not 2", p.ToDo())
	}
}

func TestRequests_InTheServicesHands_LeftAlone(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.apply(stream.Topology{Consumers: []stream.Consumer{stream.TypeConsumer("purchase", fulfillment.Purchase)}})
	b.open(keyOf("purchase", "AS-1", "PR-1"))
	has(t, would(t, b.planRequests(replay.Range{}), "PR-1"), "nothing to do: its service")
}

func TestRequests_Run_MakesARetryOfTheSameEpisode(t *testing.T) {
	t.Parallel()
	b := setup(t)
	key := keyOf("purchase", "AS-1", "PR-1")
	at := b.open(key)
	p, stale := b.planRequests(replay.Range{}), b.planRequests(replay.Range{})
	for _, plan := range []*replay.Plan{p, stale} {
		if err := plan.Run(t.Context(), replay.Options{By: "ada"}); err != nil {
			t.Fatal(err)
		}
	}
	if p.Steps[0].Done != replay.DoneSent || stale.Steps[0].Done != replay.DoneNothing {
		t.Errorf("the plan says %+v, the stale one %+v", p.Steps[0], stale.Steps[0])
	}
	head, err := episode.HeadOf(t.Context(), b.c, key.Asset)
	if err != nil {
		t.Fatal(err)
	}
	if head.Episode != at || head.Attempt != 2 || head.Root != fulfillment.RootRetries || head.Stored.Header[fulfillment.HeaderOperator] != "ada" {
		t.Errorf("the head is %+v", head)
	}
	if n := pipelinetest.Count(t, b.c, fulfillment.StreamRequests, ""); n != 2 {
		t.Errorf("%d messages, not 2", n)
	}
}
