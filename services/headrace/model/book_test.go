package model

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/headrace/headrace/pkg/connectsim"
	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/stream"
	"github.com/headrace/headrace/pkg/vendorsim"
)

// book is what the model has seen, and found wrong.
type book struct {
	wrong     []string
	requests  map[string]*request // by id
	assets    map[string]*asset   // by id
	messages  []*message          // that a handler gets, in the order of storing
	schedules map[string]*message // not yet fired, by subject
	letters   map[string]bool     // what letters are about
	stored    map[uint64]bool     // their sequences
	appends   int
}

func newBook() book {
	return book{
		requests: map[string]*request{}, assets: map[string]*asset{},
		schedules: map[string]*message{}, letters: map[string]bool{}, stored: map[uint64]bool{},
	}
}

// message is a stored message.
type message struct {
	stream    string
	seq       uint64
	key       fulfillment.Key
	delivered int // how often its durable has handed it out
	acked     bool
	age       time.Duration  // that it has beside its true one
	stored    stream.Message // of a schedule
}

func (m *message) String() string {
	return fmt.Sprintf("%s %d of %s %s", strings.ToLower(strings.TrimPrefix(m.stream, "FULFILLMENT_")), m.seq, m.key.Type, m.key.Request)
}

// asset is a subscription.
type asset struct {
	requests []*request // in Connect's order
	open     *request   // that has the open episode
	episode  uint64     // its number
	head     uint64     // sequence of the last message about it
}

// request is what the model knows of a request.
type request struct {
	id, asset string
	typ       fulfillment.Type
	touched   bool   // by a person or by an operator who gave it up: we vouch no more
	answered  bool   // it was inquired, and became pending again
	refused   bool   // Connect answered 400 at some time
	disturbed bool   // a run of it was killed, or struck by a fault
	done      bool   // at the vendor, as an operator says
	closed    uint64 // the last episode that an event closed
	creations int
	decided   map[uint64]bool // episodes with a final result
	approves  map[uint64]bool // those whose result is approve
	told      []string        // of the open episode, as in the events' ids
	inquiring bool            // was the last event that closed
	discarded bool
	buried    bool // a result of it
}

func (w *world) violate(format string, args ...any) {
	w.wrong = append(w.wrong, fmt.Sprintf(format, args...))
}

func (w *world) disturb(r *run) {
	for _, q := range w.requests {
		if r.request == "" || q.id == r.request {
			q.disturbed = true
		}
	}
}

func (w *world) statusOf(id string) string {
	r, _ := w.connect.Request(id)
	return r.Status
}

// appended judges a message that was stored just now.
func (w *world) appended(m stream.Message, seq uint64) {
	w.appends++
	w.t.Logf("    stored %s: %d", m.Subject, seq)
	if strings.HasPrefix(m.Subject, fulfillment.RootEvents+".") {
		w.published(m)
		return
	}
	if strings.HasPrefix(m.Subject, fulfillment.RootDead+".") {
		w.buried(m, seq)
		return
	}
	root, key, err := fulfillment.ParseSubject(m.Subject)
	if err != nil {
		w.violate("stored on %s: %v", m.Subject, err)
		return
	}
	stored := &message{stream: fulfillment.StreamRequests, seq: seq, key: key, stored: m}
	if root != fulfillment.RootResults && root != fulfillment.RootIntents {
		w.assets[key.Asset].head = seq
	}
	switch root {
	case fulfillment.RootRequests:
		w.opened(key, seq)
		w.messages = append(w.messages, stored)
	case fulfillment.RootRetries:
		w.messages = append(w.messages, stored)
	case fulfillment.RootSchedules:
		w.schedules[m.Subject] = stored
	case fulfillment.RootResults:
		stored.stream = fulfillment.StreamResults
		w.decided(m, key)
		w.messages = append(w.messages, stored)
	}
}

