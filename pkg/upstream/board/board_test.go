package board_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/pipelinetest"
	"github.com/headrace/headrace/pkg/stream"
	"github.com/headrace/headrace/pkg/upstream"
	"github.com/headrace/headrace/pkg/upstream/board"
)

// process is a Board with one upstream, and calls that answer as told.
type process struct {
	u    *upstream.Upstream
	gate *upstream.Gate
}

// vendor answers all processes.
type vendor struct {
	status, calls atomic.Int64
	retryAfter    atomic.Value
}

func (v *vendor) RoundTrip(*http.Request) (*http.Response, error) {
	v.calls.Add(1)
	rec := httptest.NewRecorder()
	if s, _ := v.retryAfter.Load().(string); s != "" {
		rec.Header().Set("Retry-After", s)
	}
	rec.WriteHeader(int(v.status.Load()))
	return rec.Result(), nil
}

func start(t *testing.T, c *stream.Client, v *vendor) *process {
	t.Helper()
	b := board.New(c, pipelinetest.Logger(), func(upstream.View) {})
	p := &process{u: b.Upstream(upstream.Identity{Kind: fulfillment.UpstreamVendor, Name: "the vendor", Endpoint: "http://vendor.test"})}
	p.gate = upstream.NewGate(p.u, v)
	b.Load(t.Context())
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = b.Run(ctx) // it returns nil
	}()
	t.Cleanup(func() { cancel(); <-done })
	return p
}

func (p *process) call(t *testing.T, who string) error {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/tenant/"+who, nil)
	resp, err := p.gate.RoundTrip(r)
	if err == nil {
		_ = resp.Body.Close()
	}
	return err
}

func (p *process) state() fulfillment.UpstreamState { return p.u.View().State }

func TestBoard_OnePauses_AllKnowAndOneProbes(t *testing.T) {
	t.Parallel()
	c := pipelinetest.Client(t)
	v := new(vendor)
	v.status.Store(http.StatusServiceUnavailable)
	var fleet []*process
	for range 3 {
		fleet = append(fleet, start(t, c, v))
	}
	for i := range 8 {
		if err := fleet[0].call(t, fmt.Sprint(i)); err != nil {
			t.Fatal(err)
		}
	}
	for _, p := range fleet {
		pipelinetest.Until(t, "each process knows", func() bool { return p.state() == fulfillment.UpstreamPaused })
	}
	v.status.Store(http.StatusOK)
	before := v.calls.Load()
	pipelinetest.Until(t, "one probes", func() bool {
		for i, p := range fleet {
			_ = p.call(t, fmt.Sprint("next-", i))
			if v.calls.Load() > before {
				return true
			}
		}
		return false
	})
	for _, p := range fleet {
		pipelinetest.Until(t, "each process knows that it is open", func() bool { return p.state() == fulfillment.UpstreamOpen })
	}
	if n := pipelinetest.Count(t, c, fulfillment.StreamUpstreams, ""); n != 1 {
		t.Errorf("%d records, want the last one", n)
	}
}

func TestBoard_RetryAfter_OutlivesAllProcesses(t *testing.T) {
	t.Parallel()
	c := pipelinetest.Client(t)
	v := new(vendor)
	v.status.Store(http.StatusTooManyRequests)
	v.retryAfter.Store("60")
	if err := start(t, c, v).call(t, "1"); err != nil {
		t.Fatal(err)
	}
	later := start(t, c, v)
	if _, closed := upstream.ClosedUntil(later.call(t, "2")); !closed || v.calls.Load() != 1 {
		t.Errorf("closed %v after %d calls: a process that starts does not know of the pause", closed, v.calls.Load())
	}
	if left := time.Until(later.u.View().Until); left < 50*time.Second || left > 61*time.Second {
		t.Errorf("it waits for %s", left)
	}
}

func TestBoard_StreamMadeAnew_GoesOn(t *testing.T) {
	t.Parallel()
	c := pipelinetest.Client(t)
	v := new(vendor)
	v.status.Store(http.StatusTooManyRequests)
	p := start(t, c, v)
	p.u.Adopt(fulfillment.Upstream{State: fulfillment.UpstreamOpen, By: "another"}, 1000, 0) // of the stream before
	_ = p.call(t, "1")
	pipelinetest.Until(t, "the pause is stored", func() bool { return pipelinetest.Count(t, c, fulfillment.StreamUpstreams, "") == 1 })
}
