// Package growth measures what grows with history: a store with ten million
// messages is made once and kept, and the commands that people and start-ups wait
// for are timed on it. It takes minutes and about 15 GB, so that it runs only
// where GROWTH_DIR says where:
//
//	GROWTH_DIR=/var/tmp/growth go test -v -count=1 -timeout 0 ./services/headrace/growth
//
// GROWTH_MESSAGES is how many there are to be (10,000,000); a directory that has
// fewer is filled up, so that it may be done in parts. Afterwards the directory
// is yours to remove.
package growth

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/headrace/headrace/pkg/broker"
	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/stream"
)

// perRequest is how many messages a purchase leaves that went well: request,
// intent, result, and the events received, provisioned, activated and approved.
const perRequest = 7

// held are the requests that wait for an operator, each with a dead letter.
const held = 20_000

func messages(t *testing.T) int {
	t.Helper()
	text := os.Getenv("GROWTH_MESSAGES")
	if text == "" {
		return 10_000_000
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestFill brings the store to its size.
func TestFill(t *testing.T) {
	dir := os.Getenv("GROWTH_DIR")
	if dir == "" {
		t.Skip("stores ten million messages, which takes ten minutes and 12 GB: set GROWTH_DIR to where")
	}
	b, err := broker.Start(t.Context(), broker.Options{Dir: filepath.Join(dir, "data"), SyncInterval: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		end, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := b.Shutdown(end); err != nil {
			t.Error(err)
		}
	}()
	c, err := stream.Connect(t.Context(), stream.Options{InProcess: b, User: b.User(), Password: b.Password(), Window: 1024})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Apply(t.Context(), stream.Fulfillment(stream.Limits{})); err != nil {
		t.Fatal(err)
	}
	s, err := c.StreamState(t.Context(), fulfillment.StreamRequests)
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	from, to := int(s.Messages), messages(t)/perRequest
	if err := fill(t.Context(), c, from, to); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d requests added to %d in %s", max(to-from, 0), from, time.Since(began).Round(time.Millisecond))
	settle(t, c)
	t.Logf("read by every consumer after %s", time.Since(began).Round(time.Millisecond))
}

// fill stores the requests from the from'th to the to'th, 256 at a time.
func fill(ctx context.Context, c *stream.Client, from, to int) error {
	const writers = 256
	var next atomic.Int64
	next.Store(int64(from))
	g, ctx := errgroup.WithContext(ctx)
	for range writers {
		g.Go(func() error {
			for {
				i := int(next.Add(1)) - 1
				if i >= to {
					return nil
				}
				if err := (history{c, i}).write(ctx); err != nil {
					return err
				}
			}
		})
	}
	return g.Wait()
}

// history is the life of one request.
type history struct {
	c *stream.Client
	i int
}

func keyOf(i int) fulfillment.Key {
	id := fmt.Sprintf("%04d-%04d-%04d", i/100_000_000, i/10_000%10_000, i%10_000)
	return fulfillment.Key{Type: fulfillment.Purchase, Product: "PRD-620-114-337", Asset: "AS-" + id, Request: "PR-" + id + "-001"}
}

// requestOf is a small one: a real one has about 5 KB.
func requestOf(key fulfillment.Key) []byte {
	return []byte(fmt.Sprintf(`{"id":%q,"type":%q,"status":"pending","created":"2026-03-02T09:14:05+00:00","asset":{"id":%q,"status":"processing","product":{"id":%q,"name":"Meridian Workspace"},"params":[{"id":"admin_email","type":"email","value":"ada@example.com"},{"id":"pw","type":"password","value":"hunter2"}],"note":%q}}`,
		key.Request, key.Type, key.Asset, key.Product, strings.Repeat("some more of what a request says ", 18)))
}

func (h history) write(ctx context.Context) error {
	key, now := keyOf(h.i), time.Now()
	episode, err := h.put(ctx, key.Subject(fulfillment.RootRequests), "requested", fulfillment.RequestSchema(key.Type), 0, requestOf(key))
	if err != nil {
		return err
	}
	if _, err := h.put(ctx, key.Subject(fulfillment.RootIntents), "intent", fulfillment.SchemaIntent, episode, fulfillment.Intent{
		RequestID: key.Request, AssetID: key.Asset, ProductID: key.Product, Type: key.Type, Episode: episode, Attempt: 1,
		State: fulfillment.IntentCalling, Time: now,
	}); err != nil {
		return err
	}
	if h.i%50 == 0 && h.i/50 < held {
		return h.hold(ctx, key, episode)
	}
	if _, err := h.put(ctx, key.Subject(fulfillment.RootResults), "result", fulfillment.SchemaResult, episode, fulfillment.Result{
		RequestID: key.Request, AssetID: key.Asset, ProductID: key.Product, Type: key.Type, Episode: episode, Attempt: 1,
		Decision: fulfillment.Approve, Params: []fulfillment.Param{{ID: "subscription_id", Value: &key.Asset}}, Time: now,
	}); err != nil {
		return err
	}
	for _, e := range []fulfillment.Event{fulfillment.EventReceived, fulfillment.EventProvisioned, "activated", fulfillment.EventApproved} {
		if err := h.tell(ctx, key, e, episode); err != nil {
			return err
		}
	}
	return nil
}

func (h history) tell(ctx context.Context, key fulfillment.Key, e fulfillment.Event, episode uint64) error {
	_, err := h.put(ctx, key.EventSubject(e), string(e), fulfillment.EventSchema(e), episode, fulfillment.EventBody{
		RequestID: key.Request, AssetID: key.Asset, ProductID: key.Product, Type: key.Type, Event: e, Episode: episode,
		Status: "approved", Reason: strings.Repeat("as customers read it ", 20), Time: time.Now(),
	})
	return err
}

// hold leaves the request to an operator.
func (h history) hold(ctx context.Context, key fulfillment.Key, episode uint64) error {
	if err := h.tell(ctx, key, fulfillment.EventReceived, episode); err != nil {
		return err
	}
	_, err := h.put(ctx, key.DeadSubject(fulfillment.StageHold), "dead", fulfillment.SchemaDead, episode, fulfillment.Letter{
		RequestID: key.Request, AssetID: key.Asset, ProductID: key.Product, Type: key.Type, Stage: fulfillment.StageHold,
		Reason: "the outcome of creating the tenant is not known", Episode: episode, Attempts: 1, Time: time.Now(),
		Stream: fulfillment.StreamRequests, Sequence: episode, Subject: key.Subject(fulfillment.RootRequests), Body: requestOf(key),
	})
	return err
}

func (h history) put(ctx context.Context, subject, kind, schema string, episode uint64, body any) (uint64, error) {
	data, ok := body.([]byte)
	if !ok {
		var err error
		if data, err = json.Marshal(body); err != nil {
			return 0, err
		}
	}
	key := keyOf(h.i)
	id := fulfillment.StepID(key.Request, episode, kind)
	return h.c.Append(ctx, stream.Message{
		Subject: subject, ID: id, Body: data,
		Header: fulfillment.Envelope{ID: id, Kind: kind, Schema: schema, Key: key, Episode: episode, Attempt: 1, Time: time.Now()}.Header(),
	})
}

// settle has every durable read what is stored, as if its service had.
func settle(t *testing.T, c *stream.Client) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	declared := stream.Fulfillment(stream.Limits{}).Consumers
	for _, d := range declared {
		c.Handle(d.Durable, 64, func(context.Context, *stream.Delivery) error { return nil })
	}
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for _, d := range declared {
		for {
			at, err := c.ConsumerState(ctx, d.Durable)
			if err != nil {
				t.Fatal(err)
			}
			if at.Pending == 0 && at.InHand == 0 {
				break
			}
			<-tick.C
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