// opened: one episode at a time for each asset, of the request that is due.
func (w *world) opened(key fulfillment.Key, seq uint64) {
	a := w.assets[key.Asset]
	if a.open != nil {
		w.violate("%s is opened while episode %d of %s is open", key.Request, a.episode, a.open.id)
	}
	for _, earlier := range a.requests {
		if earlier.id == key.Request {
			break
		}
		if w.statusOf(earlier.id) == "pending" && !earlier.touched && !earlier.answered {
			w.violate("%s is opened before %s", key.Request, earlier.id)
		}
	}
	a.open, a.episode = w.requests[key.Request], seq
}

// decided: an episode is decided once. An operator's redrive of a result is one
// more.
func (w *world) decided(m stream.Message, key fulfillment.Key) {
	var r fulfillment.Result
	if err := json.Unmarshal(m.Body, &r); err != nil {
		w.violate("result of %s: %v", key.Request, err)
		return
	}
	q := w.requests[key.Request]
	finished := r.Decision == fulfillment.Recheck && q.buried // by a person, while the result was an operator's
	if r.Decision.Final() && q.decided[r.Episode] && !strings.Contains(m.ID, "/redrive-") && !finished {
		w.violate("episode %d of %s is decided twice", r.Episode, q.id)
	}
	q.decided[r.Episode] = q.decided[r.Episode] || r.Decision.Final()
	q.approves[r.Episode] = r.Decision == fulfillment.Approve
}

// published: each episode is closed once, never an older one after a later, and
// by what is true; within it, each fact is told once and in order.
func (w *world) published(m stream.Message) {
	var e fulfillment.EventBody
	if err := json.Unmarshal(m.Body, &e); err != nil {
		w.violate("event: %v", err)
		return
	}
	q, a := w.requests[e.RequestID], w.assets[e.AssetID]
	if e.Episode <= q.closed {
		w.violate("event %s of episode %d of %s, where episode %d is closed", e.Event, e.Episode, q.id, q.closed)
	}
	if a.open != q || a.episode != e.Episode {
		w.violate("event %s of episode %d of %s, which is not open", e.Event, e.Episode, q.id)
	}
	w.inOrder(q, e, strings.TrimPrefix(m.ID, fulfillment.StepID(q.id, e.Episode, "")))
	if e.Event.Closes() {
		w.closed(q, e)
		q.closed, q.told, q.inquiring = e.Episode, nil, e.Event == fulfillment.EventInquiring
		a.open = nil
	}
}

// inOrder: an episode begins with the fact that it was opened, no fact is told
// twice, and nothing is told before what it rests on.
func (w *world) inOrder(q *request, e fulfillment.EventBody, step string) {
	opening := string(fulfillment.EventReceived)
	if q.inquiring {
		opening = string(fulfillment.EventAnswered)
	}
	if (len(q.told) == 0) != (step == opening) {
		w.violate("event %s of %s after %v, where the episode begins with %s", step, q.id, q.told, opening)
	}
	if slices.Contains(q.told, step) {
		w.violate("event %s of episode %d of %s is told twice", step, e.Episode, q.id)
	}
	of := fulfillment.SubscriptionEvent(e.Type)
	switch {
	case e.Event == fulfillment.EventProvisioned && !w.didIt(q):
		w.violate("%s is provisioned, and the vendor did not do it", q.id)
	case e.Event == of && w.statusOf(q.id) != "approved":
		w.violate("event %s of %s, which is %s in Connect", e.Event, q.id, w.statusOf(q.id))
	case (e.Event == of || e.Event == fulfillment.EventApproved) && q.approves[e.Episode] && !slices.Contains(q.told, "provisioned"):
		w.violate("event %s of %s, and nobody was told that it is provisioned: %v", e.Event, q.id, q.told)
	case e.Event == fulfillment.EventApproved && !slices.Contains(q.told, string(of)):
		w.violate("event %s of %s, and not %s: %v", e.Event, q.id, of, q.told)
	case e.Event == fulfillment.EventProvisioned && slices.Contains(q.told, string(of)):
		w.violate("event %s of %s after %s", e.Event, q.id, of)
	case e.Letter != 0 && !w.stored[e.Letter]:
		w.violate("event %s of %s, and there is no letter %d", e.Event, q.id, e.Letter)
	}
	q.told = append(q.told, step)
}

