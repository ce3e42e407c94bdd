package deadletter

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/headrace/headrace/pkg/episode"
	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/stream"
)

// Errors of Send, Discard and their plans.
var (
	// ErrSettled: the asset has moved on since the letter was written, by this
	// deed or otherwise. There is nothing to send again and nothing to discard.
	ErrSettled = errors.New("the asset has moved on, so that there is nothing left to do")
	// ErrOutcome: a vendor call was begun and its outcome is not known, so that
	// the operator must say what came of it.
	ErrOutcome = errors.New("a vendor call was begun and its outcome is not known: say whether it was done")
	// ErrNoSource: the letter is about something that never was in a stream.
	ErrNoSource = errors.New("it never was a message: it comes again from Connect by itself once it can be read")
)

// Outcome is what an operator knows of a vendor call.
type Outcome string

// The outcomes.
const (
	OutcomeUnsaid  Outcome = ""
	OutcomeDone    Outcome = "done"     // the vendor has carried it out
	OutcomeNotDone Outcome = "not-done" // the vendor has not
)

// Redrive says how a letter goes on.
type Redrive struct {
	Outcome Outcome
	// Set are the parameters to save, with OutcomeDone: the tenant id first.
	Set []fulfillment.Param
	// Body, if set, takes the place of the message's own: it was edited. It must
	// be about the same request, else ErrBody.
	Body []byte
	// By names the operator, for the audit trail.
	By string
}

func (r Redrive) deed(e Entry) *fulfillment.Deed {
	d := &fulfillment.Deed{
		Deed: fulfillment.DeedRedriven, By: r.By, Letter: e.position(), Stage: e.Stage, Outcome: string(r.Outcome), Edited: r.Body != nil,
	}
	for _, p := range r.Set {
		d.Set = append(d.Set, p.ID)
	}
	return d
}

// Operator is what operators' commands need of the stream layer.
type Operator interface {
	Reader
	Append(ctx context.Context, m stream.Message, opts ...stream.AppendOption) (uint64, error)
}

// PlanSend tells in a few words what Send would do with the letter, or fails
// with the error that Send would fail with. It changes nothing; what it says may
// be out of date a moment later.
func PlanSend(ctx context.Context, r Reader, e Entry, with Redrive) (string, error) {
	p, err := planSend(ctx, r, e, with)
	if err != nil {
		return "", err
	}
	return p.does, nil
}

// sending is what Send is about to do.
type sending struct {
	head   episode.Head
	intent *fulfillment.Intent // the call of unknown outcome that is to be told not done
	fence  uint64              // sequence of the intent, or of the last result
	result *fulfillment.Result // what the committer gets, of a letter about a result
	does   string
}

func planSend(ctx context.Context, r Reader, e Entry, with Redrive) (*sending, error) {
	head, err := openHead(ctx, r, e)
	if err != nil {
		return nil, err
	}
	if with.Body != nil {
		if err := sameRequest(e, with.Body); err != nil {
			return nil, fmt.Errorf("redrive %s: %w", e.ID, err)
		}
	}
	p := &sending{head: head}
	if e.Stream == fulfillment.StreamResults {
		err = p.planResult(ctx, r, e, with)
	} else {
		err = p.planRequest(ctx, r, with)
	}
	if err != nil {
		return nil, fmt.Errorf("redrive %s: %w", e.ID, err)
	}
	return p, nil
}

// Send lets a dead letter go on: a request is delivered to its service again, a
// result to the committer. With OutcomeDone the request is approved without a
// call to the vendor. Who did it is stored with the deed, and recorded in the
// audit trail. It may be called again, and by several at once: one sends, and
// the others fail with ErrSettled; should the record be missing, they add it.
// When ctx ends in the middle, calling it again tells what came of it.
func Send(ctx context.Context, o Operator, e Entry, with Redrive) error {
	p, err := planSend(ctx, o, e, with)
	if err != nil {
		return settled(ctx, o, e, err)
	}
	if err := retell(ctx, o, e); err != nil {
		return fmt.Errorf("redrive %s: %w", e.ID, err)
	}
	deed := with.deed(e)
	now := time.Now().UTC()
	if p.result != nil {
		err = resendResult(ctx, o, p, now, deed)
	} else {
		err = resendRequest(ctx, o, e, p, with, now)
	}
	if errors.Is(err, stream.ErrConflict) {
		return settled(ctx, o, e, fmt.Errorf("redrive %s: %w", e.ID, ErrSettled))
	}
	if err != nil {
		return fmt.Errorf("redrive %s: %w", e.ID, err)
	}
	return record(ctx, o, e, deed, now)
}

// openHead returns the head that the letter is about, if its episode is open
// and nothing was sent since.
func openHead(ctx context.Context, r Reader, e Entry) (episode.Head, error) {
	if e.Sequence == 0 || e.AssetID == "" {
		return episode.Head{}, fmt.Errorf("dead letter %s: %w", e.ID, ErrNoSource)
	}
	head, err := episode.HeadOf(ctx, r, e.AssetID)
	if err != nil {
		return episode.Head{}, err
	}
	settled := fmt.Errorf("dead letter %s: %w", e.ID, ErrSettled)
	if head.Sequence == 0 || head.Episode != e.Episode || e.Stream == fulfillment.StreamRequests && head.Sequence != e.Sequence {
		return episode.Head{}, settled
	}
	closing, err := episode.ClosingOf(ctx, r, head.Key)
	if err != nil {
		return episode.Head{}, err
	}
	if closing.Covers(head.Episode) {
		return episode.Head{}, settled
	}
	return head, nil
}

