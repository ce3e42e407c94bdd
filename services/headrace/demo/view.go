package demo

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"github.com/headrace/headrace/pkg/telemetry"
	"github.com/headrace/headrace/services/headrace/app"
)

// view shows the progress.
type view interface {
	show(byType map[string]progress, all progress)
	end()
}

func newView(o Options, w *world, m *telemetry.Metrics, r app.Ready) view {
	_, _ = fmt.Fprintf(o.Out, "%d requests wait in a simulated Connect; some answers get lost on purpose, and customers take a second to\n"+
		"answer what they are asked.\n\n"+
		"  Connect  %s   (its calls: %s/_sim/calls)\n  vendor   %s   (its tenants: %[4]s/_sim/tenants)\n  metrics  http://%s/metrics\n"+
		"  broker   NATS_URL=%s\n\n",
		o.Requests, string(w.cfg.Connect.Endpoint), strings.TrimSuffix(string(w.cfg.Connect.Endpoint), "/public/v1"),
		string(w.cfg.Vendor.Endpoint), r.HTTP, w.brokerURL())
	if !o.Exit {
		_, _ = fmt.Fprint(o.Out, "New requests keep coming; Ctrl-C ends the demo.\n\n")
	}
	if o.Live {
		// Without Exit special requests come in any case.
		return newBars(o.Out, m, func(kind string) bool { return !o.Exit || w.has(kind) })
	}
	return &lines{out: o.Out, began: time.Now()}
}

// lines is the view where there is no terminal: a line a second.
type lines struct {
	out         io.Writer
	began, last time.Time
}

func (l *lines) show(byType map[string]progress, all progress) {
	now := time.Now()
	if now.Sub(l.last) < time.Second && all.finished < all.total {
		return
	}
	l.last = now
	var open []string
	for _, kind := range kinds() {
		if n := byType[kind].total - byType[kind].finished; n > 0 {
			open = append(open, fmt.Sprintf("%s %d", kind, n))
		}
	}
	what := "all finished"
	if len(open) > 0 {
		what = "open: " + strings.Join(open, ", ")
	}
	elapsed := now.Sub(l.began)
	_, _ = fmt.Fprintf(l.out, "%5.1fs  %d/%d  %4.0f/s  %s\n", elapsed.Seconds(), all.finished, all.total,
		float64(all.finished)/elapsed.Seconds(), what)
}

func (l *lines) end() {}

// bars is the view on a terminal: a bar for each type, with the states that the
// last poll found, and one for all with the rate.
type bars struct {
	metrics *telemetry.Metrics
	pool    *mpb.Progress
	byType  map[string]*mpb.Bar
	all     *mpb.Bar

	mu     sync.Mutex // guards states, which mpb reads from its own goroutine
	states map[string]string
}

func newBars(out io.Writer, m *telemetry.Metrics, has func(kind string) bool) *bars {
	b := &bars{
		metrics: m, pool: mpb.New(mpb.WithOutput(out), mpb.WithAutoRefresh(), mpb.WithWidth(100)),
		byType: map[string]*mpb.Bar{}, states: map[string]string{},
	}
	add := func(name string, tail decor.Decorator) *mpb.Bar {
		return b.pool.AddBar(0,
			mpb.PrependDecorators(decor.Name(name, decor.WC{W: 16, C: decor.DindentRight}), decor.CountersNoUnit("%d/%d", decor.WC{W: 10})),
			mpb.AppendDecorators(tail))
	}
	for _, name := range kinds() {
		if !has(name) {
			continue
		}
		b.byType[name] = add(name, decor.Any(func(decor.Statistics) string {
			b.mu.Lock()
			defer b.mu.Unlock()
			return b.states[name]
		}, decor.WC{W: 36, C: decor.DindentRight}))
	}
	b.all = add("total", decor.AverageSpeed(0, "%.0f/s", decor.WC{W: 36, C: decor.DindentRight}))
	return b
}

func (b *bars) show(byType map[string]progress, all progress) {
	states := b.waiting()
	b.mu.Lock()
	b.states = states
	b.mu.Unlock()
	for name, bar := range b.byType {
		set(bar, byType[name])
	}
	set(b.all, all)
}

func set(bar *mpb.Bar, p progress) {
	// A total that is reached would complete the bar, and it could not grow
	// any more.
	bar.SetTotal(int64(p.total), false)
	bar.SetCurrent(int64(p.finished))
}

// waiting tells in what states the requests are that are not finished, as the
// pipeline's own metrics have it.
func (b *bars) waiting() map[string]string {
	found := map[string]map[string]int{}
	families, err := b.metrics.Registry().Gather()
	if err != nil {
		return nil // it is decoration, and comes again in a moment
	}
	for _, f := range families {
		if f.GetName() != "headrace_requests" {
			continue
		}
		for _, m := range f.GetMetric() {
			labels := map[string]string{}
			for _, l := range m.GetLabel() {
				labels[l.GetName()] = l.GetValue()
			}
			if found[labels["type"]] == nil {
				found[labels["type"]] = map[string]int{}
			}
			found[labels["type"]][labels["state"]] += int(m.GetGauge().GetValue())
		}
	}
	out := map[string]string{}
	for typ, states := range found {
		var words []string
		for _, state := range slices.Sorted(maps.Keys(states)) {
			words = append(words, fmt.Sprintf("%s %d", state, states[state]))
		}
		out[typ] = " " + strings.Join(words, "  ")
	}
	return out
}

// end leaves the bars as they are on the screen.
func (b *bars) end() {
	for _, bar := range b.byType {
		bar.Abort(false)
	}
	b.all.Abort(false)
	b.pool.Wait()
}
