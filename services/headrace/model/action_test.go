package model

import (
	"context"
	"errors"
	"fmt"
	"time"

	"pgregory.net/rapid"

	"github.com/headrace/headrace/pkg/connectsim"
	"github.com/headrace/headrace/pkg/deadletter"
	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/stream"
	"github.com/headrace/headrace/pkg/vendorsim"
)

const (
	mostAssets  = 2
	mostPending = 4 // of one asset
	mostRuns    = 4 // at once
)

// actions are what may happen, under the names that rapid prints.
func (w *world) actions() map[string]func(*rapid.T) {
	return map[string]func(*rapid.T){
		"":         func(t *rapid.T) { w.judge(t) },
		"create":   w.create,
		"poll":     w.poll,
		"deliver":  w.deliverNext,
		"deliver2": w.deliverNext, // most of what happens
		"repeat":   w.deliverAny,
		"resume":   w.resume,
		"resume2":  w.resume,
		"race":     w.race,
		"round":    w.round,
		"fire":     w.fire,
		"answer":   w.answer,
		"portal":   w.portal,
		"redrive":  w.redrive,
		"discard":  w.discard,
		"clock":    w.tick,
	}
}

func (w *world) judge(t *rapid.T) {
	for _, wrong := range w.wrong {
		t.Error(wrong)
	}
	if len(w.wrong) > 0 {
		w.abandon()
		t.FailNow()
	}
}

// create has a customer order something: a purchase first, then what comes.
func (w *world) create(t *rapid.T) {
	n := rapid.IntRange(0, mostAssets-1).Draw(t, "asset")
	id := fmt.Sprintf("AS-0000-0000-%04d", n)
	a := w.assets[id]
	order := connectsim.NewRequest{AssetID: id, Params: map[string]string{"admin_email": "ada@example.com"}}
	if a == nil {
		a = &asset{}
		w.assets[id] = a
		order.Type = string(fulfillment.Purchase)
		order.Lines = []connectsim.Line{{Item: "MW-SEAT", Quantity: "5"}}
	} else {
		pending := 0
		for _, q := range a.requests {
			if w.statusOf(q.id) == "pending" {
				pending++
			}
		}
		if pending >= mostPending {
			t.Skip("the subscription has enough pending: another action is drawn")
		}
		order.Type = rapid.SampledFrom([]string{"change", "suspend", "resume", "change", "cancel"}).Draw(t, "type")
	}
	if order.Type == "purchase" || order.Type == "change" {
		special := rapid.SampledFrom([]string{"", "", "", "inquire", "reject", "slow: 1m"}).Draw(t, "special")
		switch special {
		case "inquire":
			order.Params["admin_email"] = ""
		default:
			order.Params["company_phone"] = special
		}
	}
	w.created++
	order.Created = w.started.Add(time.Duration(w.created) * time.Second)
	q := &request{id: w.connect.AddRequest(order), asset: id, typ: fulfillment.Type(order.Type), decided: map[uint64]bool{}, approves: map[uint64]bool{}}
	w.requests[q.id] = q
	a.requests = append(a.requests, q)
	w.t.Logf("created %s %s", q.typ, q.id)
}

// let has a run go on, to its end or not so far.
func (w *world) let(t *rapid.T, r *run) {
	how := rapid.SampledFrom([]string{"end", "end", "stop", "crash", "fault"}).Draw(t, "until")
	if how != "end" {
		for range rapid.IntRange(0, 12).Draw(t, "steps") {
			if r.finished {
				return
			}
			w.step(r, order{})
		}
	}
	if r.finished || how == "stop" {
		return
	}
	switch how {
	case "crash":
		w.step(r, order{crash: true})
	case "fault":
		w.step(r, order{fault: fault(rapid.IntRange(1, int(faults)-1).Draw(t, "fault"))})
	}
	w.finish(r)
}

func (w *world) room(t *rapid.T) {
	if len(w.runs) >= mostRuns {
		t.Skip("enough runs are under way: another action is drawn")
	}
}

// race has two things go on together, a few steps of one and a few of the
// other.
func (w *world) race(t *rapid.T) {
	w.room(t)
	both := [2]*run{w.begin(t), w.begin(t)}
	for !both[0].finished || !both[1].finished {
		r := both[rapid.IntRange(0, 1).Draw(t, "whose turn")]
		for range rapid.IntRange(1, 6).Draw(t, "steps") {
			if !r.finished {
				w.step(r, order{})
			}
		}
	}
}