// planRequest looks whether a vendor call is open. A vendor that honours the
// key may be called again without that anybody says what came of the first, and
// one with a lookup is asked.
func (p *sending) planRequest(ctx context.Context, r Reader, with Redrive) error {
	p.does = "give it to its service again, to be looked at afresh"
	if with.Body != nil {
		p.does = "give it to its service again, with the edited body"
	}
	if with.Outcome == OutcomeDone {
		p.does = "approve it without a vendor call, saving no parameter"
		if ids := with.deed(Entry{}).Set; len(ids) > 0 {
			p.does = "approve it without a vendor call, after saving " + strings.Join(ids, ", ")
		}
	}
	in, last, err := lastIntent(ctx, r, p.head.Key)
	if err != nil {
		return err
	}
	open := last != 0 && in.State != fulfillment.IntentNotDone
	switch {
	case with.Outcome == OutcomeDone:
	case with.Outcome == OutcomeNotDone && (last == 0 || open): // also where the proof of the call is lost
		if last == 0 {
			in.Episode, in.Attempt, in.IdempotencyKey = p.head.Episode, p.head.Attempt, p.head.Key.Request
		}
		p.intent, p.fence = &in, last
		p.does += "; the vendor call is made again"
	case !open:
	case in.Idempotent:
		p.does += "; the vendor call is repeated with its key"
	case in.Lookup:
		p.does += "; the vendor is asked whether it was done"
	default:
		return ErrOutcome
	}
	return nil
}

// lastIntent is the last intent of a request and its sequence, 0 if there is none.
func lastIntent(ctx context.Context, r Reader, key fulfillment.Key) (in fulfillment.Intent, sequence uint64, err error) {
	sequence, err = episode.LastBody(ctx, r, fulfillment.StreamResults, key.Subject(fulfillment.RootIntents), &in)
	return in, sequence, err
}

// resendRequest makes a retry of the head, with its counts begun anew.
func resendRequest(ctx context.Context, o Operator, e Entry, p *sending, with Redrive, now time.Time) error {
	head := p.head
	if in := p.intent; in != nil {
		in.RequestID, in.AssetID, in.ProductID, in.Type = head.Key.Request, head.Key.Asset, head.Key.Product, head.Key.Type
		in.State, in.Reason, in.Time = fulfillment.IntentNotDone, "said by "+with.By, now
		if _, err := episode.PutIntent(ctx, o, *in, fmt.Sprintf("not-done-%d", p.fence), p.fence); err != nil {
			return err
		}
	}
	id := fulfillment.StepID(head.Key.Request, head.Episode, fmt.Sprintf("redrive-%d", head.Sequence))
	body := head.Stored.Body
	if with.Body != nil {
		body = with.Body
	}
	deed, err := deedHeader(with.deed(e))
	if err != nil {
		return err
	}
	header := fulfillment.Envelope{
		ID: id, Kind: "requested", Schema: fulfillment.RequestSchema(head.Key.Type), Key: head.Key,
		Episode: head.Episode, Attempt: e.Attempts + 1, Time: now,
	}.Header()
	header[fulfillment.HeaderRedriven] = now.Format(time.RFC3339Nano)
	header[deed.Name] = deed.Value
	if round := head.Stored.Header[fulfillment.HeaderReplay]; round != "" {
		header[fulfillment.HeaderReplay] = round // of all messages of the episode
	}
	if with.Outcome == OutcomeDone {
		done, err := json.Marshal(append([]fulfillment.Param{}, with.Set...))
		if err != nil {
			return err
		}
		header[fulfillment.HeaderDone] = string(done)
	}
	_, err = o.Append(ctx, stream.Message{
		Subject: head.Key.Subject(fulfillment.RootRetries), ID: id, Body: body, Header: header,
	}, episode.Expect(head.Key.Asset, head.Sequence))
	return err
}

// planResult reads the result that the committer is to get again.
func (p *sending) planResult(ctx context.Context, r Reader, e Entry, with Redrive) error {
	last, err := episode.LastSequence(ctx, r, fulfillment.StreamResults, e.Key().Subject(fulfillment.RootResults))
	if err != nil {
		return err
	}
	if last > e.Sequence {
		return ErrSettled
	}
	body := e.Body
	if with.Body != nil {
		body = with.Body
	}
	p.result, p.fence = new(fulfillment.Result), last
	if err := json.Unmarshal(body, p.result); err != nil {
		return fmt.Errorf("read the result: %w", err)
	}
	if p.result.Key() != e.Key() {
		return ErrBody
	}
	p.does = fmt.Sprintf("give its result (%s) to the committer again", p.result.Decision)
	if with.Outcome == OutcomeDone {
		p.result.Decision, p.result.Reason = fulfillment.Approve, "carried out at the vendor, as an operator says"
		p.result.IfRefused = fulfillment.Hold
		p.result.Params = fulfillment.Merge(p.result.Params, with.Set)
		p.does = "have the committer approve it"
	}
	return nil
}

// resendResult gives the committer the result again, as a new message.
func resendResult(ctx context.Context, o Operator, p *sending, now time.Time, deed *fulfillment.Deed) error {
	h, err := deedHeader(deed)
	if err != nil {
		return err
	}
	p.result.Time = now
	_, err = episode.PutResult(ctx, o, *p.result, fmt.Sprintf("redrive-%d", p.fence), p.fence, h)
	return err
}
