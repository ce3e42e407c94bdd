package crash

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/pipelinetest"
	"github.com/headrace/headrace/pkg/stream"
	"github.com/headrace/headrace/pkg/vendorsim"
)

// The kinds of violations.
const (
	lost       = "lost"
	doubled    = "doubled"
	disordered = "out of order"
)

// violation is something that may not be, of one subscription.
type violation struct{ kind, asset, text string }

func (v violation) String() string { return v.kind + ": " + v.text }

// records is what the streams say, by request.
type records struct {
	events  map[string][]fulfillment.EventBody
	letters map[string][]fulfillment.Letter
	intents map[string][]fulfillment.Intent
}

// read reads the streams through the broker.
func (w *world) read(ctx context.Context) (*records, error) {
	c, err := w.client(ctx)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	r := &records{map[string][]fulfillment.EventBody{}, map[string][]fulfillment.Letter{}, map[string][]fulfillment.Intent{}}
	err = errors.Join(
		each(ctx, c, fulfillment.StreamEvents, fulfillment.RootEvents, func(e fulfillment.EventBody) {
			r.events[e.RequestID] = append(r.events[e.RequestID], e)
		}),
		each(ctx, c, fulfillment.StreamDead, fulfillment.RootDead, func(l fulfillment.Letter) {
			r.letters[l.RequestID] = append(r.letters[l.RequestID], l)
		}),
		each(ctx, c, fulfillment.StreamResults, fulfillment.RootIntents, func(in fulfillment.Intent) {
			r.intents[in.RequestID] = append(r.intents[in.RequestID], in)
		}))
	return r, err
}

func (w *world) client(ctx context.Context) (*stream.Client, error) {
	access := w.access()
	return stream.Connect(ctx, stream.Options{
		URL: "nats://" + w.broker.env["HEADRACE_NATS_LISTEN"], User: access.User, Password: access.Password,
	})
}

// each decodes all messages below root.
func each[T any](ctx context.Context, c *stream.Client, name, root string, do func(T)) error {
	for m, err := range c.Read(ctx, name, root+".>", 1) {
		if err != nil {
			return err
		}
		var body T
		if err := json.Unmarshal(m.Body, &body); err != nil {
			return fmt.Errorf("read %s: %w", m.Subject, err)
		}
		do(body)
	}
	return nil
}

// release lets go of the subscriptions whose purchase is held, now and then:
// they are no load any more.
func (w *world) release(ctx context.Context, c *stream.Client) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	held := map[string]bool{}
	if each(ctx, c, fulfillment.StreamDead, fulfillment.RootDead, func(l fulfillment.Letter) { held[l.RequestID] = true }) != nil {
		return // the broker was killed just now
	}
	w.load.mu.Lock()
	defer w.load.mu.Unlock()
	for _, chain := range w.load.chains {
		chain.over = chain.over || held[chain.requests[len(chain.requests)-1]]
	}
}

// counts tells how often each event of a request was published.
func (r *records) counts(id string) map[fulfillment.Event]int {
	n := map[fulfillment.Event]int{}
	for _, e := range r.events[id] {
		n[e.Event]++
	}
	return n
}

// subscriptionEvent is what becomes of the request's subscription if it is
// approved.
func (r *records) subscriptionEvent(id string) fulfillment.Event {
	for _, e := range r.events[id] {
		return fulfillment.SubscriptionEvent(e.Type)
	}
	return ""
}

// audit is one look at the books of all.
type audit struct {
	*world
	records  *records
	statuses map[string]string
	ops      map[string][]vendorsim.Op // by asset, in the order of their beginning
	found    []violation
	held     holds
}

// holds counts the purchases that were left to a person, and why that was so.
type holds struct {
	inFlight int // their POST /tenant was in flight when its process died
	placed   int // a failpoint struck between the intent and the call, or between the answer and the result
	beside   int // so did a random kill
	broker   int // the broker died meanwhile
	wrong    int // for no such reason
}

func (w *world) audit(r *records) *audit {
	a := &audit{world: w, records: r, statuses: w.connect.Statuses(), ops: map[string][]vendorsim.Op{}}
	for _, op := range w.vendor.Operations() {
		a.ops[op.ExternalID] = append(a.ops[op.ExternalID], op)
	}
	for _, ops := range a.ops {
		slices.SortStableFunc(ops, func(x, y vendorsim.Op) int { return x.Start.Compare(y.Start) })
	}
	return a
}

