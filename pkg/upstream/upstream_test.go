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

func TestUpstream_EightFailures_PauseForAllProcesses(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]int{"5xx": 503, "refused credentials": 401, "no answer": 0} {
		f := newFleet(t, 3)
		f.answers(answer, "")
		f.fail(0)
		for p := range f.gates {
			err := f.call(p, "PR-other")
			if !closed(err) || f.called() != 8 {
				t.Errorf("%s, process %d: %v after %d calls, want 8 and closed", name, p, err, f.called())
			}
			if d := f.until(p); d != time.Second {
				t.Errorf("%s, process %d: closed for %s, want 1s", name, p, d)
			}
		}
	}
}

func TestUpstream_OneRequestAlone_IsToldOnceAndUntilItWorks(t *testing.T) {
	t.Parallel()
	f := newFleet(t, 2)
	for range 5 {
		_ = f.call(0, "PR-1")
		f.pass(time.Second)
	}
	v := f.upstreams[1].View()
	if v.State != fulfillment.UpstreamFailing || v.Reason != "it answers 503" || f.share.seq != 1 {
		t.Errorf("the other process reads %s, %q, after %d records", v.State, v.Reason, f.share.seq)
	}
	f.answers(http.StatusOK, "")
	_ = f.call(0, "PR-1")
	if v := f.upstreams[1].View(); v.State != fulfillment.UpstreamOpen || f.share.seq != 2 {
		t.Errorf("after a success: %s, %d records", v.State, f.share.seq)
	}
}

func TestUpstream_AnswersOrOneRequestAlone_DoNotPause(t *testing.T) {
	t.Parallel()
	f := newFleet(t, 1)
	for range 30 { // a request that is always answered 500 may be broken itself
		if err := f.call(0, "PR-poison"); err != nil {
			t.Fatal(err)
		}
	}
	f.answers(http.StatusUnprocessableEntity, "")
	_ = f.call(0, "PR-0") // an answer
	f.answers(http.StatusBadGateway, "")
	for i := range 7 {
		if err := f.call(0, fmt.Sprint("PR-", i)); err != nil {
			t.Fatalf("failure %d of 7: %v", i+1, err)
		}
	}
}

func TestUpstream_StillDown_IsProbedByOneAndPausesLonger(t *testing.T) {
	t.Parallel()
	f := newFleet(t, 3)
	f.fail(0)
	for n, want := range []time.Duration{2, 4, 8, 10, 10} {
		f.pass(f.until(1))
		before := f.called()
		for i := range 300 { // all wait for that moment, everywhere
			_ = f.call(i%3, fmt.Sprintf("PR-%d", 100*n+i))
		}
		if made := f.called() - before; made != 1 {
			t.Fatalf("pause %d ended with %d calls, want 1", n+1, made)
		}
		for p := range 3 {
			if d := f.until(p); d != want*time.Second {
				t.Errorf("probe %d failed: process %d pauses for %s, want %ds", n+1, p, d, want)
			}
		}
	}
}

func TestUpstream_ProbeSucceeds_RampsUpInEachProcess(t *testing.T) {
	t.Parallel()
	f := newFleet(t, 2)
	f.fail(0)
	f.pass(f.until(0))
	f.answers(http.StatusOK, "")
	if err := f.call(1, "PR-1"); err != nil {
		t.Fatalf("the probe: %v", err)
	}
	impatient, cancel := context.WithCancel(t.Context())
	cancel()
	for p, want := range [][]int{{1, 2, 4, 8, 16, 32}, {2, 4, 8, 16, 32}} {
		for _, most := range want {
			var passes []*upstream.Pass
			for {
				pass, err := f.upstreams[p].Enter(impatient, upstream.Entry{Who: "PR"})
				if err != nil {
					break
				}
				passes = append(passes, pass)
			}
			if len(passes) != most {
				t.Errorf("process %d: %d in flight, want %d", p, len(passes), most)
			}
			for _, pass := range passes {
				pass.Leave()
			}
			if err := f.call(p, "PR-1"); err != nil { // one success doubles it
				t.Fatal(err)
			}
		}
	}
	for range 200 {
		if _, err := f.upstreams[0].Enter(t.Context(), upstream.Entry{Who: "PR"}); err != nil {
			t.Fatalf("it is open: %v", err)
		}
	}
}

func TestUpstream_RetryAfter_IsKeptByAllAtOnce(t *testing.T) {
	t.Parallel()
	for _, status := range []int{429, 503} {
		f := newFleet(t, 2)
		f.answers(status, "7")
		_ = f.call(0, "PR-1")
		if !closed(f.call(1, "PR-2")) || f.called() != 1 {
			t.Fatalf("%d: the other process calls", status)
		}
		f.pass(6900 * time.Millisecond)
		if !closed(f.call(1, "PR-2")) {
			t.Errorf("%d: called before the time it asked for", status)
		}
		f.pass(400 * time.Millisecond)
		if err := f.call(1, "PR-2"); err != nil {
			t.Errorf("%d: after that: %v", status, err)
		}
	}
}