// begin begins a poll or a delivery.
func (w *world) begin(t *rapid.T) *run {
	open := w.unacknowledged()
	switch n := rapid.IntRange(0, 3).Draw(t, "poll, or deliver"); {
	case n > 1 && len(open) > 0:
		return w.deliver(open[rapid.IntRange(0, len(open)-1).Draw(t, "message")])
	case n > 0 && len(w.messages) > 0:
		return w.deliver(w.messages[rapid.IntRange(0, len(w.messages)-1).Draw(t, "message")])
	}
	return w.beginPoll()
}

func (w *world) poll(t *rapid.T) {
	w.room(t)
	w.let(t, w.beginPoll())
}

func (w *world) beginPoll() *run {
	return w.launch(&run{name: "poll"}, func(ctx context.Context) error {
		_, err := w.newFetcher().Poll(ctx)
		return err
	})
}

// deliverNext hands out what was not acknowledged, in any order.
func (w *world) deliverNext(t *rapid.T) {
	w.room(t)
	open := w.unacknowledged()
	if len(open) == 0 {
		t.Skip("nothing")
	}
	w.let(t, w.deliver(open[rapid.IntRange(0, len(open)-1).Draw(t, "message")]))
}

func (w *world) unacknowledged() []*message {
	var open []*message
	for _, m := range w.messages {
		if !m.acked {
			open = append(open, m)
		}
	}
	return open
}

// remade is how old a message is at least that a durable hands out for the first
// time once more, since it was made anew: as old as the ack wait.
const remade = 30 * time.Second

// deliverAny hands out anything again, also what was acknowledged long ago, and
// perhaps as a durable does that was made anew: for the first time.
func (w *world) deliverAny(t *rapid.T) {
	w.room(t)
	if len(w.messages) == 0 {
		t.Skip("nothing")
	}
	m := w.messages[rapid.IntRange(0, len(w.messages)-1).Draw(t, "message")]
	if rapid.Bool().Draw(t, "as new") {
		m.delivered, m.age = 0, remade
	}
	w.let(t, w.deliver(m))
}

// deliver begins a delivery. Who has the message in hand has lost it.
func (w *world) deliver(m *message) *run {
	for _, r := range w.runs {
		if r.msg == m {
			r.lost = true
			w.disturb(r)
			r.cancel(stream.ErrLeaseLost)
		}
	}
	stored, err := w.client.Get(w.ctx, m.stream, m.seq)
	if err != nil {
		w.t.Fatal(err)
	}
	m.delivered++
	stored.Time = stored.Time.Add(-m.age)
	handle := w.committer.Handle
	if m.stream == fulfillment.StreamRequests {
		handle = w.processors[m.key.Type].Handle
		stored.Time = stored.Time.Add(ahead)
	}
	d := &stream.Delivery{Stored: *stored, Attempt: m.delivered}
	name := fmt.Sprintf("%s (%d)", m, m.delivered)
	w.t.Logf("deliver %s", name)
	a := w.assets[m.key.Asset]
	stale := m.seq < a.head || a.open != w.requests[m.key.Request]
	return w.launch(&run{name: name, request: m.key.Request, msg: m, stale: stale}, func(ctx context.Context) error { return handle(ctx, d) })
}

func (w *world) resume(t *rapid.T) {
	if len(w.runs) == 0 {
		t.Skip("nothing")
	}
	w.let(t, w.runs[rapid.IntRange(0, len(w.runs)-1).Draw(t, "run")])
}

// round is a while in which nothing goes wrong.
func (w *world) round(*rapid.T) {
	w.finish(w.beginPoll())
	w.drain()
}

// drain delivers what was not acknowledged, each once, also what comes of it.
func (w *world) drain() {
	for i := 0; i < len(w.messages); i++ {
		if m := w.messages[i]; !m.acked && !w.inHand(m) {
			w.finish(w.deliver(m))
		}
	}
}

func (w *world) inHand(m *message) bool {
	for _, r := range w.runs {
		if r.msg == m {
			return true
		}
	}
	return false
}