func (a *audit) add(kind string, c *chain, format string, args ...any) {
	a.found = append(a.found, violation{kind, c.asset, fmt.Sprintf(format, args...)})
}

// effects looks at what may never have happened, be the run over or not.
func (a *audit) effects() *audit {
	a.load.mu.Lock()
	defer a.load.mu.Unlock()
	for _, pair := range a.vendor.Overlaps() {
		a.found = append(a.found, violation{disordered, pair[0].ExternalID, fmt.Sprintf("%s of %s and %s of %s at once",
			pair[0].Kind, requestOf(pair[0]), pair[1].Kind, requestOf(pair[1]))})
	}
	for _, c := range a.load.chains {
		if n := len(a.tenantsOf(c.asset)); n > 1 {
			a.add(doubled, c, "%d tenants for %s", n, c.requests[0])
		}
		var order []string
		count := map[string]int{}
		for _, op := range a.ops[c.asset] {
			id := requestOf(op)
			count[id]++
			if len(order) == 0 || order[len(order)-1] != id {
				order = append(order, id)
			}
			// PUT and DELETE may be repeated at a vendor without keys, POST never.
			if count[id] == 2 && (a.mode.idempotency == vendorsim.IdempotencyKey || op.Kind == vendorsim.Create) {
				a.add(doubled, c, "%s of %s twice", op.Kind, id)
			}
		}
		if len(order) > len(c.requests) || !slices.Equal(order, c.requests[:len(order)]) {
			a.add(disordered, c, "carried out: %s", strings.Join(order, ", "))
		}
		for _, id := range c.requests {
			if a.statuses[id] == "approved" && count[id] == 0 {
				a.add(lost, c, "%s is approved, and the vendor has done nothing", id)
			}
		}
	}
	return a
}

func requestOf(op vendorsim.Op) string { return requestID.FindString(op.IdempotencyKey) }

func (w *world) tenantsOf(asset string) []string {
	var ids []string
	for _, t := range w.vendor.Tenants() {
		if t.ExternalID == asset {
			ids = append(ids, t.ID)
		}
	}
	return ids
}

// twice looks at what was told more than once.
func (a *audit) twice() *audit {
	a.load.mu.Lock()
	defer a.load.mu.Unlock()
	for _, c := range a.load.chains {
		for _, id := range c.requests {
			counts := a.records.counts(id)
			for _, wrong := range pipelinetest.Disorder(a.records.events[id]) {
				a.add(disordered, c, "%s", wrong)
			}
			if most := max(counts[fulfillment.EventApproved], counts[fulfillment.EventFailed], len(a.records.letters[id])); most > 1 {
				a.add(doubled, c, "%s is told %d times", id, most)
			}
		}
	}
	return a
}

// ends looks at how each request ended, after the run.
func (a *audit) ends() *audit {
	a.load.mu.Lock()
	defer a.load.mu.Unlock()
	for _, c := range a.load.chains {
		for i, id := range c.requests {
			a.end(c, id, i == 0)
		}
	}
	return a
}

func (a *audit) end(c *chain, id string, first bool) {
	letters := a.records.letters[id]
	want, event := "approved", fulfillment.EventApproved
	switch {
	case c.person:
		want, event = "failed", fulfillment.EventFailed
	case c.kind == forPersons:
		want, event = "pending", ""
	}
	if c.kind == forPersons {
		if len(letters) != 1 {
			a.add(map[bool]string{true: lost, false: doubled}[len(letters) == 0], c, "%d dead letters of %s", len(letters), id)
		}
	} else if len(letters) > 0 {
		if a.justified(c, id, letters, first) {
			return
		}
		a.add(lost, c, "%s is in DEAD: %s: %s", id, letters[0].Stage, letters[0].Reason)
	}
	if got := a.statuses[id]; got != want {
		a.add(lost, c, "%s is %s, not %s", id, got, want)
		return
	}
	a.told(c, id, event, first)
	if tenants := a.tenantsOf(c.asset); want == "approved" && first && len(tenants) == 1 {
		if r, _ := a.connect.Request(id); r.Params[paramTenant] != tenants[0] {
			a.add(lost, c, "%s has tenant %q in Connect and %s at the vendor", id, r.Params[paramTenant], tenants[0])
		}
	}
}

