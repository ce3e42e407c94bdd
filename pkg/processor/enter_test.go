package processor_test

import (
	"context"
	"errors"
	"math"
	"sync/atomic"
	"testing"
	"time"

	"github.com/headrace/headrace/pkg/deadletter"
	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/pipelinetest"
	"github.com/headrace/headrace/pkg/processor"
	"github.com/headrace/headrace/pkg/stream"
	"github.com/headrace/headrace/pkg/upstream"
)

// counted counts what is asked of the broker.
type counted struct {
	*stream.Client
	reads atomic.Int64
}

func (c *counted) Last(ctx context.Context, name, filter string) (*stream.Stored, error) {
	c.reads.Add(1)
	return c.Client.Last(ctx, name, filter)
}

// gated is a bench whose vendor and Connect are upstreams.
type gated struct {
	bench
	log             *counted
	vendor, connect *upstream.Upstream
	second          *upstream.Upstream // another vendor, of other requests
	statuses        int
}

func newGated(t *testing.T) *gated {
	t.Helper()
	client := pipelinetest.Client(t)
	g := &gated{
		bench: bench{client: client, answer: approve}, log: &counted{Client: client},
		vendor: upstream.New(upstream.Options{}), connect: upstream.New(upstream.Options{}),
		second: upstream.New(upstream.Options{}),
	}
	g.Processor = processor.New(processor.Config{
		Service: "purchase", Decider: &g.bench, Log: g.log, Dead: deadletter.NewWriter(client, nil),
		Profiles: func(*processor.Work) (*processor.Profile, error) {
			return &processor.Profile{TenantParam: processor.DefaultTenantParam, Upstream: g.vendor, Validate: processor.Required}, nil
		},
		Status: func(context.Context, fulfillment.Key) (string, error) {
			g.statuses++
			return "pending", nil
		},
		Connect: g.connect, Upstreams: []*upstream.Upstream{g.vendor, g.second}, Metrics: noMetrics{}, Logger: pipelinetest.Logger(),
	})
	return g
}

// paused is what other processes say of an upstream that is down; sequence
// grows.
func paused(u *upstream.Upstream, sequence uint64, d time.Duration) {
	u.Adopt(fulfillment.Upstream{
		State: fulfillment.UpstreamPaused, PauseMS: d.Milliseconds(), Reason: "it answers 503", By: "another",
	}, sequence, 0)
}

func opened(u *upstream.Upstream, sequence uint64) {
	u.Adopt(fulfillment.Upstream{State: fulfillment.UpstreamOpen, By: "another"}, sequence, 0)
}

func TestHandle_UpstreamPaused_CostsNothingAndCountsNothing(t *testing.T) {
	t.Parallel()
	g := newGated(t)
	d := pipelinetest.Open(t, g.client, key(), pipelinetest.Request(t, key(), ""))
	paused(g.vendor, 1, time.Hour)
	refused := func() {
		t.Helper()
		if _, closed := upstream.ClosedUntil(g.Handle(t.Context(), d)); !closed || g.calls != 0 {
			t.Fatalf("delivery %d: the service was asked %d times", d.Attempt, g.calls)
		}
		d.Attempt++
	}
	refused() // the first is looked at
	before := g.log.reads.Load()
	for range 20 {
		refused()
	}
	if n := g.log.reads.Load() - before; n != 0 {
		t.Errorf("%d reads for a request that waits", n)
	}
	if head := g.head(t); head.Sequence != d.Sequence {
		t.Errorf("it left %s in the stream", head.Subject)
	}

	opened(g.vendor, 2)
	g.answer = func(*processor.Work) (processor.Verdict, error) {
		return processor.Verdict{}, processor.Transient(errVendor, 0)
	}
	err := g.Handle(t.Context(), d)
	if after := pause(t, err); after > 2*time.Second {
		t.Errorf("after the first try that failed it rests for %s: the deliveries before were none", after)
	}
	if g.statuses != 0 {
		t.Errorf("Connect was asked %d times about a request that nothing was tried for", g.statuses)
	}
	d.Attempt++
	g.answer = approve
	if err := g.Handle(t.Context(), d); err != nil || g.statuses != 1 {
		t.Errorf("%v; asked Connect %d times, want once: now something was tried", err, g.statuses)
	}
}

// pause is the delay that an error asks for.
func pause(t *testing.T, err error) time.Duration {
	t.Helper()
	d, asked := stream.RetryDelay(err)
	if !asked {
		t.Fatalf("%v asks for no delay", err)
	}
	return d
}

func TestHandle_UpstreamPaused_FirstDeliveryIsLookedAt(t *testing.T) {
	t.Parallel()
	g := newGated(t)
	paused(g.vendor, 1, time.Hour)
	empty := []byte(`{"id":"PR-1","type":"purchase","status":"pending","asset":{"id":"AS-1","product":{"id":"PRD-1"},
		"params":[{"id":"admin","phase":"ordering","value":"","constraints":{"required":true}}]}}`)
	d := pipelinetest.Open(t, g.client, key(), empty)
	if err := g.Handle(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	if r := g.result(t); r.Decision != fulfillment.Inquire {
		t.Errorf("decided %s, want that the customer is asked though the vendor is away", r.Decision)
	}
}

func TestHandle_ConnectPaused_HoldsUpOnlyWhatComesAgain(t *testing.T) {
	t.Parallel()
	g := newGated(t)
	paused(g.connect, 1, time.Hour)
	d := pipelinetest.Open(t, g.client, key(), pipelinetest.Request(t, key(), ""))
	g.answer = func(*processor.Work) (processor.Verdict, error) {
		return processor.Verdict{}, processor.Transient(errors.New("late"), 0)
	}
	if err := g.Handle(t.Context(), d); err == nil || g.calls != 1 {
		t.Fatalf("%v; the service was asked %d times, want once: no status is read", err, g.calls)
	}
	d.Attempt++
	before := g.log.reads.Load()
	if _, closed := upstream.ClosedUntil(g.Handle(t.Context(), d)); !closed || g.calls != 1 || g.log.reads.Load() != before {
		t.Errorf("closed %v, asked %d times, %d reads", closed, g.calls, g.log.reads.Load()-before)
	}
}

func TestRoom_ManyRest_OnlyForTheProbe(t *testing.T) {
	t.Parallel()
	g := newGated(t)
	d := pipelinetest.Open(t, g.client, key(), pipelinetest.Request(t, key(), ""))
	d.Attempt = 2 // which nothing is read for
	room := func(when string, want int) {
		t.Helper()
		if got := g.Room(); got != want {
			t.Errorf("%s: room for %d, want %d", when, got, want)
		}
	}
	paused(g.vendor, 1, time.Hour)
	paused(g.second, 1, time.Hour)
	for n := range 1000 {
		if n%333 == 0 {
			room("few rest", math.MaxInt)
		}
		if _, closed := upstream.ClosedUntil(g.Handle(t.Context(), d)); !closed {
			t.Fatal("it was not put off")
		}
	}
	room("many rest", 0)
	paused(g.vendor, 2, 0)
	room("the pause of one is over, whose requests may stand anywhere", math.MaxInt)
	opened(g.second, 2)
	room("the other one is open", math.MaxInt)
	paused(g.second, 3, time.Hour)
	paused(g.vendor, 3, time.Hour)
	room("both are paused", 0)
	opened(g.vendor, 4)
	room("open", math.MaxInt)
}
