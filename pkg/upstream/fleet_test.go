package upstream_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/upstream"
)

// clock is set by hand.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// shared is the fleet's memory: every process adopts what is put at once.
type shared struct {
	mu    sync.Mutex
	rec   fulfillment.Upstream
	seq   uint64
	away  error
	fleet []*upstream.Upstream
}

func (s *shared) Put(_ context.Context, rec fulfillment.Upstream, replaces uint64) (uint64, error) {
	s.mu.Lock()
	if s.away != nil {
		s.mu.Unlock()
		return 0, s.away
	}
	if replaces != s.seq {
		s.mu.Unlock()
		return 0, upstream.ErrTaken
	}
	s.rec, s.seq = rec, s.seq+1
	seq := s.seq
	s.mu.Unlock()
	for _, u := range s.fleet {
		u.Adopt(rec, seq, 0)
	}
	return seq, nil
}

func (s *shared) Last(context.Context, string) (fulfillment.Upstream, uint64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.rec, s.seq, s.away
}

// fleet is some processes that call one upstream, which answers as told.
type fleet struct {
	t *testing.T
	*clock
	share     *shared
	upstreams []*upstream.Upstream
	gates     []*upstream.Gate

	mu     sync.Mutex
	calls  int
	answer func(r *http.Request) (int, string) // status, Retry-After
}

func newFleet(t *testing.T, n int) *fleet {
	t.Helper()
	f := &fleet{t: t, clock: &clock{at: time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)}, share: new(shared)}
	for range n {
		u := upstream.New(upstream.Options{Identity: upstream.Identity{Name: "the vendor"}, Share: f.share, Now: f.now})
		f.upstreams = append(f.upstreams, u)
		f.gates = append(f.gates, upstream.NewGate(u, f))
	}
	f.share.fleet = f.upstreams
	f.answers(http.StatusServiceUnavailable, "")
	return f
}

func (f *fleet) answers(status int, retryAfter string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.answer = func(*http.Request) (int, string) { return status, retryAfter }
}

// RoundTrip is the upstream; it must not be called but through a gate.
func (f *fleet) RoundTrip(r *http.Request) (*http.Response, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls++
	status, retryAfter := f.answer(r)
	if status == 0 {
		return nil, errors.New("connection refused")
	}
	rec := httptest.NewRecorder()
	rec.Header().Set("Retry-After", retryAfter)
	rec.WriteHeader(status)
	return rec.Result(), nil
}

func (f *fleet) called() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.calls
}

// call makes a call for a request in one process.
func (f *fleet) call(process int, who string) error {
	f.t.Helper()
	r, err := http.NewRequestWithContext(f.t.Context(), http.MethodPost, "http://vendor.test/"+who, strings.NewReader("{}"))
	if err != nil {
		f.t.Fatal(err)
	}
	resp, err := f.gates[process].RoundTrip(r)
	if err == nil {
		_ = resp.Body.Close()
	}
	return err
}

func closed(err error) bool {
	_, is := upstream.ClosedUntil(err)
	return is
}

// fail makes calls in one process until it pauses.
func (f *fleet) fail(process int) {
	f.t.Helper()
	for i := range 8 {
		if err := f.call(process, fmt.Sprint("PR-", i)); closed(err) {
			f.t.Fatalf("call %d: %v", i, err)
		}
	}
	if err := f.call(process, "PR-9"); !closed(err) {
		f.t.Fatalf("after 8 failures: %v, want it closed", err)
	}
}

func (f *fleet) until(process int) time.Duration {
	return f.upstreams[process].View().Until.Sub(f.now())
}