// closed: an episode is closed by what is true.
func (w *world) closed(q *request, e fulfillment.EventBody) {
	status := w.statusOf(q.id)
	switch e.Event {
	case fulfillment.EventApproved, fulfillment.EventFailed:
		if status != string(e.Event) {
			w.violate("event %s of %s, which is %s in Connect", e.Event, q.id, status)
		}
	case fulfillment.EventInquiring:
		if status != "inquiring" && !q.answered && !q.touched {
			w.violate("event inquiring of %s, which is %s in Connect", q.id, status)
		}
	case fulfillment.EventDiscarded:
		q.discarded, q.touched = true, true
	default:
	}
}

// buried: one letter about a message.
func (w *world) buried(m stream.Message, seq uint64) {
	var l fulfillment.Letter
	if err := json.Unmarshal(m.Body, &l); err != nil {
		w.violate("dead letter: %v", err)
		return
	}
	if l.Stage == fulfillment.StageAudit {
		return
	}
	w.t.Logf("    %s: %s", l.Stage, l.Reason)
	about := fmt.Sprintf("%s %d %s", l.Stream, l.Sequence, l.Digest)
	if w.letters[about] {
		w.violate("a second dead letter about message %d of %s (%s)", l.Sequence, l.Stream, l.RequestID)
	}
	w.letters[about], w.stored[seq] = true, true
	if q := w.requests[l.RequestID]; q != nil && l.Stream == fulfillment.StreamResults {
		q.buried = true
	}
}

// tellsConnect judges a call that Connect is about to get.
func (w *world) tellsConnect(r *http.Request) func(int) {
	id, action, found := action(r)
	if !found {
		return func(int) {}
	}
	before := w.statusOf(id)
	return func(status int) {
		if status > 299 {
			return
		}
		w.t.Logf("    Connect: %s %s", id, action)
		if before != "pending" {
			w.violate("%s of %s, which was %s in Connect", action, id, before)
		}
		if action == "approve" && !w.didIt(w.requests[id]) {
			w.violate("%s is approved, and the vendor did not do it", id)
		}
	}
}

// action reads /requests/{id}/{approve, fail or inquire}.
func action(r *http.Request) (id, verb string, found bool) {
	path := strings.TrimPrefix(r.URL.Path, connectsim.BasePath+"/requests/")
	id, verb, _ = strings.Cut(path, "/")
	return id, verb, r.Method == http.MethodPost && slices.Contains([]string{"approve", "fail", "inquire"}, verb)
}

// refuses makes Connect refuse an action with 400, which it then may do for
// good: so the model remembers it.
func (w *world) refuses(r *http.Request) bool {
	id, _, found := action(r)
	if found {
		w.requests[id].refused = true
	}
	return found
}

// didIt reports whether the vendor carried the request out, as its own books or
// an operator say.
func (w *world) didIt(q *request) bool {
	if q.done {
		return true
	}
	gone := true
	for _, op := range w.vendor.Operations() {
		if op.IdempotencyKey == q.id {
			return true
		}
		if op.ExternalID == q.asset {
			gone = op.Kind == vendorsim.Delete
		}
	}
	return q.typ == fulfillment.Cancel && gone // deleting what is gone is done
}

// tellsVendor judges a call to the vendor, and its effects.
func (w *world) tellsVendor(call *http.Request) func(int) {
	if r, ok := call.Context().Value(runKey{}).(*run); ok && r.stale {
		w.violate("%s calls the vendor, and was superseded or closed before", r.name)
	}
	before := len(w.vendor.Operations())
	return func(int) {
		for _, op := range w.vendor.Operations()[before:] {
			w.t.Logf("    vendor: %s %s for %s", op.Kind, op.TenantID, op.IdempotencyKey)
			q := w.requests[op.IdempotencyKey]
			if op.Kind == vendorsim.Create {
				if q.creations++; q.creations > 1 {
					w.violate("%d tenants for %s", q.creations, q.id)
				}
			}
			if open := w.assets[q.asset].open; open != q && !q.touched {
				w.violate("the vendor carries out %s, which has no open episode", q.id)
			}
		}
	}
}
