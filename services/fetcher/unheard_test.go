package fetcher_test

import (
	"testing"

	"github.com/headrace/headrace/pkg/connect"
	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/pipelinetest"
	"github.com/headrace/headrace/pkg/stream"
)

// purchases are rows of as many new subscriptions, the oldest first.
func purchases(n int) (rows []connect.Row) {
	for _, r := range manyRows(0, n) {
		k := fulfillment.Key{Type: fulfillment.Purchase, Product: r.ProductID, Asset: r.AssetID, Request: r.ID}
		rows = append(rows, row(k, r.Created))
	}
	return rows
}

func TestPoll_NewSubscriptions_AreAskedForTogether(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	c, _ := b.count()
	b.rows = purchases(120)
	if p := b.poll(t); p.Published != 120 {
		t.Fatalf("poll %+v, want all published", p)
	}
	if got := c.take(); got.Questions > 4+3*3+2 || got.Appends != 2*120 { // the streams, three packs, dead letters
		t.Errorf("120 new subscriptions cost %+v", got)
	}
	if b.states["purchase"]["queued"] != 120 {
		t.Errorf("states are %v", b.states)
	}
}

// Any of the three streams may know of a subscription what the others have lost.
func TestPoll_OneStreamKnowsOfANewSubscription_ItIsNotOpened(t *testing.T) {
	t.Parallel()
	k := fulfillment.Key{Type: fulfillment.Purchase, Product: "PRD-1", Asset: "AS-0", Request: "PR-0"}
	for name, subject := range map[string]string{
		"requests": k.Subject(fulfillment.RootRetries), "events": k.EventSubject(fulfillment.EventDiscarded), "results": k.Subject(fulfillment.RootResults),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			b.rows = purchases(3)
			pipelinetest.Append(t, b.client, stream.Message{Subject: subject, Body: []byte(
				`{"request_id":"PR-0","asset_id":"AS-0","product_id":"PRD-1","type":"purchase","event":"discarded","episode":1,"attempt":1,"decision":"approve"}`,
			)})
			if p := b.poll(t); p.Published != 2 {
				t.Errorf("poll %+v, want the two of which nothing is known", p)
			}
		})
	}
}

// A broker that does not answer may take long for each question.
func TestPoll_BrokerDoesNotTellOfMany_IsNotAskedSoAgain(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	c, _ := b.count()
	c.none = stream.ErrUnreachable
	b.rows = purchases(150)
	if p := b.poll(t); p.Published != 150 {
		t.Errorf("%d published, want all", p.Published)
	}
	if c.nones != 1 {
		t.Errorf("asked %d times about many at once, want once", c.nones)
	}
}
