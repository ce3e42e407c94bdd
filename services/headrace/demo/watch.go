package demo

import (
	"context"
	"fmt"
	"time"
)

// progress is how far the requests of one type have come, as Connect has it.
type progress struct{ total, finished int }

func (w *world) progress(statuses map[string]string) (map[string]progress, progress) {
	byType, all := map[string]progress{}, progress{}
	for _, o := range w.orders {
		p := byType[o.kind]
		p.total++
		all.total++
		if w.finished(o, statuses[o.id]) {
			p.finished++
			all.finished++
		}
		byType[o.kind] = p
	}
	return byType, all
}

// settle is how long a request is watched before it is taken for left to a
// person: several polls.
const settle = 2 * time.Second

// finished tells whether nothing more becomes of the request. One that is to be
// left to a person is, once Connect listed it as pending for a while.
func (w *world) finished(o order, status string) bool {
	switch status {
	case "approved", "failed":
		return true
	case "pending":
		return o.want == forPerson && w.ledger.lastList().Sub(o.made) > settle
	}
	return false
}

// thinks is how long a customer takes to answer.
const thinks = time.Second

// answer is the customers answering what they were asked.
func (w *world) answer(statuses map[string]string) error {
	for _, o := range w.orders {
		if o.answers == nil || statuses[o.id] != "inquiring" {
			continue
		}
		since, known := w.asked[o.id]
		if !known {
			w.asked[o.id] = time.Now()
			continue
		}
		if time.Since(since) < thinks {
			continue
		}
		delete(w.asked, o.id)
		say := w.connect.Answer
		if o.tier() {
			say = w.connect.AnswerTier
		}
		if err := say(o.id, o.answers); err != nil {
			return err
		}
	}
	return nil
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
			statuses := w.connect.Statuses()
			if err := w.answer(statuses); err != nil {
				return err
			}
			byType, all := w.progress(statuses)
			v.show(byType, all)
			if o.Exit && all.finished == all.total {
				return nil
			}
		case <-more.C:
			if !o.Exit {
				w.more()
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
