package model

import (
	"slices"
	"strings"
	"time"

	"github.com/headrace/headrace/pkg/deadletter"
	"github.com/headrace/headrace/pkg/episode"
	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/vendorsim"
)

// mostRounds is more than a chain of requests needs that waits again and again.
const mostRounds = 60

func (w *world) scheduled() []string {
	subjects := make([]string, 0, len(w.schedules))
	for s := range w.schedules {
		subjects = append(subjects, s)
	}
	slices.Sort(subjects)
	return subjects
}

// settle stops all faults and lets everything go on until nothing does.
func (w *world) settle() {
	w.t.Log("--- no more faults")
	for len(w.runs) > 0 {
		w.finish(w.runs[0])
	}
	for quiet, round := 0, 0; quiet < 2; round++ {
		if round == mostRounds {
			w.violate("it does not come to rest")
			return
		}
		before := w.appends
		w.passed.Add(int64(5 * time.Minute))
		w.finish(w.beginPoll())
		for _, s := range w.scheduled() {
			w.fireSchedule(s)
		}
		w.drain()
		if quiet++; w.appends > before || len(w.unacknowledged()) > 0 {
			quiet = 0
		}
	}
	for _, a := range w.assets {
		w.settled(a)
	}
}

// settled: what is pending has a reason that one can read.
func (w *world) settled(a *asset) {
	if a.open != nil && w.statusOf(a.open.id) != "pending" {
		w.violate("episode %d of %s is open, and it is %s in Connect", a.episode, a.open.id, w.statusOf(a.open.id))
		return
	}
	for _, q := range a.requests {
		if w.statusOf(q.id) != "pending" || q.discarded {
			continue
		}
		if a.open == nil {
			w.violate("%s is lost: pending in Connect, and not opened", q.id)
			return
		}
	}
	if a.open != nil {
		w.held(a)
	}
}

// held: the open episode has a letter, with a reason that faults alone can't be.
func (w *world) held(a *asset) {
	q := a.open
	head, err := episode.HeadOf(w.ctx, w.client, q.asset)
	if err != nil {
		w.t.Fatal(err)
	}
	state, err := episode.StateOf(w.ctx, w.client, head)
	if err != nil {
		w.t.Fatal(err)
	}
	if state != fulfillment.StateHeld && state != fulfillment.StateDead {
		w.violate("%s is stuck: pending in Connect, %s here", q.id, state)
		return
	}
	letter, err := deadletter.Get(w.ctx, w.client, q.id)
	if err != nil {
		w.t.Fatal(err)
	}
	if len(q.told) == 0 || !strings.HasSuffix(q.told[len(q.told)-1], "/"+letter.ID) {
		w.violate("nobody was told that %s is held, letter %s: %v", q.id, letter.ID, q.told)
	}
	if !w.excused(a, q, letter.Reason) {
		w.violate("%s is held without need: %s", q.id, letter.Reason)
	}
}

// excused reports whether a reason is one that the order itself, a person, or a
// vendor without keys gives.
func (w *world) excused(a *asset, q *request, reason string) bool {
	is := func(text string) bool { return strings.Contains(reason, text) }
	first := a.requests[0]
	switch {
	case slices.ContainsFunc(a.requests, func(r *request) bool { return r.touched }):
		return true
	case is("is empty, so the vendor's tenant is not known"):
		return q != first && w.statusOf(first.id) != "approved"
	case is("does not know the tenant"):
		return slices.ContainsFunc(w.vendor.Operations(), func(op vendorsim.Op) bool {
			return op.Kind == vendorsim.Delete && op.ExternalID == q.asset
		})
	case is("Connect refuses"):
		return q.refused
	case is("outcome is not known"), is("outcome of creating the tenant is not known"):
		return !w.keyed && q.disturbed && q.typ == fulfillment.Purchase
	}
	return false
}
