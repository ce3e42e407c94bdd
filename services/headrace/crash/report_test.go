package crash

import (
	"fmt"
	"strings"

	"github.com/headrace/headrace/pkg/failpoint"
)

// row is what came of one kind of crash.
type row struct {
	what                      string
	tried                     int
	stops                     int
	lost, doubled, disordered int
}

// rows counts by kind of crash. A violation is counted with all that was done
// to requests of its subscription.
func (a *audit) rows() []row {
	var rows []row
	kinds := make([]string, 0, len(failpoint.Points())+5)
	for _, p := range failpoint.Points() {
		kinds = append(kinds, string(p))
	}
	for _, kind := range append(kinds, atRandom, brokerDies, cut, delayed, stalled) {
		r := row{what: kind}
		struck := map[string]bool{}
		for _, c := range a.book.all() {
			if c.what != kind {
				continue
			}
			r.tried++
			if c.how == failpoint.Stop {
				r.stops++
			}
			for _, id := range c.requests {
				struck[assetOf(id)] = true
			}
		}
		for _, v := range a.found {
			if !struck[v.asset] {
				continue
			}
			switch v.kind {
			case lost:
				r.lost++
			case doubled:
				r.doubled++
			default:
				r.disordered++
			}
		}
		rows = append(rows, r)
	}
	return rows
}

// assetOf is the subscription of a request: its digits without the count.
func assetOf(request string) string {
	i := strings.LastIndex(request, "-")
	if i < 0 {
		return ""
	}
	return "AS-" + strings.TrimPrefix(request[:i], "PR-")
}

func (a *audit) table() string {
	var b strings.Builder
	requests := 0
	a.load.mu.Lock()
	for _, c := range a.load.chains {
		requests += len(c.requests)
	}
	fmt.Fprintf(&b, "vendor %s: %d subscriptions, %d requests, %d effects, %d processes died or slept, held %+v\n",
		a.mode.name, len(a.load.chains), requests, len(a.vendor.Operations()), a.book.kills(), a.held)
	a.load.mu.Unlock()
	fmt.Fprintf(&b, "| %-18s | tried | of them stopped | lost | doubled | out of order |\n|---|---|---|---|---|---|\n", "window")
	for _, r := range a.rows() {
		fmt.Fprintf(&b, "| %-18s | %5d | %15d | %4d | %7d | %12d |\n", r.what, r.tried, r.stops, r.lost, r.doubled, r.disordered)
	}
	return b.String()
}
