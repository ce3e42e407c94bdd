package demo

import (
	"context"
	"fmt"
	"time"

	"github.com/headrace/headrace/pkg/connectsim"
)

// progress is how far the requests of one type have come, as Connect has it.
type progress struct{ total, finished int }

func (w *world) progress() (map[string]progress, progress) {
	byType, all := map[string]progress{}, progress{}
	for typ, states := range w.connect.Counts() {
		var p progress
		for state, n := range states {
			p.total += n
			if state != "pending" {
				p.finished += n
			}
		}
		byType[typ] = p
		all.total += p.total
		all.finished += p.finished
	}
	return byType, all
}

// watch shows the progress until the demo is over: with Exit when all requests
// are finished or the time is up, else when ctx ends.
func (w *world) watch(ctx context.Context, o Options, v view) error {
	defer v.end()
	look := time.NewTicker(refresh)
	defer look.Stop()
	more := time.NewTicker(time.Second)
	defer more.Stop()
	var late <-chan time.Time
	if o.Exit {
		timer := time.NewTimer(o.Timeout)
		defer timer.Stop()
		late = timer.C
	}
	for {
		select {
		case <-look.C:
			byType, all := w.progress()
			v.show(byType, all)
			if o.Exit && all.finished == all.total {
				return nil
			}
		case <-more.C:
			if !o.Exit {
				w.connect.Load(connectsim.LoadOptions{Purchases: 2, Changes: 2, Cancels: 1, Suspends: 1, Resumes: 1})
			}
		case <-late:
			return nil // the table tells what is open
		case <-ctx.Done():
			if o.Exit {
				return fmt.Errorf("demo: %w", context.Cause(ctx))
			}
			return nil
		}
	}
}
