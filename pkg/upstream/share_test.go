package upstream_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/upstream"
)

func TestUpstream_Hanging_PausesBeforeTheCallsTimeOut(t *testing.T) {
	t.Parallel()
	f := newFleet(t, 2)
	hang, under := make(chan struct{}), make(chan struct{})
	slow := upstream.NewGate(f.upstreams[0], roundTripper(func(r *http.Request) (*http.Response, error) {
		under <- struct{}{}
		<-hang
		return nil, context.DeadlineExceeded
	}))
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, fmt.Sprint("/tenant/", i), nil)
			if resp, err := slow.RoundTrip(r); err == nil {
				_ = resp.Body.Close()
			}
		})
		<-under
	}
	f.pass(9 * time.Second)
	f.upstreams[0].Tick(t.Context())
	if err := f.call(1, "PR-1"); err != nil {
		t.Errorf("after 9 s: %v", err)
	}
	f.pass(2 * time.Second)
	f.upstreams[0].Tick(t.Context())
	if !closed(f.call(1, "PR-1")) {
		t.Error("8 calls hang for 11 s, and the other process calls")
	}
	close(hang)
	wg.Wait()
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestUpstream_BrokerAway_WorksAloneAndTellsLater(t *testing.T) {
	t.Parallel()
	f := newFleet(t, 2)
	f.share.away = errors.New("broker away")
	f.fail(0)
	if err := f.call(1, "PR-1"); err != nil {
		t.Fatalf("the other does not know: %v", err)
	}
	f.share.mu.Lock()
	f.share.away = nil
	f.share.mu.Unlock()
	f.pass(500 * time.Millisecond)
	f.upstreams[0].Tick(t.Context())
	if d := f.until(1); !closed(f.call(1, "PR-1")) || d != 500*time.Millisecond {
		t.Errorf("the other was told of a pause of %s, want what is left of it", d)
	}
}

func TestUpstream_TwoPauseAtOnce_TheLongerHolds(t *testing.T) {
	t.Parallel()
	f := newFleet(t, 2)
	f.share.fleet = nil // nobody hears of the other by itself
	f.answers(http.StatusTooManyRequests, "2")
	_ = f.call(0, "PR-1")
	f.answers(http.StatusTooManyRequests, "30")
	_ = f.call(1, "PR-2")
	rec, seq, _ := f.share.Last(t.Context(), "")
	if rec.PauseMS < 30_000 {
		t.Errorf("shared is a pause of %d ms", rec.PauseMS)
	}
	f.upstreams[0].Adopt(rec, seq, 0)
	if d := f.until(0); d < 30*time.Second {
		t.Errorf("the first pauses for %s", d)
	}
}

func TestUpstream_Bulkhead_LeavesRoomForOthers(t *testing.T) {
	t.Parallel()
	f := newFleet(t, 1)
	entry := upstream.Entry{Who: "PR-1", Service: "purchase", Most: 3}
	for range 3 {
		if _, err := f.upstreams[0].Enter(t.Context(), entry); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := f.upstreams[0].Enter(t.Context(), entry); !closed(err) {
		t.Errorf("the fourth of 3: %v", err)
	}
	entry.Service = "change"
	if _, err := f.upstreams[0].Enter(t.Context(), entry); err != nil {
		t.Errorf("another service: %v", err)
	}
}

func TestAdopt_OldRecord_IsOverWhenItsTimeIs(t *testing.T) {
	t.Parallel()
	f := newFleet(t, 1)
	rec := fulfillment.Upstream{State: fulfillment.UpstreamPaused, PauseMS: 10_000, By: "another"}
	f.upstreams[0].Adopt(rec, 1, 8*time.Second)
	if d := f.until(0); d != 2*time.Second {
		t.Errorf("8 s old: closed for %s, want 2s", d)
	}
	f.upstreams[0].Adopt(rec, 2, -time.Hour) // the other's clock is ahead
	if d := f.until(0); d != 10*time.Second {
		t.Errorf("from the future: closed for %s, want 10s", d)
	}
	f.upstreams[0].Adopt(rec, 3, time.Hour)
	if d := f.until(0); d != 0 {
		t.Errorf("an hour old: closed for %s, want no longer", d)
	}
}

// meanwhile does something while the broker is asked.
type meanwhile struct {
	*shared
	do func()
}

func (m *meanwhile) Put(ctx context.Context, rec fulfillment.Upstream, replaces uint64) (uint64, error) {
	seq, err := m.shared.Put(ctx, rec, replaces)
	if do := m.do; do != nil {
		m.do = nil
		do()
	}
	return seq, err
}

func TestUpstream_PauseAskedForWhileAProbeIsClaimed_IsKept(t *testing.T) {
	t.Parallel()
	f := newFleet(t, 0)
	share := &meanwhile{shared: f.share}
	u := upstream.New(upstream.Options{Identity: upstream.Identity{Name: "the vendor"}, Share: share, Now: f.now})
	f.share.fleet = []*upstream.Upstream{u}
	f.gates = append(f.gates, upstream.NewGate(u, f))
	f.answers(http.StatusOK, "")
	for range 4 { // then there is room
		if err := f.call(0, "PR-0"); err != nil {
			t.Fatal(err)
		}
	}
	f.answers(http.StatusServiceUnavailable, "")
	under, answer, answered := make(chan struct{}), make(chan struct{}), make(chan struct{})
	late := upstream.NewGate(u, roundTripper(func(*http.Request) (*http.Response, error) {
		close(under)
		<-answer
		rec := httptest.NewRecorder()
		rec.Header().Set("Retry-After", "30")
		rec.WriteHeader(http.StatusTooManyRequests)
		return rec.Result(), nil
	}))
	go func() {
		defer close(answered)
		if resp, err := late.RoundTrip(httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/tenant", nil)); err == nil {
			_ = resp.Body.Close()
		}
	}()
	<-under
	f.fail(0)
	f.pass(time.Second)
	share.do = func() {
		f.share.away = errors.New("slow") // the claim comes back before that pause is told
		close(answer)
		<-answered
		f.share.away = nil
	}
	before := f.called()
	if err := f.call(0, "PR-1"); !closed(err) || f.called() != before {
		t.Errorf("%v after %d calls: called in the pause", err, f.called()-before)
	}
	v := u.View()
	if rec, _, _ := f.share.Last(t.Context(), ""); v.Until.Sub(f.now()) < 30*time.Second || rec.PauseMS < 30_000 {
		t.Errorf("closed for %s; shared are %d ms", v.Until.Sub(f.now()), rec.PauseMS)
	}
}
