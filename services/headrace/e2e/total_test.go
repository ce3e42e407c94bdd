package e2e

import (
	"cmp"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/headrace/headrace/pkg/connectsim"
	"github.com/headrace/headrace/pkg/vendorsim"
)

// Three processes that could call the vendor 24 times at once may call it 5
// times; one of them dies at its calls.
func TestRun_TotalConcurrency_HoldsOverAllProcessesAndThroughADeath(t *testing.T) {
	t.Parallel()
	s := newSite(t, connectsim.Options{Empty: true}, vendorsim.Options{})
	b := s.shared()
	const total = 5
	s.env["HEADRACE_CONCURRENCY_PURCHASE"] = "8"
	s.env["HEADRACE_TOTAL_CONCURRENCY_PURCHASE"] = fmt.Sprint(total)
	const takes = 300 * time.Millisecond
	dying := s.replica(takes)
	others := []*replica{s.replica(takes), s.replica(takes)}
	s.backlog(b, 120)
	s.until("the one that dies has worked", func() bool { return len(dying.did(time.Time{})) > 2 })
	dying.kill()
	s.until("everything is approved", s.settled)
	s.once()
	calls := dying.did(time.Time{})
	for i, r := range others {
		own := r.did(time.Time{})
		if calls = append(calls, own...); len(own) < 10 {
			t.Errorf("replica %d made %d calls", i+2, len(own))
		}
	}
	if most := atOnce(calls); most > total || most < total-1 {
		t.Errorf("%d calls at once of %d that are allowed", most, total)
	}
}

// atOnce is how many of the calls were under way at the same time, at most. A call
// ends in the moment in which its caller dies.
func atOnce(calls []span) int {
	type change struct {
		at time.Time
		by int
	}
	var all []change
	for _, c := range calls {
		all = append(all, change{c.began, 1}, change{c.ended, -1})
	}
	slices.SortFunc(all, func(a, b change) int { return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.by, b.by)) })
	busy, most := 0, 0
	for _, c := range all {
		busy += c.by
		most = max(most, busy)
	}
	return most
}
