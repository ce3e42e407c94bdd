package e2e

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/headrace/headrace/pkg/connectsim"
	"github.com/headrace/headrace/pkg/simfault"
	"github.com/headrace/headrace/pkg/stream/streamtest"
	"github.com/headrace/headrace/pkg/vendorsim"
)

// Three fetchers and three committers side by side. A fetcher and a committer are
// killed in the middle of their work; nothing is done twice but for what a
// committer had in hand.
func TestRun_ThreeFetchersThreeCommitters_NothingTwice(t *testing.T) {
	t.Parallel()
	s := newSite(t, connectsim.Options{Empty: true}, vendorsim.Options{})
	b := s.shared()
	s.env["HEADRACE_CONNECT_POLL_INTERVAL"] = "1s"
	s.env["HEADRACE_CONCURRENCY"] = "8"
	s.env["HEADRACE_CONCURRENCY_COMMITTER"] = "4"
	s.faults(s.connect.Faults(), simfault.Fault{Method: http.MethodPost, Latency: 100 * time.Millisecond}) // approvals
	s.seed(s.connect.Seed(30))
	all := len(s.connect.Requests())
	var fetchers, committers []*process
	for range 3 {
		committers = append(committers, s.start("run", "committer"))
		fetchers = append(fetchers, s.start("run", "fetcher"))
	}
	s.start("run", "purchase", "change", "cancel", "suspend", "resume")
	s.until("some are approved", func() bool { return s.approved() > all/4 })
	fetchers[0].kill()
	committers[0].kill()
	s.seed(s.connect.Seed(5)) // for the fetchers that are left
	s.until("everything is approved", s.settled)
	s.once()
	s.until("all has been told", func() bool { return s.pendingOf(b) == 0 })
	s.openedOnce(b)
	s.toldOnce(b)
	s.committedOnce(4)
}

// pendingOf is what the committers have not acknowledged.
func (s *site) pendingOf(b *streamtest.Broker) int {
	return b.Pending("FULFILLMENT_RESULTS", "committer")
}

// subjects counts the messages of each subject of a stream.
func (s *site) subjects(b *streamtest.Broker, name string) map[string]int {
	s.t.Helper()
	count := map[string]int{}
	for _, subject := range b.Subjects(name) {
		count[subject]++
	}
	return count
}

// openedOnce fails unless each request was published once.
func (s *site) openedOnce(b *streamtest.Broker) {
	s.t.Helper()
	opened := map[string]int{}
	for subject, n := range s.subjects(b, "FULFILLMENT_REQUESTS") {
		if strings.HasPrefix(subject, "fulfillment.requests.") {
			opened[subject[strings.LastIndex(subject, ".")+1:]] += n
		}
	}
	for _, r := range s.connect.Requests() {
		if opened[r.ID] != 1 {
			s.t.Errorf("%s was published %d times", r.ID, opened[r.ID])
		}
	}
}

// toldOnce fails if an event was published twice.
func (s *site) toldOnce(b *streamtest.Broker) {
	s.t.Helper()
	told := s.subjects(b, "FULFILLMENT_EVENTS")
	for subject, n := range told {
		if n != 1 {
			s.t.Errorf("%s was published %d times", subject, n)
		}
	}
	approved := 0
	for subject := range told {
		if strings.Contains(subject, ".approved.") {
			approved++
		}
	}
	if want := len(s.connect.Requests()); approved != want {
		s.t.Errorf("%d events say approved, want %d", approved, want)
	}
}

// committedOnce fails if more approvals than a committer had in hand were sent
// twice.
func (s *site) committedOnce(inHand int) {
	s.t.Helper()
	sent, again, lists := map[string]int{}, 0, 0
	for _, c := range s.connect.Faults().Calls() {
		switch {
		case c.Method == http.MethodPost && strings.HasSuffix(c.Path, "/approve"):
			if sent[c.Path]++; sent[c.Path] > 1 {
				again++
			}
		case c.Method == http.MethodGet && strings.HasSuffix(c.Path, "/requests"):
			lists++
		}
	}
	s.t.Logf("%d requests approved with %d calls, listed with %d", len(sent), len(sent)+again, lists)
	if again > inHand {
		s.t.Errorf("%d approvals were sent again, and a committer that died had at most %d in hand", again, inHand)
	}
}