// told looks at the events of a request; event is that of its end, "" for none.
func (a *audit) told(c *chain, id string, event fulfillment.Event, first bool) {
	counts := a.records.counts(id)
	expected := map[fulfillment.Event]int{fulfillment.EventReceived: 1}
	if event != "" {
		expected[event] = 1
	}
	if event == fulfillment.EventApproved {
		expected[a.records.subscriptionEvent(id)] = 1
		expected[fulfillment.EventProvisioned] = 1
	}
	for _, l := range a.records.letters[id] {
		expected[map[bool]fulfillment.Event{true: fulfillment.EventHeld, false: fulfillment.EventDead}[l.Stage == fulfillment.StageHold]]++
	}
	if c.kind == forgetful && first {
		expected[fulfillment.EventInquiring], expected[fulfillment.EventAnswered] = 1, 1
	}
	for _, f := range fulfillment.Facts() {
		e := f.Event
		switch {
		case counts[e] < expected[e]:
			a.add(lost, c, "%s has no event %s", id, e)
		case counts[e] > expected[e]:
			a.add(doubled, c, "%s has %d events %s", id, counts[e], e)
		}
	}
}

// justified reports whether a purchase is held as it must be: nobody can know
// what came of a call that was under way when its process died.
func (a *audit) justified(c *chain, id string, letters []fulfillment.Letter, first bool) bool {
	if !first || !a.mode.holds() || letters[0].Stage != fulfillment.StageHold {
		return false
	}
	if len(letters) > 1 {
		a.add(doubled, c, "%d dead letters of %s", len(letters), id)
	}
	return a.blame(id)
}

// moment is how long after the answer its result may still be on its way to the
// disk, and how long after the intent the call may be on its way.
const moment = 500 * time.Millisecond

// blame finds what left the outcome of a purchase's call unknown, counts it,
// and reports whether it found anything.
func (a *audit) blame(id string) bool {
	why := &a.held.wrong
	for _, c := range a.book.all() {
		if c.how == "" {
			continue
		}
		until := c.until
		if until.IsZero() {
			until = time.Now()
		}
		// What arrived when the process was dead was on its way.
		if slices.Contains(c.slot.vendor.creating(c.at, until), id) {
			a.held.inFlight++
			return true
		}
		switch {
		case c.what != atRandom && c.what != brokerDies && slices.Contains(c.requests, id):
			why = &a.held.placed
		case why == &a.held.placed:
		case slices.Contains(c.slot.vendor.creating(c.at.Add(-moment), c.at), id),
			!a.called(id) && a.begun(id, c.at.Add(-moment), c.at):
			why = &a.held.beside
		case c.what == brokerDies && why == &a.held.wrong && a.begun(id, c.at.Add(-a.plan.ackWait), c.at.Add(moment)):
			why = &a.held.broker
		}
	}
	*why++
	return why != &a.held.wrong
}

// called reports whether a call for the purchase came to the vendor at all.
func (a *audit) called(id string) bool {
	return slices.ContainsFunc(a.slots, func(s *slot) bool {
		return slices.Contains(s.vendor.creating(time.Time{}, time.Now()), id)
	})
}

// begun reports whether an intent to call for the purchase is of the time given.
func (a *audit) begun(id string, from, to time.Time) bool {
	return slices.ContainsFunc(a.records.intents[id], func(in fulfillment.Intent) bool {
		return in.Time.After(from) && in.Time.Before(to)
	})
}

// settled reports whether everything has ended, one way or the other.
func (w *world) settled(r *records) bool {
	w.load.mu.Lock()
	defer w.load.mu.Unlock()
	return !slices.ContainsFunc(w.load.chains, func(c *chain) bool {
		last := c.requests[len(c.requests)-1]
		closed := slices.ContainsFunc(r.events[last], func(e fulfillment.EventBody) bool {
			return e.Event.Closes() && e.Event != fulfillment.EventInquiring
		})
		return len(r.letters[last]) == 0 && !(c.over && closed)
	})
}