// fire has the broker fire a schedule, early or late.
func (w *world) fire(t *rapid.T) {
	if len(w.schedules) == 0 {
		t.Skip("nothing")
	}
	w.fireSchedule(rapid.SampledFrom(w.scheduled()).Draw(t, "schedule"))
}

func (w *world) fireSchedule(subject string) {
	m := w.schedules[subject].stored
	delete(w.schedules, subject)
	_, key, err := fulfillment.ParseSubject(subject)
	if err != nil {
		w.t.Fatal(err)
	}
	m.Subject = key.Subject(fulfillment.RootRetries)
	if _, err := w.journal.Append(w.ctx, m, stream.CancelSchedule(subject)); err != nil {
		w.t.Fatal(err)
	}
}

// answer has a customer answer an inquiry.
func (w *world) answer(t *rapid.T) {
	q := w.pick(t, "inquiring")
	if err := w.connect.Answer(q.id, map[string]string{"admin_email": "ada@example.com"}); err != nil {
		t.Fatal(err)
	}
	q.answered = true
}

// portal has a person finish a request in Connect.
func (w *world) portal(t *rapid.T) {
	if rapid.IntRange(0, 3).Draw(t, "seldom") != 0 {
		t.Skip("seldom")
	}
	q := w.pick(t, "pending", "inquiring")
	status := rapid.SampledFrom([]string{"approved", "failed"}).Draw(t, "status")
	if err := w.connect.SetStatus(q.id, status); err != nil {
		t.Fatal(err)
	}
	q.touched = true
}

// pick chooses a request by its status.
func (w *world) pick(t *rapid.T, statuses ...string) *request {
	var ids []string
	for _, r := range w.connect.Requests() {
		for _, s := range statuses {
			if r.Status == s {
				ids = append(ids, r.ID)
			}
		}
	}
	if len(ids) == 0 {
		t.Skip("none")
	}
	return w.requests[rapid.SampledFrom(ids).Draw(t, "request")]
}

// letter chooses a dead letter that is listed.
func (w *world) letter(t *rapid.T) deadletter.Entry {
	w.room(t)
	entries, err := deadletter.List(w.ctx, w.client, deadletter.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) == 0 {
		t.Skip("none")
	}
	entry := entries[rapid.IntRange(0, len(entries)-1).Draw(t, "letter")]
	entry, err = deadletter.Get(w.ctx, w.client, entry.ID)
	if err != nil {
		t.Fatal(err)
	}
	return entry
}

// redrive has an operator send a letter on. Of a purchase the operator may have
// looked at the vendor first, and then says what is so.
func (w *world) redrive(t *rapid.T) {
	e := w.letter(t)
	r := deadletter.Redrive{By: "an operator"}
	if e.Type == fulfillment.Purchase && rapid.Bool().Draw(t, "looked at the vendor") {
		r.Outcome = deadletter.OutcomeNotDone
		for _, tenant := range w.vendor.Tenants() {
			if tenant.ExternalID == e.AssetID && tenant.State != vendorsim.StateDeleted {
				r.Outcome, r.Set = deadletter.OutcomeDone, []fulfillment.Param{{ID: "subscription_id", Value: &tenant.ID}}
				w.requests[e.RequestID].done = true
			}
		}
	}
	w.let(t, w.launch(&run{name: "redrive of " + e.ID, request: e.RequestID}, func(ctx context.Context) error {
		return ignoring(deadletter.Send(ctx, w.journal, e, r), deadletter.ErrSettled, deadletter.ErrOutcome)
	}))
}

func (w *world) discard(t *rapid.T) {
	if rapid.IntRange(0, 3).Draw(t, "seldom") != 0 {
		t.Skip("seldom")
	}
	e := w.letter(t)
	w.let(t, w.launch(&run{name: "discard of " + e.ID, request: e.RequestID}, func(ctx context.Context) error {
		return ignoring(deadletter.Discard(ctx, w.journal, e, "done by hand", "an operator"), deadletter.ErrSettled)
	}))
}

func ignoring(err error, expected ...error) error {
	for _, e := range expected {
		if errors.Is(err, e) {
			return nil
		}
	}
	return err
}

// tick lets time go by, so that messages grow old.
func (w *world) tick(t *rapid.T) {
	w.passed.Add(int64(rapid.SampledFrom([]time.Duration{time.Second, time.Minute, 2 * time.Hour}).Draw(t, "passes")))
}
