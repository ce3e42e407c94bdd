package e2e

import (
	"net/http"
	"testing"
	"time"

	"github.com/headrace/headrace/pkg/connectsim"
	"github.com/headrace/headrace/pkg/simfault"
	"github.com/headrace/headrace/pkg/vendorsim"
)

// A third of the calls is answered with 5xx, half of those after the effect,
// every tenth answer is dropped, and every twentieth call is told to wait.
func worst() []simfault.Fault {
	share := func(p float64) *float64 { return &p }
	return []simfault.Fault{
		{Status: http.StatusTooManyRequests, RetryAfter: "3", Skip: 3, Times: 1}, // however few calls come to it
		{Status: http.StatusInternalServerError, Probability: share(1. / 6)},
		{Status: http.StatusBadGateway, Effect: true, Probability: share(1. / 5)}, // of the 5/6 that are left
		{Drop: simfault.DropAfter, Probability: share(0.15)},                      // of the 2/3
		{Status: http.StatusTooManyRequests, RetryAfter: "3", Probability: share(0.05 / 0.567)},
	}
}

func TestUp_UpstreamsAtTheirWorst_AllIsApprovedOnceAndEveryRetryAfterKept(t *testing.T) {
	t.Parallel()
	s := newSite(t, connectsim.Options{Empty: true}, vendorsim.Options{})
	s.shared()
	s.seed(s.connect.Seed(10))
	s.faults(s.connect.Faults(), worst()...)
	s.faults(s.vendor.Faults(), worst()...)
	first, second := s.start("up"), s.start("up")
	over := time.After(lasting(20*time.Second, 2*time.Minute))
	order := time.NewTicker(2 * time.Second)
	defer order.Stop()
	for bad := true; bad; {
		select {
		case <-order.C:
			s.seed(s.connect.Seed(1))
		case <-over:
			bad = false
		}
	}
	t.Logf("%d of %d requests were approved meanwhile", s.approved(), len(s.connect.Requests()))
	s.faults(s.connect.Faults())
	s.faults(s.vendor.Faults())
	ended := time.Now()
	s.until("everything is approved", s.settled)
	t.Logf("all were %s after the end", time.Since(ended).Round(time.Millisecond))
	for _, p := range []*process{first, second} {
		if status, took := p.stop(); status != 0 {
			t.Errorf("ended with status %d after %s", status, took)
		}
	}
	s.once()
	if pairs := s.vendor.Overlaps(); len(pairs) > 0 {
		t.Errorf("operations overlap on one asset: %+v", pairs)
	}
	s.retryAfterKept("Connect", s.connect.Faults().Calls())
	s.retryAfterKept("the vendor", s.vendor.Faults().Calls())
}

// underWayStill is how late a call may begin after a 429 and count as under way:
// the answer travels, and so does the word of it to the other process, for long
// where the machine is busy.
const underWayStill = 1500 * time.Millisecond

// retryAfterKept fails if an upstream was called between a 429 and the end of
// the three seconds that it asked for.
func (s *site) retryAfterKept(name string, calls []simfault.Call) {
	s.t.Helper()
	asked, latest, byStatus := 0, time.Duration(0), map[int]int{}
	for _, told := range calls {
		byStatus[told.Status]++
		if told.Status != http.StatusTooManyRequests {
			continue
		}
		asked++
		answered := told.Time.Add(time.Duration(told.DurationMS * float64(time.Millisecond)))
		for _, c := range calls {
			late := c.Time.Sub(answered)
			if late <= 0 || !c.Time.Before(told.Time.Add(3*time.Second)) {
				continue
			}
			latest = max(latest, late)
			if late > underWayStill {
				s.t.Errorf("%s: %s %s began %s after a 429 that asked for 3 s", name, c.Method, c.Path, late)
			}
		}
	}
	if asked == 0 {
		s.t.Errorf("%s asked for no pause: nothing is shown", name)
	}
	s.t.Logf("%s: %d calls by status %v; after %d times 429 the last call began %s later", name, len(calls), byStatus, asked, latest)
}
