package e2e

import (
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/headrace/headrace/pkg/connectsim"
	"github.com/headrace/headrace/pkg/stream/streamtest"
	"github.com/headrace/headrace/pkg/vendorsim"
)

// lasting is how long an outage of a test lasts: short, or with
// HEADRACE_TEST_LONG set as long as outages are that people remember. The long ones
// need go test -timeout 30m.
func lasting(short, long time.Duration) time.Duration {
	if os.Getenv("HEADRACE_TEST_LONG") != "" {
		return long
	}
	return short
}

// shared has the site's processes use one broker that is none of them.
func (s *site) shared() *streamtest.Broker {
	s.t.Helper()
	b := streamtest.Server(s.t)
	s.env["HEADRACE_NATS_URL"] = b.URL()
	return b
}

func TestRun_BrokerGoneForLong_WaitsAndGoesOnByItself(t *testing.T) {
	t.Parallel()
	s := newSite(t, connectsim.Options{Empty: true}, vendorsim.Options{Work: 20 * time.Millisecond})
	s.seed(s.connect.Seed(30))
	s.env["HEADRACE_CONCURRENCY"] = "4"
	b := s.shared()
	all := []*process{
		s.start("run", "fetcher", "committer"),
		s.start("run", "purchase", "change", "cancel", "suspend", "resume"),
	}
	s.until("all are ready, and work is under way", func() bool { return each(all, http.StatusOK) && len(s.vendor.Operations()) > 20 })
	gone := time.Now()
	b.Stop()
	s.until("/readyz says so", func() bool { return each(all, http.StatusServiceUnavailable) })
	t.Logf("not ready after %s", time.Since(gone).Round(time.Millisecond))
	s.seed(s.connect.Seed(5)) // customers do not stop ordering
	s.pass(lasting(15*time.Second, 10*time.Minute))
	if s.settled() {
		t.Error("everything was done before the broker was gone: nothing is shown")
	}
	if !each(all, http.StatusServiceUnavailable) {
		t.Error("ready without a broker")
	}
	b.Start()
	back := time.Now()
	s.until("all are ready again", func() bool { return each(all, http.StatusOK) })
	t.Logf("ready after %s", time.Since(back).Round(time.Millisecond))
	s.until("everything is approved", s.settled)
	t.Logf("done after %s", time.Since(back).Round(time.Millisecond))
	for _, p := range all {
		if status, took := p.stop(); status != 0 {
			t.Errorf("ended with status %d after %s", status, took)
		}
		if dead := linesWith(p.log.String(), "dead letter, stage"); dead != "" {
			t.Errorf("the outage left dead letters:\n%s", dead)
		}
		if deleted := linesWith(p.log.String(), "were deleted"); deleted != "" {
			t.Errorf("the outage is taken for something deleted:\n%s", deleted)
		}
	}
	s.once()
	if pairs := s.vendor.Overlaps(); len(pairs) > 0 {
		t.Errorf("operations overlap on one asset: %+v", pairs)
	}
}

// each reports whether /readyz of every process answers with status.
func each(all []*process, status int) bool {
	for _, p := range all {
		if got, _ := p.get("/readyz"); got != status {
			return false
		}
	}
	return true
}
