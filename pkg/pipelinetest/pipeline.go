// Package pipelinetest gives tests of services a real broker with our streams,
// and the deliveries that a service would get from it.
package pipelinetest

import (
	"encoding/json"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/stream"
	"github.com/headrace/headrace/pkg/stream/streamtest"
)

// Client reaches a broker of the test's own, with our streams declared.
func Client(t *testing.T) *stream.Client {
	t.Helper()
	return ClientOf(t, streamtest.Server(t))
}

// ClientOf reaches a broker with which the test does more, with our streams
// declared.
func ClientOf(t *testing.T, b *streamtest.Broker) *stream.Client {
	t.Helper()
	c, err := stream.Connect(t.Context(), stream.Options{URL: b.URL()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	if err := c.Apply(t.Context(), stream.Fulfillment(stream.Limits{})); err != nil {
		t.Fatal(err)
	}
	return c
}

// Logger discards.
func Logger() *logrus.Entry {
	log := logrus.New()
	log.SetOutput(io.Discard)
	return logrus.NewEntry(log)
}

// Key is the key of a request of the given type on the asset AS-1.
func Key(typ fulfillment.Type, request string) fulfillment.Key {
	return fulfillment.Key{Type: typ, Product: "PRD-1", Asset: "AS-1", Request: request}
}

// Request is the body of a pending request with the tenant id given, and
// without further parameters.
func Request(t *testing.T, key fulfillment.Key, tenant string) []byte {
	t.Helper()
	type object = map[string]any
	body, err := json.Marshal(object{
		"id": key.Request, "type": key.Type, "status": "pending", "created": "2026-03-02T09:14:05+00:00",
		"asset": object{
			"id": key.Asset, "product": object{"id": key.Product, "name": "Nimbus"},
			"items": []object{{"id": "I-1", "mpn": "SEAT", "quantity": "5", "old_quantity": "0"}},
			"params": []object{{
				"id": "subscription_id", "phase": "fulfillment", "value": tenant,
				"constraints": object{"required": true},
			}},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// Append stores a message and fails the test if the broker does not take it.
func Append(t *testing.T, c *stream.Client, m stream.Message, opts ...stream.AppendOption) uint64 {
	t.Helper()
	if m.ID == "" {
		m.ID = m.Subject
	}
	seq, err := c.Append(t.Context(), m, opts...)
	if err != nil {
		t.Fatal(err)
	}
	return seq
}

// Open stores the request as the head of its asset, as the fetcher does, and
// returns its delivery.
func Open(t *testing.T, c *stream.Client, key fulfillment.Key, body []byte) *stream.Delivery {
	t.Helper()
	seq := Append(t, c, stream.Message{Subject: key.Subject(fulfillment.RootRequests), Body: body})
	return Deliver(t, c, fulfillment.StreamRequests, seq, 1)
}

// Deliver is the delivery of a stored message, the attempt'th one.
func Deliver(t *testing.T, c *stream.Client, name string, seq uint64, attempt int) *stream.Delivery {
	t.Helper()
	m, err := c.Get(t.Context(), name, seq)
	if err != nil {
		t.Fatal(err)
	}
	return &stream.Delivery{Stored: *m, Attempt: attempt}
}

// Last is the last message of the stream below filter, nil if there is none.
func Last(t *testing.T, c *stream.Client, name, filter string) *stream.Stored {
	t.Helper()
	m, err := c.Last(t.Context(), name, filter)
	if errors.Is(err, stream.ErrNotFound) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// Body decodes the last message of the stream below filter; the test fails if
// there is none.
func Body[T any](t *testing.T, c *stream.Client, name, filter string) T {
	t.Helper()
	var body T
	m := Last(t, c, name, filter)
	if m == nil {
		t.Fatalf("nothing below %s", filter)
	}
	if err := json.Unmarshal(m.Body, &body); err != nil {
		t.Fatal(err)
	}
	return body
}

// Told are the events of a request, in their order.
func Told(t *testing.T, c *stream.Client, key fulfillment.Key) []fulfillment.Event {
	t.Helper()
	var told []fulfillment.Event
	for m, err := range c.Read(t.Context(), fulfillment.StreamEvents, key.EventFilter(), 1) {
		if err != nil {
			t.Fatal(err)
		}
		_, e, err := fulfillment.ParseEventSubject(m.Subject)
		if err != nil {
			t.Fatal(err)
		}
		told = append(told, e)
	}
	return told
}

// Count is how many messages of the stream match filter.
func Count(t *testing.T, c *stream.Client, name, filter string) int {
	t.Helper()
	n := 0
	for _, err := range c.Read(t.Context(), name, filter, 1) {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	return n
}

// Until waits for a state that others bring about.
func Until(t *testing.T, what string, reached func() bool) {
	t.Helper()
	deadline := time.Now().Add(3 * time.Minute)
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !reached() {
		if time.Now().After(deadline) {
			t.Fatalf("not reached: %s", what)
		}
		<-tick.C
	}
}
