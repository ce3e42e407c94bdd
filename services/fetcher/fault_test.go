package fetcher_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/headrace/headrace/pkg/connect"
	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/pipelinetest"
	"github.com/headrace/headrace/pkg/stream"
	"github.com/headrace/headrace/services/fetcher"
)

// The broker can't say how one durable stands, as while it has no leader: that is
// said, and the requests of other types are published all the same.
func TestPoll_DurableCantBeAsked_OtherTypesArePublished(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.rows = []connect.Row{row(purchase(), at(1))}
	cfg, leaderless := b.Config, errors.New("no leader")
	var fault error
	var asked []string
	cfg.Consumer = func(_ context.Context, durable string) (stream.ConsumerState, error) {
		asked = append(asked, durable)
		return stream.ConsumerState{}, fault
	}
	b.Fetcher = fetcher.New(cfg)
	b.poll(t)
	b.poll(t) // now it is known that the purchase waits for its service
	fault = leaderless
	change := fulfillment.Key{Type: fulfillment.Change, Product: "PRD-1", Asset: "AS-2", Request: "PR-2"}
	b.rows = append(b.rows, row(change, at(2)))
	if p, err := b.Poll(t.Context()); p.Published != 1 || !errors.Is(err, leaderless) {
		t.Errorf("poll %+v, %v; want one published, and the fault told", p, err)
	}
	if pipelinetest.Last(t, b.client, fulfillment.StreamRequests, change.Subject(fulfillment.RootRequests)) == nil {
		t.Error("the change is not in the stream")
	}
	if b.states["purchase"]["queued"] != 1 {
		t.Errorf("states %v, want the purchase queued", b.states)
	}
	fault = nil
	b.rows = nil
	b.poll(t)
	asked = nil
	b.poll(t)
	if slices.Contains(asked, stream.DurableOf(fulfillment.Purchase)) {
		t.Errorf("nothing waits for a durable any more, asked for %v", asked)
	}
}
