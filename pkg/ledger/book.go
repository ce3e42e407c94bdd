package ledger

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/stream"
)

// book is what the streams say of one request, read in the order requests,
// results, dead letters, events: each can overrule what came before it.
type book struct {
	key   fulfillment.Key
	steps []Step

	head   head
	saved  verdict // the last result of the head's episode
	buried verdict // the last dead letter of it
	closed verdict // the last event of it

	decided uint64             // sequence of the final result of it
	about   fulfillment.Letter // the last dead letter of it
}

// head is the request's last message in the stream of requests.
type head struct {
	sequence uint64
	episode  uint64
	attempt  int
	root     string
	time     time.Time
}

// verdict is what was said of the head, and when.
type verdict struct {
	state  fulfillment.State
	reason string
	time   time.Time
}

func (b *book) step(m *stream.Stored, what, reason string, episode uint64, attempt int) {
	if by := m.Header[fulfillment.HeaderOperator]; by != "" {
		what += ", replayed by " + by
	}
	b.steps = append(b.steps, Step{Time: m.Time, Step: what, Episode: episode, Attempt: attempt, Reason: reason})
}

func (b *book) request(m *stream.Stored) {
	root, _, _ := fulfillment.ParseSubject(m.Subject) // keyOf saw that it can be parsed
	b.head = head{m.Sequence, fulfillment.Episode(m.Header, m.Sequence), fulfillment.Attempt(m.Header), root, m.Time}
	what := map[string]string{
		fulfillment.RootRequests: "requested", fulfillment.RootSchedules: "scheduled", fulfillment.RootRetries: "tried again",
	}[root]
	b.step(m, what, "", b.head.episode, b.head.attempt)
}

func (b *book) result(m *stream.Stored) {
	root, _, _ := fulfillment.ParseSubject(m.Subject)
	if root == fulfillment.RootIntents {
		var in fulfillment.Intent
		if json.Unmarshal(m.Body, &in) == nil {
			b.step(m, "vendor call "+string(in.State), in.Reason, in.Episode, in.Attempt)
		}
		return
	}
	var r fulfillment.Result
	if json.Unmarshal(m.Body, &r) != nil {
		return
	}
	b.step(m, "decided: "+string(r.Decision), r.Reason, r.Episode, r.Attempt)
	if r.Episode != b.head.episode {
		return
	}
	b.saved, b.decided = verdict{reason: r.Reason, time: m.Time}, 0
	if r.Decision.Final() {
		b.saved.state, b.decided = fulfillment.StateCommitting, m.Sequence
	}
}

func (b *book) letter(m *stream.Stored) {
	var l fulfillment.Letter
	if json.Unmarshal(m.Body, &l) != nil {
		return
	}
	b.step(m, "dead letter: "+string(l.Stage), l.Reason, l.Episode, l.Attempts)
	if l.Stage == fulfillment.StageAudit {
		b.buried = verdict{}
		return
	}
	if b.head.sequence != 0 && l.Episode != b.head.episode {
		return
	}
	b.about, b.buried = l, verdict{state: fulfillment.StateDead, reason: l.Reason, time: m.Time}
	if l.Stage == fulfillment.StageHold {
		b.buried.state = fulfillment.StateHeld
	}
}

func (b *book) event(m *stream.Stored) {
	var e fulfillment.EventBody
	if json.Unmarshal(m.Body, &e) != nil {
		return
	}
	b.step(m, "event: "+string(e.Event), e.Reason, e.Episode, 0)
	if !e.Event.Closes() || e.Episode < b.head.episode {
		return
	}
	b.closed = verdict{state: fulfillment.StateOf(e.Event), reason: e.Reason, time: m.Time}
	if e.Event == fulfillment.EventLeft && e.Reason == "" {
		b.closed.reason = fmt.Sprintf("it is %s in Connect", e.Status)
	}
}

// entry draws the conclusion. It is that of episode.StateOf, from what was read
// in one go.
func (b *book) entry() Entry {
	e := Entry{
		RequestID: b.key.Request, AssetID: b.key.Asset, ProductID: b.key.Product, Type: b.key.Type,
		Episode: b.head.episode, Attempt: b.head.attempt, Updated: b.head.time,
	}
	v := verdict{state: fulfillment.StateQueued, time: b.head.time}
	switch {
	case b.closed.state != "":
		v = b.closed
	case b.buried.state != "" && b.about.Stands(b.head.sequence, b.decided):
		v = b.buried
	case b.saved.state != "":
		v = b.saved
	case b.head.root == fulfillment.RootSchedules:
		v = verdict{state: fulfillment.StateWaiting, reason: b.saved.reason, time: b.head.time}
	case b.head.root == fulfillment.RootRetries:
		v = verdict{state: fulfillment.StateDeciding, reason: b.saved.reason, time: b.head.time}
	}
	e.State, e.Reason, e.Updated = v.state, v.reason, v.time
	return e
}
