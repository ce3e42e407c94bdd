package ledger

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/redact"
	"github.com/headrace/headrace/pkg/stream"
)

// book is what the streams say of one request, read in the order requests,
// results, dead letters, events: each can overrule what came before it.
type book struct {
	key   fulfillment.Key
	brief bool // without steps
	steps []Step

	head   head
	saved  verdict // the last result of the head's episode
	buried verdict // the last dead letter of it
	closed verdict // the last event of it

	decided uint64             // sequence of the final result of it
	about   fulfillment.Letter // the last dead letter of it

	opened, begun time.Time // when the episode was opened, and when it was opened or last redriven
	secrets       redact.Secrets
	deeds         map[uint64]bool // letters whose redrive or discard is among the steps
}

// head is the request's last message in the stream of requests.
type head struct {
	sequence uint64
	episode  uint64
	attempt  int
	root     string
	time     time.Time
	due      time.Time // of a schedule
}

// verdict is what was said of the head, and when.
type verdict struct {
	state  fulfillment.State
	reason string
	time   time.Time
}

func (b *book) step(m *stream.Stored, what, reason string, episode uint64, attempt int) {
	if b.brief {
		return
	}
	if by := m.Header[fulfillment.HeaderOperator]; by != "" {
		what += ", replayed by " + by
	}
	b.steps = append(b.steps, Step{Time: m.Time, Step: what, Episode: episode, Attempt: attempt, Reason: reason})
}

func (b *book) request(m *stream.Stored) {
	root, _, _ := fulfillment.ParseSubject(m.Subject) // keyOf saw that it can be parsed
	b.head = head{m.Sequence, fulfillment.Episode(m.Header, m.Sequence), fulfillment.Attempt(m.Header), root, m.Time, m.Due}
	what := map[string]string{
		fulfillment.RootRequests: "requested", fulfillment.RootSchedules: "scheduled", fulfillment.RootRetries: "tried again",
	}[root]
	if round := fulfillment.Number(m.Header, fulfillment.HeaderReplay); round > 0 && root == fulfillment.RootRequests {
		what = fmt.Sprintf("requested again, round %d", round)
	}
	deed, reason, done := b.deed(m)
	if done {
		what = deed
	}
	if b.head.episode == m.Sequence {
		b.opened = m.Time
	}
	if b.head.episode == m.Sequence || done {
		b.begun = m.Time
		b.secrets.JSON(m.Body) // the others have the same
	}
	if !m.Due.IsZero() {
		what += " for " + m.Due.Format(time.RFC3339)
	}
	b.step(m, what, reason, b.head.episode, b.head.attempt)
}

// deed tells what an operator did, if m is the first message that came of it:
// retries keep the header.
func (b *book) deed(m *stream.Stored) (what, reason string, found bool) {
	var d fulfillment.Deed
	if json.Unmarshal([]byte(m.Header[fulfillment.HeaderDeed]), &d) != nil || b.deeds[d.Letter] {
		return "", "", false
	}
	what, reason = b.done(&d)
	return what, reason, true
}

func (b *book) done(d *fulfillment.Deed) (what, reason string) {
	if d.Deed != fulfillment.DeedRevealed {
		if b.deeds == nil {
			b.deeds = map[uint64]bool{}
		}
		b.deeds[d.Letter] = true
	}
	return fmt.Sprintf("dead letter %d %s by %s", d.Letter, d.Deed, d.By), d.More()
}

func (b *book) result(m *stream.Stored) {
	root, _, _ := fulfillment.ParseSubject(m.Subject)
	if root == fulfillment.RootIntents {
		var in fulfillment.Intent
		if json.Unmarshal(m.Body, &in) == nil {
			what := "vendor call begun"
			if in.State == fulfillment.IntentNotDone {
				what = "vendor call had no effect"
			}
			b.step(m, what, in.Reason, in.Episode, in.Attempt)
		}
		return
	}
	var r fulfillment.Result
	if json.Unmarshal(m.Body, &r) != nil {
		return
	}
	b.secrets.JSON(m.Body)
	if what, reason, done := b.deed(m); done {
		b.step(m, what, reason, r.Episode, r.Attempt)
		b.begun = m.Time
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
	if l.Audit != nil {
		b.audit(m, &l)
		return
	}
	b.step(m, fmt.Sprintf("dead letter %d: %s", m.Sequence, l.Stage), l.Reason, l.Episode, l.Attempts)
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

// audit adds a record, unless what was done is among the steps itself.
func (b *book) audit(m *stream.Stored, l *fulfillment.Letter) {
	if l.Audit.Deed != fulfillment.DeedRevealed && b.deeds[l.Audit.Letter] {
		return
	}
	what, reason := b.done(l.Audit)
	b.step(m, what, reason, l.Episode, 0)
}

func (b *book) event(m *stream.Stored) {
	var e fulfillment.EventBody
	if json.Unmarshal(m.Body, &e) != nil {
		return
	}
	if what, reason, done := b.deed(m); done { // it has no record yet
		b.step(m, what, reason, e.Episode, 0)
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
		Episode: b.head.episode, Attempt: b.head.attempt, Opened: b.opened,
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
	e.State, e.Reason, e.Updated, e.Since = v.state, b.secrets.Text(v.reason), v.time, v.time
	if slices.Contains([]fulfillment.State{fulfillment.StateQueued, fulfillment.StateDeciding, fulfillment.StateWaiting}, v.state) && !b.begun.IsZero() {
		e.Since = b.begun
	}
	if v.state == fulfillment.StateWaiting {
		e.Next = b.head.due
	}
	return e
}
