package e2e

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/headrace/headrace/pkg/connectsim"
	"github.com/headrace/headrace/pkg/stream/streamtest"
	"github.com/headrace/headrace/pkg/vendorsim"
)

// replica is one of several processes that run the same services. Each calls the
// one vendor through a door of its own, which tells from outside what it did.
type replica struct {
	*process
	*door
}

// door is a way to the vendor, on which each call takes so long.
type door struct {
	vendor http.Handler
	takes  time.Duration

	mu    sync.Mutex // guards calls
	calls []span
}

// span is a call from its beginning to its end.
type span struct{ began, ended time.Time }

// ServeHTTP implements http.Handler. A call whose caller is gone meanwhile has no
// effect.
func (d *door) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	began := time.Now()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	d.mu.Lock()
	at := len(d.calls)
	d.calls = append(d.calls, span{began, began.Add(time.Hour)})
	d.mu.Unlock()
	defer func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.calls[at].ended = time.Now()
	}()
	select {
	case <-time.After(d.takes):
		d.vendor.ServeHTTP(w, r)
	case <-r.Context().Done():
	}
}

// did are the calls that began after a moment.
func (d *door) did(after time.Time) []span {
	d.mu.Lock()
	defer d.mu.Unlock()
	var found []span
	for _, c := range d.calls {
		if c.began.After(after) {
			found = append(found, c)
		}
	}
	return found
}

// replica starts one that runs purchase.
func (s *site) replica(takes time.Duration) *replica {
	s.t.Helper()
	d := &door{vendor: s.vendor.Handler(), takes: takes}
	front := httptest.NewServer(d)
	s.t.Cleanup(front.Close)
	own := *s
	own.env = maps.Clone(s.env)
	own.env["HEADRACE_VENDOR_ENDPOINT"] = front.URL
	return &replica{own.start("run", "purchase"), d}
}

// last is when the last of some calls ended.
func last(calls []span) time.Time {
	var end time.Time
	for _, c := range calls {
		if c.ended.After(end) {
			end = c.ended
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
	var fast []*replica
	for range 3 {
		fast = append(fast, s.replica(250*time.Millisecond))
	}
	slow := s.replica(2500 * time.Millisecond)
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
	const takes = 250 * time.Millisecond
	const all = 240
	rest := s.backlog(b, all)
	a := s.replica(takes)
	s.until("it works", func() bool { return len(a.did(time.Time{})) > 5*slots })

	joined := s.replica(takes)
	since := time.Now()
	s.until("the one that joined works", func() bool { return len(joined.did(since)) > 0 })
	t.Logf("the first call came %s after the replica ran", joined.did(time.Time{})[0].began.Sub(since).Round(time.Millisecond))
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

	dying := s.replica(takes)
	s.until("the next one works", func() bool { return len(dying.did(time.Time{})) > 2*slots })
	dying.kill()
	died := time.Now()
	s.until("all but what it had is done", func() bool { return len(s.vendor.Operations()) >= all-slots })
	t.Logf("%s after the death all but %d is done", time.Since(died).Round(time.Millisecond), all-len(s.vendor.Operations()))
	s.until("all is done", func() bool { return len(s.vendor.Operations()) == all })
	t.Logf("%s after the death all is done", last(a.did(died)).Sub(died).Round(time.Millisecond))
	s.until("everything is approved", s.settled)
	s.once()
	for _, p := range []*process{a.process, rest} {
		if status, took := p.stop(); status != 0 {
			t.Errorf("ended with status %d after %s", status, took)
		}
	}
}