func TestUpstream_TooManyRequestsWithoutATime_PausesLongerEachTime(t *testing.T) {
	t.Parallel()
	f := newFleet(t, 2)
	f.answers(http.StatusTooManyRequests, "")
	for n, want := range []time.Duration{1, 2, 4} {
		if err := f.call(n%2, fmt.Sprint("PR-", n)); err != nil {
			t.Fatal(err)
		}
		if d := f.until(0); d != want*time.Second {
			t.Errorf("429 number %d: pause of %s, want %ds", n+1, d, want)
		}
		f.pass(f.until(0))
	}
}

func TestUpstream_LateSuccess_DoesNotCutARetryAfterShort(t *testing.T) {
	t.Parallel()
	f := newFleet(t, 1)
	pass, err := f.upstreams[0].Enter(t.Context(), upstream.Entry{Who: "PR-1"})
	if err != nil {
		t.Fatal(err)
	}
	defer pass.Leave()
	inner, failed := 0, false
	f.answer = func(r *http.Request) (int, string) { // the second is asked while the first is under way
		if inner++; inner == 1 {
			f.mu.Unlock()
			failed = f.call(0, "PR-2") != nil
			f.mu.Lock()
			return http.StatusOK, ""
		}
		return http.StatusTooManyRequests, "60"
	}
	if err := f.call(0, "PR-1"); err != nil || failed {
		t.Fatal(err, failed)
	}
	if !closed(f.call(0, "PR-3")) {
		t.Error("the success of an earlier call ended the pause that was asked for")
	}
}

func TestUpstream_ProberDies_AnotherProcessProbesAfterTheLease(t *testing.T) {
	t.Parallel()
	f := newFleet(t, 2)
	f.fail(0)
	f.pass(f.until(0))
	if _, err := f.upstreams[0].Enter(t.Context(), upstream.Entry{Who: "PR-1"}); err != nil {
		t.Fatal(err) // it has the probe, and is heard of no more
	}
	f.answers(http.StatusOK, "")
	if !closed(f.call(1, "PR-2")) {
		t.Fatal("two probes at once")
	}
	f.pass(13 * time.Second)
	if err := f.call(1, "PR-2"); err != nil {
		t.Errorf("after the lease: %v", err)
	}
}

func TestUpstream_ProbeTaken_IsNotMadeByWhoHasNotHeardOfIt(t *testing.T) {
	t.Parallel()
	f := newFleet(t, 2)
	f.fail(0)
	f.pass(f.until(0))
	f.share.fleet = nil // news takes its time
	if _, err := f.upstreams[0].Enter(t.Context(), upstream.Entry{Who: "PR-1"}); err != nil {
		t.Fatal(err)
	}
	before := f.called()
	if err := f.call(1, "PR-2"); !closed(err) || f.called() != before {
		t.Errorf("%v and %d calls, want the other's probe alone", err, f.called()-before)
	}
}

func TestUpstream_ProbeNotUsed_GoesToTheNext(t *testing.T) {
	t.Parallel()
	f := newFleet(t, 1)
	f.fail(0)
	f.pass(f.until(0))
	pass, err := f.upstreams[0].Enter(t.Context(), upstream.Entry{Who: "PR-1"})
	if err != nil {
		t.Fatal(err)
	}
	pass.Leave() // there was nothing to do
	f.answers(http.StatusOK, "")
	if err := f.call(0, "PR-2"); err != nil {
		t.Error(err)
	}
}

func TestUpstream_PoisonRequests_DoNotKeepItClosed(t *testing.T) {
	t.Parallel()
	f := newFleet(t, 1)
	f.answer = func(r *http.Request) (int, string) {
		if strings.HasPrefix(r.URL.Path, "/PR-poison") {
			return http.StatusInternalServerError, ""
		}
		return http.StatusOK, ""
	}
	for i := range 8 {
		_ = f.call(0, fmt.Sprint("PR-poison-", i%4))
	}
	healthy := 0
	for range 10 { // they are always there first
		f.pass(max(f.until(0), 0))
		for i := range 4 {
			_ = f.call(0, fmt.Sprint("PR-poison-", i))
		}
		if f.call(0, "PR-healthy") == nil {
			healthy++
		}
	}
	if healthy < 5 {
		t.Errorf("of 10 tries %d of a healthy request went through", healthy)
	}
}

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
