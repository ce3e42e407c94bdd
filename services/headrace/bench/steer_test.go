package bench

import (
	"encoding/json"
	"net/http"
	"time"
)

// tally is what the stand-in was asked.
type tally struct {
	Listed  time.Time // the first list of requests; zero: not yet
	First   time.Time // approval
	Last    time.Time
	Steady  float64 // approvals a second between a tenth and nine tenths of all
	Vendor  int     // calls
	Connect int     // calls about one request
	Lists   int     // all other calls
	Refused int     // calls that made no sense
	Doubled int     // tenants beyond one of each request
	// Latencies are from the first list that a request was in to its approval, in
	// ms, in the order of approvals.
	Latencies []float64
}

// steer serves whoever measures: wait until the first list was asked for, or
// until so many are approved, order more, and what has happened.
func (s *standIn) steer(w http.ResponseWriter, r *http.Request, what string) {
	n := parameter(r.URL.RawQuery, "n=")
	switch what {
	case "listed":
		s.await(r, func() bool { return !s.tally.Listed.IsZero() })
	case "approved":
		s.await(r, func() bool { return len(s.moments) >= n })
	case "order":
		s.add(n)
	}
	s.mu.Lock()
	t := s.tally
	if k := len(s.moments); k > 0 {
		t.First, t.Last = s.moments[0], s.moments[k-1]
		t.Steady = steady(s.moments)
	}
	text, _ := json.Marshal(t) // it can't fail
	s.mu.Unlock()
	answer(w, http.StatusOK, text)
}

// steady is the rate between a tenth and nine tenths of the moments.
func steady(moments []time.Time) float64 {
	from, to := len(moments)/10, len(moments)*9/10
	if to <= from {
		return 0
	}
	return float64(to-from) / moments[to].Sub(moments[from]).Seconds()
}

// await returns when reached says so, or nobody waits any more.
func (s *standIn) await(r *http.Request, reached func() bool) {
	for {
		s.mu.Lock()
		if reached() {
			s.mu.Unlock()
			return
		}
		news := make(chan struct{})
		s.waits = append(s.waits, news)
		s.mu.Unlock()
		select {
		case <-news:
		case <-r.Context().Done():
			return
		}
	}
}

// closeWaits is called with mu held.
func (s *standIn) closeWaits() {
	for _, w := range s.waits {
		close(w)
	}
	s.waits = nil
}
