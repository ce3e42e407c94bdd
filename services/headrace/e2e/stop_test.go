package e2e

import (
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/headrace/headrace/pkg/connectsim"
	"github.com/headrace/headrace/pkg/simfault"
	"github.com/headrace/headrace/pkg/vendorsim"
)

// Both upstreams take four to five seconds for every call, which has its effect
// at once: a call that a stop cut off would be made again. The vendor honours no
// key, so that nothing hides that.
func TestUp_TerminatedWhileUpstreamsAreSlow_EndsInTimeAndRepeatsNoCall(t *testing.T) {
	t.Parallel()
	for name, moment := range map[string]time.Duration{
		"before second tries": 1500 * time.Millisecond, // they look at the request, and would call the vendor too late
		"at some moment":      rand.N(10 * time.Second),
		"at another moment":   rand.N(10 * time.Second),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, connectsim.Options{Empty: true}, vendorsim.Options{Idempotency: vendorsim.IdempotencyNone})
			s.seed(s.connect.Seed(6))
			s.env["HEADRACE_VENDOR_IDEMPOTENCY"] = "none"
			s.env["HEADRACE_CONCURRENCY"] = "8"
			slow := simfault.Fault{Latency: 4 * time.Second, Jitter: 950 * time.Millisecond, Effect: true}
			s.faults(s.connect.Faults(), slow)
			s.faults(s.vendor.Faults(), simfault.Fault{Method: http.MethodPut, Status: http.StatusServiceUnavailable, Times: 4}, slow)
			p := s.start("up")
			s.until("the vendor has answered", func() bool { return len(s.vendor.Faults().Calls()) > 3 })
			s.pass(moment)
			stopped := time.Now()
			status, took := p.stop()
			t.Logf("after %s: stopped within %s, %d calls to the vendor and %d to Connect were under way, %d requests were approved",
				moment, took.Round(time.Millisecond), underWay(s.vendor.Faults(), stopped), underWay(s.connect.Faults(), stopped), s.approved())
			if status != 0 { // else the drain timeout came first
				t.Errorf("ended with status %d after %s, want 0", status, took)
			}
			s.faults(s.connect.Faults())
			s.faults(s.vendor.Faults())
			again := s.start("up")
			s.until("everything is approved", s.settled)
			again.stop()
			s.once()
			s.noCallTwice()
			if errs := linesWith(p.log.String()+again.log.String(), `"level":"error"`); errs != "" {
				t.Errorf("an error is logged:\n%s", errs)
			}
		})
	}
}

// faults replaces the faults of one of the upstreams.
func (s *site) faults(of *simfault.Layer, faults ...simfault.Fault) {
	s.t.Helper()
	if err := of.Set(faults); err != nil {
		s.t.Fatal(err)
	}
}

// pass lets time pass.
func (s *site) pass(d time.Duration) {
	s.t.Helper()
	select {
	case <-time.After(d):
	case <-s.t.Context().Done():
		s.t.Fatal("the test has ended")
	}
}

func (s *site) approved() int {
	n := 0
	for _, byStatus := range s.connect.Counts() {
		n += byStatus["approved"]
	}
	return n
}

// underWay counts the calls that had begun and not ended at a moment.
func underWay(l *simfault.Layer, at time.Time) int {
	n := 0
	for _, c := range l.Calls() {
		ended := c.Time.Add(time.Duration(c.DurationMS * float64(time.Millisecond)))
		if c.Time.Before(at) && ended.After(at) {
			n++
		}
	}
	return n
}

// noCallTwice fails if the vendor was asked for the same thing twice, but for
// what it refused.
func (s *site) noCallTwice() {
	s.t.Helper()
	seen := map[string]int{}
	for _, c := range s.vendor.Faults().Calls() {
		if c.Method == http.MethodGet || c.Status == http.StatusServiceUnavailable {
			continue
		}
		call := c.Method + " " + c.Path + " for " + c.IdempotencyKey
		if seen[call]++; seen[call] == 2 {
			s.t.Errorf("called twice: %s", call)
		}
	}
}

// linesWith are the log's lines that have a text in them.
func linesWith(log, text string) string {
	var b strings.Builder
	for line := range strings.Lines(log) {
		if strings.Contains(line, text) {
			b.WriteString(line)
		}
	}
	return tail(b.String())
}
