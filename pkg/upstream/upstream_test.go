package upstream_test

import (
	"context"
	"fmt"
	"math"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/upstream"
)

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

func TestRoom_Paused_IsForTheProbeAlone(t *testing.T) {
	t.Parallel()
	f := newFleet(t, 2)
	room := func(when string, want ...int) {
		t.Helper()
		for p, u := range f.upstreams {
			if got := u.Room(); got != want[p] {
				t.Errorf("%s: process %d has room for %d, want %d", when, p, got, want[p])
			}
		}
	}
	room("open", math.MaxInt, math.MaxInt)
	f.fail(0)
	room("paused", 0, 0)
	f.pass(f.until(0))
	room("the pause is over", 1, 1)
	probe, err := f.upstreams[1].Enter(t.Context(), upstream.Entry{Who: "PR-1"})
	if err != nil {
		t.Fatal(err)
	}
	room("it is probed", 0, 0)
	probe.Leave()
	room("the probe was not used", 0, 1)
	f.answers(http.StatusOK, "")
	if err := f.call(1, "PR-2"); err != nil {
		t.Fatal(err)
	}
	room("it answers again", math.MaxInt, math.MaxInt)
}
