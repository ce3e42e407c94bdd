package fetcher_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/headrace/headrace/pkg/connect"
	"github.com/headrace/headrace/pkg/deadletter"
	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/pipelinetest"
	"github.com/headrace/headrace/pkg/stream"
	"github.com/headrace/headrace/pkg/stream/streamtest"
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

func TestPoll_LetterOfAnUnreadableRowTooOld_IsWrittenAgain(t *testing.T) {
	t.Parallel()
	broker := streamtest.Server(t)
	b := newBenchOn(t, broker)
	b.rows = []connect.Row{{Raw: json.RawMessage(`"what"`), Err: errors.New("not an object")}}
	letters := func() int { return pipelinetest.Count(t, b.client, fulfillment.StreamDead, "") }
	b.poll(t)
	d := pipelinetest.Open(t, b.client, purchase(), []byte("{}"))
	if err := deadletter.NewWriter(b.client, nil).Write(t.Context(), deadletter.OfDelivery(d, fulfillment.StageHold, "why")); err != nil {
		t.Fatal(err)
	}
	b.poll(t)
	if n := letters(); n != 2 {
		t.Fatalf("%d letters, want the row's and the other", n)
	}
	streamtest.NewHand(t, broker.URL()).DeleteMessage(fulfillment.StreamDead, 1) // the oldest, as age does
	b.status = "pending"
	for range 2 {
		if b.poll(t); letters() != 2 {
			t.Errorf("%d letters, want the row's again, and the other", letters())
		}
	}
}

// The time at which an asset is looked at again may come while Connect is being
// read.
func TestPoll_LookedAtAgainWhileListing_IsNotAskedForWithoutAName(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.rows = []connect.Row{row(purchase(), at(1))}
	now, passes := time.Now(), time.Minute
	cfg, list := b.Config, b.Requests
	asked := 0
	cfg.Requests = func(ctx context.Context, q connect.RequestQuery, take connect.Take) error {
		if len(q.Assets) > 0 {
			asked++
		}
		defer func() { now = now.Add(passes) }()
		return list(ctx, q, take)
	}
	b.Fetcher = fetcher.New(cfg)
	b.SetNow(func() time.Time { return now })
	for range 3 {
		b.poll(t)
	}
	passes = 48 * time.Hour
	for range 2 {
		if b.poll(t); asked != 0 || b.states["purchase"]["queued"] != 1 {
			t.Errorf("asked %d times for assets by name, states %v; want the purchase queued", asked, b.states)
		}
	}
}

// With more letters than a poll looks into, each waits for its turn: what must
// have been seen for a while is seen for a while all the same.
func TestPoll_MoreLettersThanItLooksInto_WhatTakesTimeIsDoneYet(t *testing.T) {
	t.Parallel()
	const letters = 3
	for name, c := range map[string]struct {
		result bool
		at     stream.ConsumerState
	}{
		"in hand, finished by a person": {false, stream.ConsumerState{Delivered: 1000}},
		"its result is lost":            {true, stream.ConsumerState{AckFloor: 1000}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			cfg, now, want := b.Config, time.Now(), letters
			cfg.Consumer = func(context.Context, string) (stream.ConsumerState, error) { return c.at, nil }
			b.Fetcher = fetcher.New(cfg)
			b.SetLooks(1)
			b.SetNow(func() time.Time { return now })
			for i := range letters {
				k := fulfillment.Key{Type: fulfillment.Purchase, Product: "PRD-1", Asset: fmt.Sprintf("AS-%d", i), Request: fmt.Sprintf("PR-%d", i)}
				b.redriven(t, k)
				if c.result {
					b.decide(t, k)
					want++
				}
			}
			for range 3 * letters {
				b.poll(t)
				now = now.Add(time.Minute)
			}
			if n := pipelinetest.Count(t, b.client, fulfillment.StreamResults, ""); n != want {
				t.Errorf("%d results, want %d", n, want)
			}
		})
	}
}

// redriven is a request that was held and has been sent to its service again,
// which is not recorded yet.
func (b *bench) redriven(t *testing.T, k fulfillment.Key) {
	t.Helper()
	d := pipelinetest.Open(t, b.client, k, []byte("{}"))
	if err := deadletter.NewWriter(b.client, nil).Write(t.Context(), deadletter.OfDelivery(d, fulfillment.StageHold, "why")); err != nil {
		t.Fatal(err)
	}
	pipelinetest.Append(t, b.client, stream.Message{
		Subject: k.Subject(fulfillment.RootRetries), Body: []byte("{}"),
		Header: map[string]string{fulfillment.HeaderEpisode: fmt.Sprint(d.Sequence)},
	})
}

// decide stores an approval of the request that has the asset.
func (b *bench) decide(t *testing.T, k fulfillment.Key) {
	t.Helper()
	head := pipelinetest.Last(t, b.client, fulfillment.StreamRequests, fulfillment.HeadFilter(k.Asset))
	body, err := json.Marshal(fulfillment.Result{
		RequestID: k.Request, AssetID: k.Asset, ProductID: k.Product, Type: k.Type,
		Episode: fulfillment.Episode(head.Header, head.Sequence), Decision: fulfillment.Approve,
	})
	if err != nil {
		t.Fatal(err)
	}
	pipelinetest.Append(t, b.client, stream.Message{Subject: k.Subject(fulfillment.RootResults), Body: body})
}
