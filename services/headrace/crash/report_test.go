package crash

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/headrace/headrace/pkg/failpoint"
)

// row is what came of one kind of crash.
type row struct{ tried, lost, doubled, disordered int }

// row counts one kind of crash. A violation is counted with all that was done
// to requests of its subscription.
func (a *audit) row(kind string) row {
	var r row
	struck := map[string]bool{}
	for _, c := range a.book.all() {
		if c.kind() != kind {
			continue
		}
		r.tried++
		for _, id := range c.requests {
			struck[assetOf(id)] = true
		}
	}
	for _, v := range a.found {
		if struck[v.asset] {
			*map[string]*int{lost: &r.lost, doubled: &r.doubled, disordered: &r.disordered}[v.kind]++
		}
	}
	return r
}

// slept stands for every stop, wherever it struck.
const slept = "stopped for longer than the ack wait"

// kind is the row that a crash is counted in.
func (c *crash) kind() string {
	if c.how == failpoint.Stop {
		return slept
	}
	return c.what
}

// kinds are the rows: each window by its name, and the rest.
func kinds() []string {
	var all []string
	for _, p := range failpoint.Points() {
		all = append(all, string(p))
	}
	return append(all, atRandom, brokerDies, slept, cut, delayed, stalled)
}

// assetOf is the subscription of a request: its digits without the count.
func assetOf(request string) string {
	i := strings.LastIndex(request, "-")
	if i < 0 {
		return ""
	}
	return "AS-" + strings.TrimPrefix(request[:i], "PR-")
}

// report is what the docs say of a run, in Markdown.
func report(p plan, audits []*audit) string {
	slices.SortFunc(audits, func(a, b *audit) int { return cmp.Compare(a.mode.order(), b.mode.order()) })
	var b strings.Builder
	fmt.Fprintf(&b, "`make crash CRASH_KILLS=%d CRASH_SEED=%d`, %s, ack wait %s, on %s.\n\n",
		p.kills, p.seed, time.Now().UTC().Format("2006-01-02"), p.ackWait, machine())
	b.WriteString("| vendor | subscriptions | requests | effects at the vendor | killed at random | killed at a window | stopped | lost | doubled | out of order | held |\n" +
		"|---|---|---|---|---|---|---|---|---|---|---|\n")
	for _, a := range audits {
		b.WriteString(a.summary())
	}
	b.WriteString("\n| it dies | " + strings.Join(names(audits), " | ") + " | lost | doubled | out of order |\n|---|" +
		strings.Repeat("---|", len(audits)+3) + "\n")
	for _, kind := range kinds() {
		fmt.Fprintf(&b, "| %s |", kind)
		var sum row
		for _, a := range audits {
			r := a.row(kind)
			fmt.Fprintf(&b, " %s |", tried(a, kind, r.tried))
			sum.lost, sum.doubled, sum.disordered = sum.lost+r.lost, sum.doubled+r.doubled, sum.disordered+r.disordered
		}
		fmt.Fprintf(&b, " %d | %d | %d |\n", sum.lost, sum.doubled, sum.disordered)
	}
	return b.String()
}

// tried says how often, or why not.
func tried(a *audit, kind string, n int) string {
	if n > 0 {
		return fmt.Sprint(n)
	}
	if kind == string(failpoint.LookedUp) && !a.mode.lookup {
		return "–"
	}
	return "not tried"
}

func names(audits []*audit) []string {
	var all []string
	for _, a := range audits {
		all = append(all, a.mode.title())
	}
	return all
}

// order is that of the docs.
func (m mode) order() int { return slices.Index(modes(), m) }

func (m mode) title() string {
	return map[string]string{"key": "honours keys", "lookup": "has a lookup", "none": "has neither"}[m.name]
}

// summary is the row of one vendor.
func (a *audit) summary() string {
	a.load.mu.Lock()
	defer a.load.mu.Unlock()
	requests := 0
	for _, c := range a.load.chains {
		requests += len(c.requests)
	}
	found := map[string]int{}
	for _, v := range a.found {
		found[v.kind]++
	}
	kills := a.book.kills()
	stops := a.book.number(func(c *crash) bool { return c.how == failpoint.Stop })
	killed := a.book.number(func(c *crash) bool { return c.how == failpoint.Kill })
	return fmt.Sprintf("| %s | %d | %d | %d | %d | %d | %d | %d | %d | %d | %s |\n", a.mode.title(), len(a.load.chains), requests,
		len(a.vendor.Operations()), kills, killed-kills, stops, found[lost], found[doubled], found[disordered], a.held)
}

// String says why purchases are held.
func (h holds) String() string {
	if h == (holds{}) {
		return "0"
	}
	return fmt.Sprintf("%d: `POST /tenant` in flight %d, struck beside it on purpose %d, by chance %d, as the broker died %d, without a cause %d",
		h.inFlight+h.placed+h.beside+h.broker+h.wrong, h.inFlight, h.placed, h.beside, h.broker, h.wrong)
}

func machine() string {
	model := runtime.GOARCH
	if text, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		if m := regexp.MustCompile(`(?m)^model name\s*:\s*(.+)$`).FindSubmatch(text); m != nil {
			model = string(m[1])
		}
	}
	return fmt.Sprintf("%d cores of %s, %s", runtime.NumCPU(), model, runtime.GOOS)
}

// page is where the figures go.
const page = "../../../docs/reference/crash-safety.md"

func TestDocs_EachWindow_IsExplained(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range failpoint.Points() {
		if !strings.Contains(string(text), fmt.Sprintf("\n| `%s` |", p)) {
			t.Errorf("%s does not say how the window %s is closed", page, p)
		}
	}
}

// publish puts the figures into the page, between two marks.
func publish(figures string) error {
	text, err := os.ReadFile(page)
	if err != nil {
		return err
	}
	const begin, end = "<!-- figures: written by make crash -->\n", "<!-- end of figures -->"
	before, rest, found := strings.Cut(string(text), begin)
	_, after, ended := strings.Cut(rest, end)
	if !found || !ended {
		return errors.New(page + " has no place for figures")
	}
	return os.WriteFile(page, []byte(before+begin+"\n"+figures+"\n"+end+after), 0o644)
}
