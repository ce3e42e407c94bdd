package e2e

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/headrace/headrace/pkg/connectsim"
	"github.com/headrace/headrace/pkg/simfault"
	"github.com/headrace/headrace/pkg/stream/streamtest"
	"github.com/headrace/headrace/pkg/vendorsim"
)

// replica is one of several processes that run the same services. Each calls the
// one vendor below a path of its own, which tells from outside what it did.
type replica struct {
	*process
	site *site
	path string
}

// replica starts one, with settings of its own as NAME=VALUE.
func (s *site) replica(name, services string, env ...string) *replica {
	s.t.Helper()
	own := *s
	own.env = maps.Clone(s.env)
	path := "/" + name
	own.env["HEADRACE_VENDOR_ENDPOINT"] += path
	for _, e := range env {
		k, v, _ := strings.Cut(e, "=")
		own.env[k] = v
	}
	return &replica{own.start(append([]string{"run"}, strings.Fields(services)...)...), s, path}
}

// slow has the vendor take so long for each call of the replicas whose names begin so.
func (s *site) slow(took map[string]time.Duration) {
	s.t.Helper()
	faults := make([]simfault.Fault, 0, len(took))
	for name, d := range took {
		faults = append(faults, simfault.Fault{Path: "/" + name, Latency: d})
	}
	s.faults(s.vendor.Faults(), faults...)
}

// did are the replica's calls of the vendor that began after a moment.
func (r *replica) did(after time.Time) []simfault.Call {
	var own []simfault.Call
	for _, c := range r.site.vendor.Faults().Calls() {
		if strings.HasPrefix(c.Path, r.path+"/") && c.Time.After(after) {
			own = append(own, c)
		}
	}
	return own
}

func ended(c simfault.Call) time.Time {
	return c.Time.Add(time.Duration(c.DurationMS * float64(time.Millisecond)))
}

// last is when the last of some calls ended.
func last(calls []simfault.Call) time.Time {
	var end time.Time
	for _, c := range calls {
		if e := ended(c); e.After(end) {
			end = e
		}
	}
	return end
}

// backlog loads purchases and has them published, with nobody to take them.
func (s *site) backlog(b *streamtest.Broker, purchases int) *process {
	s.t.Helper()
	s.connect.Load(connectsim.LoadOptions{Purchases: purchases})
	s.env["HEADRACE_CONNECT_POLL_INTERVAL"] = "1h" // one poll will do
	p := s.start("run", "fetcher", "committer")
	s.until("all are published", func() bool { return s.stored(b, "FULFILLMENT_REQUESTS") == purchases })
	return p
}

func (s *site) stored(b *streamtest.Broker, name string) int {
	st, err := b.JetStream().Stream(s.t.Context(), name)
	if err != nil {
		return -1
	}
	return int(st.CachedInfo().State.Msgs)
}

const slots = 4 // of each replica

// Four share a backlog, one of them ten times slower than the others: each does
// what it can, and what the slow one has not begun is never kept from the fast.
func TestRun_ReplicasOfUnequalSpeed_EachDoesWhatItCanAndHoardsNothing(t *testing.T) {
	t.Parallel()
	s := newSite(t, connectsim.Options{Empty: true}, vendorsim.Options{})
	b := s.shared()
	s.env["HEADRACE_CONCURRENCY_PURCHASE"] = fmt.Sprint(slots)
	s.slow(map[string]time.Duration{"fast": 250 * time.Millisecond, "slow": 2500 * time.Millisecond})
	var fast []*replica
	for i := range 3 {
		fast = append(fast, s.replica(fmt.Sprint("fast-", i+1), "purchase"))
	}
	slow := s.replica("slow", "purchase")
	s.backlog(b, 160)
	most := 0
	s.until("everything is approved", func() bool {
		most = max(most, b.Pending("FULFILLMENT_REQUESTS", "purchase"))
		return s.settled()
	})
	s.once()
	var shares []int
	var idle time.Time // from here on the fast ones had nothing to do
	for _, r := range fast {
		calls := r.did(time.Time{})
		shares = append(shares, len(calls))
		if end := last(calls); end.After(idle) {
			idle = end
		}
	}
	t.Logf("fast %v, slow %d, in hand at most %d", shares, len(slow.did(time.Time{})), most)
	if low, high := slices.Min(shares), slices.Max(shares); low*3 < high*2 {
		t.Errorf("equal replicas did %v", shares)
	}
	if n := len(slow.did(idle)); n > 0 {
		t.Errorf("the slow one began %d when the fast ones had nothing to do", n)
	}
	// Acknowledgements under way count, a round of them at most.
	if most > 2*4*slots {
		t.Errorf("%d in hand of 4 replicas with %d slots", most, slots)
	}
}

// One works at a backlog. Another comes and gets half of it, stops, and leaves
// nothing behind; a third is killed, and what it had in hand rests for the ack
// wait.
func TestRun_ReplicaJoinsLeavesAndDies_ShareIsTakenAndGivenBack(t *testing.T) {
	t.Parallel()
	s := newSite(t, connectsim.Options{Empty: true}, vendorsim.Options{})
	b := s.shared()
	s.env["HEADRACE_CONCURRENCY_PURCHASE"] = fmt.Sprint(slots)
	s.slow(map[string]time.Duration{"replica": 250 * time.Millisecond})
	const all = 240
	rest := s.backlog(b, all)
	a := s.replica("replica-a", "purchase")
	s.until("it works", func() bool { return len(a.did(time.Time{})) > 5*slots })

	joined := s.replica("replica-b", "purchase")
	since := time.Now()
	s.until("the one that joined works", func() bool { return len(joined.did(since)) > 0 })
	t.Logf("the first call came %s after the replica ran", joined.did(time.Time{})[0].Time.Sub(since).Round(time.Millisecond))
	s.until("it has done something", func() bool { return len(joined.did(since)) > 10*slots })
	mine, its := len(a.did(since)), len(joined.did(since))
	t.Logf("from then on %d to %d", mine, its)
	if its*2 < mine || mine*2 < its {
		t.Errorf("the first did %d, the one that joined %d", mine, its)
	}

	if status, took := joined.stop(); status != 0 {
		t.Errorf("ended with status %d after %s", status, took)
	}
	if n := b.Pending("FULFILLMENT_REQUESTS", "purchase"); n > 2*slots {
		t.Errorf("%d in hand after the stop, of one replica with %d slots", n, slots)
	}
	if s.settled() {
		t.Error("everything was done before: nothing is shown")
	}

	dying := s.replica("replica-c", "purchase")
	s.until("the next one works", func() bool { return len(dying.did(time.Time{})) > 2*slots })
	dying.kill()
	died := time.Now()
	s.until("all but what it had is done", func() bool { return len(s.vendor.Operations()) >= all-slots })
	t.Logf("%s after the death all but %d is done", time.Since(died).Round(time.Millisecond), all-len(s.vendor.Operations()))
	s.until("all is done", func() bool { return len(s.vendor.Operations()) == all })
	t.Logf("%s after the death all is done", last(s.vendor.Faults().Calls()).Sub(died).Round(time.Millisecond))
	s.until("everything is approved", s.settled)
	s.once()
	for _, p := range []*process{a.process, rest} {
		if status, took := p.stop(); status != 0 {
			t.Errorf("ended with status %d after %s", status, took)
		}
	}
}
