package replay_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/headrace/headrace/pkg/deadletter"
	"github.com/headrace/headrace/pkg/episode"
	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/pipelinetest"
	"github.com/headrace/headrace/pkg/replay"
	"github.com/headrace/headrace/pkg/stream"
	"github.com/headrace/headrace/pkg/stream/streamtest"
)

// bundle is a broker with our streams, to which tests write as the services do.
type bundle struct {
	*testing.T
	c *stream.Client
}

// setup declares streams and no durables: what is in them is in nobody's hands.
func setup(t *testing.T) *bundle {
	t.Helper()
	c, err := stream.Connect(t.Context(), stream.Options{URL: streamtest.Server(t).URL()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	b := &bundle{t, c}
	b.apply(stream.Topology{Streams: stream.Fulfillment(stream.Limits{}).Streams})
	return b
}

func (b *bundle) apply(topology stream.Topology) {
	b.Helper()
	if err := b.c.Apply(b.Context(), topology); err != nil {
		b.Fatal(err)
	}
}

func keyOf(typ fulfillment.Type, asset, request string) fulfillment.Key {
	return fulfillment.Key{Type: typ, Product: "PRD-1", Asset: asset, Request: request}
}

// open stores a request and returns its episode.
func (b *bundle) open(key fulfillment.Key) uint64 {
	b.Helper()
	return pipelinetest.Append(b.T, b.c, stream.Message{
		Subject: key.Subject(fulfillment.RootRequests), Body: pipelinetest.Request(b.T, key, ""),
	})
}

func (b *bundle) decide(key fulfillment.Key, at uint64, d fulfillment.Decision, params ...fulfillment.Param) uint64 {
	b.Helper()
	subject := key.Subject(fulfillment.RootResults)
	last, err := episode.LastSequence(b.Context(), b.c, fulfillment.StreamResults, subject)
	if err != nil {
		b.Fatal(err)
	}
	seq, err := episode.PutResult(b.Context(), b.c, fulfillment.Result{
		RequestID: key.Request, AssetID: key.Asset, ProductID: key.Product, Type: key.Type, Episode: at, Attempt: 1,
		Decision: d, Reason: "because", Params: params, Time: time.Now().UTC(),
	}, "decided", last)
	if err != nil {
		b.Fatal(err)
	}
	return seq
}

func (b *bundle) close(key fulfillment.Key, at uint64, e fulfillment.Event) {
	b.Helper()
	closing, err := episode.ClosingOf(b.Context(), b.c, key)
	if err != nil {
		b.Fatal(err)
	}
	if _, err := episode.PutEvent(b.Context(), b.c, fulfillment.EventBody{
		RequestID: key.Request, AssetID: key.Asset, ProductID: key.Product, Type: key.Type, Event: e, Episode: at,
		Status: string(e), Time: time.Now().UTC(),
	}, closing); err != nil {
		b.Fatal(err)
	}
}

// bury writes a dead letter about a stored message.
func (b *bundle) bury(name string, seq uint64, stage fulfillment.Stage) {
	b.Helper()
	letter := deadletter.OfDelivery(pipelinetest.Deliver(b.T, b.c, name, seq, 1), stage, "because")
	if r := (fulfillment.Result{}); name == fulfillment.StreamResults && json.Unmarshal(letter.Body, &r) == nil {
		letter.Episode = r.Episode // as the committer does
	}
	if err := deadletter.NewWriter(b.c, nil).Write(b.Context(), letter); err != nil {
		b.Fatal(err)
	}
}

// would is what the plan says of a request.
func would(t *testing.T, p *replay.Plan, request string) string {
	t.Helper()
	for _, s := range p.Steps {
		if s.RequestID == request {
			return s.Would
		}
	}
	t.Fatalf("%s is not in the plan", request)
	return ""
}

func has(t *testing.T, text, part string) {
	t.Helper()
	if !strings.Contains(text, part) {
		t.Errorf("%q lacks %q", text, part)
	}
}
