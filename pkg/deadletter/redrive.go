package deadletter

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/headrace/headrace/pkg/episode"
	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/stream"
)

// Errors of Redrive and Discard.
var (
	// ErrSettled: the asset has moved on since the letter was written. There is
	// nothing to send again and nothing to discard.
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
	// Body, if set, takes the place of the message's own: it was edited.
	Body []byte
	// By names the operator, for the audit trail.
	By string
}

// Operator is what operators' commands need of the stream layer.
type Operator interface {
	Reader
	Append(ctx context.Context, m stream.Message, opts ...stream.AppendOption) (uint64, error)
}

// Send lets a dead letter go on: a request is delivered to its service again, a
// result to the committer. With OutcomeDone the request is approved without a
// call to the vendor. It may be called again: once the asset has moved on it
// fails with ErrSettled, and nothing happens.
func Send(ctx context.Context, o Operator, e Entry, r Redrive) error {
	head, err := openHead(ctx, o, e)
	if err != nil {
		return err
	}
	if e.Stream == fulfillment.StreamResults {
		err = resendResult(ctx, o, e, r)
	} else {
		err = resendRequest(ctx, o, e, head, r)
	}
	if errors.Is(err, stream.ErrConflict) {
		return fmt.Errorf("redrive %s: %w", e.ID, ErrSettled)
	}
	if err != nil {
		return fmt.Errorf("redrive %s: %w", e.ID, err)
	}
	return audit(ctx, o, e, "redriven", r.By)
}

// Discard leaves the episode of a dead letter to a person: it is closed, and the
// request is not opened again although it may stay pending in Connect. It may
// be called again. A letter that has no open episode is only marked as dealt
// with.
func Discard(ctx context.Context, o Operator, e Entry, reason, by string) error {
	head, err := openHead(ctx, o, e)
	if errors.Is(err, ErrSettled) || errors.Is(err, ErrNoSource) {
		return audit(ctx, o, e, "discarded", by) // there is no episode to close
	}
	if err != nil {
		return err
	}
	closing, err := episode.ClosingOf(ctx, o, head.Key)
	if err != nil {
		return fmt.Errorf("discard %s: %w", e.ID, err)
	}
	err = episode.PutEvent(ctx, o, fulfillment.EventBody{
		RequestID: head.Key.Request, AssetID: head.Key.Asset, ProductID: head.Key.Product, Type: head.Key.Type,
		Event: fulfillment.EventDiscarded, Episode: head.Episode, Status: "pending", Reason: reason, Time: time.Now().UTC(),
	}, closing.Last)
	if errors.Is(err, stream.ErrConflict) {
		return fmt.Errorf("discard %s: %w", e.ID, ErrSettled)
	}
	if err != nil {
		return fmt.Errorf("discard %s: %w", e.ID, err)
	}
	return audit(ctx, o, e, "discarded", by)
}

// openHead returns the head that the letter is about, if its episode is open
// and nothing was sent since.
func openHead(ctx context.Context, o Operator, e Entry) (episode.Head, error) {
	if e.Sequence == 0 || e.AssetID == "" {
		return episode.Head{}, fmt.Errorf("dead letter %s: %w", e.ID, ErrNoSource)
	}
	head, err := episode.HeadOf(ctx, o, e.AssetID)
	if err != nil {
		return episode.Head{}, err
	}
	settled := fmt.Errorf("dead letter %s: %w", e.ID, ErrSettled)
	if head.Sequence == 0 || head.Episode != e.Episode || e.Stream == fulfillment.StreamRequests && head.Sequence != e.Sequence {
		return episode.Head{}, settled
	}
	closing, err := episode.ClosingOf(ctx, o, head.Key)
	if err != nil {
		return episode.Head{}, err
	}
	if closing.Covers(head.Episode) {
		return episode.Head{}, settled
	}
	return head, nil
}

// resendRequest makes a retry of the head, with its counts begun anew.
func resendRequest(ctx context.Context, o Operator, e Entry, head episode.Head, r Redrive) error {
	if err := settleCall(ctx, o, head, r); err != nil {
		return err
	}
	now := time.Now()
	id := fulfillment.StepID(head.Key.Request, head.Episode, fmt.Sprintf("redrive-%d", head.Sequence))
	body := head.Stored.Body
	if r.Body != nil {
		body = r.Body
	}
	header := fulfillment.Envelope{
		ID: id, Kind: "requested", Schema: fulfillment.RequestSchema(head.Key.Type), Key: head.Key,
		Episode: head.Episode, Attempt: e.Attempts + 1, Time: now,
	}.Header()
	header[fulfillment.HeaderRedriven] = now.UTC().Format(time.RFC3339Nano)
	if r.Outcome == OutcomeDone {
		done, err := json.Marshal(append([]fulfillment.Param{}, r.Set...))
		if err != nil {
			return err
		}
		header[fulfillment.HeaderDone] = string(done)
	}
	_, err := o.Append(ctx, stream.Message{
		Subject: head.Key.Subject(fulfillment.RootRetries), ID: id, Body: body, Header: header,
	}, episode.Expect(head.Key.Asset, head.Sequence))
	return err
}

// settleCall records what the operator knows of a call of unknown outcome, also
// where the proof of it is lost. A vendor that honours the key may be called again
// without that, and one with a lookup is asked.
func settleCall(ctx context.Context, o Operator, head episode.Head, r Redrive) error {
	in, last, err := lastIntent(ctx, o, head.Key)
	if err != nil {
		return err
	}
	open := last != 0 && in.State != fulfillment.IntentNotDone
	switch {
	case r.Outcome == OutcomeUnsaid && open && !in.Idempotent && !in.Lookup:
		return ErrOutcome
	case r.Outcome != OutcomeNotDone || last != 0 && !open:
		return nil
	}
	in.RequestID, in.AssetID, in.ProductID, in.Type = head.Key.Request, head.Key.Asset, head.Key.Product, head.Key.Type
	if last == 0 {
		in.Episode, in.Attempt, in.IdempotencyKey = head.Episode, head.Attempt, head.Key.Request
	}
	in.State, in.Reason, in.Time = fulfillment.IntentNotDone, "said by "+r.By, time.Now().UTC()
	_, err = episode.PutIntent(ctx, o, in, fmt.Sprintf("not-done-%d", last), last)
	return err
}

// lastIntent is the last intent of a request and its sequence, 0 if there is none.
func lastIntent(ctx context.Context, o Operator, key fulfillment.Key) (in fulfillment.Intent, sequence uint64, err error) {
	m, err := o.Last(ctx, fulfillment.StreamResults, key.Subject(fulfillment.RootIntents))
	if errors.Is(err, stream.ErrNotFound) {
		return in, 0, nil
	}
	if err != nil {
		return in, 0, err
	}
	if err := json.Unmarshal(m.Body, &in); err != nil {
		return in, 0, fmt.Errorf("read intent of %s: %w", key.Request, err)
	}
	return in, m.Sequence, nil
}

// resendResult gives the committer the result again, as a new message.
func resendResult(ctx context.Context, o Operator, e Entry, r Redrive) error {
	body := e.Body
	if r.Body != nil {
		body = r.Body
	}
	var result fulfillment.Result
	if err := json.Unmarshal(body, &result); err != nil {
		return fmt.Errorf("read the result: %w", err)
	}
	if r.Outcome == OutcomeDone {
		result.Decision, result.Reason = fulfillment.Approve, "carried out at the vendor, as "+r.By+" says"
		result.IfRefused = fulfillment.Hold
		result.Params = fulfillment.Merge(result.Params, r.Set)
	}
	return putResult(ctx, o, result.Key(), result)
}

func putResult(ctx context.Context, o Operator, key fulfillment.Key, r fulfillment.Result) error {
	last, err := episode.LastSequence(ctx, o, fulfillment.StreamResults, key.Subject(fulfillment.RootResults))
	if err != nil {
		return err
	}
	r.Time = time.Now().UTC()
	_, err = episode.PutResult(ctx, o, r, fmt.Sprintf("redrive-%d", last), last)
	return err
}

// audit stores who did what to a letter. It comes after the deed: a deed
// without a trail can be told from the streams, a trail without one lies.
func audit(ctx context.Context, o Operator, e Entry, deed, by string) error {
	l := fulfillment.Letter{
		RequestID: e.RequestID, AssetID: e.AssetID, ProductID: e.ProductID, Type: e.Type,
		Stage: fulfillment.StageAudit, Reason: fmt.Sprintf("dead letter %s (%s) was %s by %s", e.ID, e.Stage, deed, by),
		Episode: e.Episode, Attempts: e.Attempts, Time: time.Now().UTC(),
		Stream: fulfillment.StreamDead, Sequence: e.position(), Subject: e.Subject,
	}
	body, err := json.Marshal(l)
	if err != nil {
		return fmt.Errorf("audit %s: %w", e.ID, err)
	}
	id := fmt.Sprintf("%s/%s/%d", deed, e.ID, l.Time.UnixNano())
	if _, err := o.Append(ctx, stream.Message{
		Subject: l.Key().DeadSubject(l.Stage), ID: id, Body: body,
		Header: fulfillment.Envelope{
			ID: id, Kind: "dead", Schema: fulfillment.SchemaDead, Key: l.Key(), Episode: l.Episode, Attempt: l.Attempts, Time: l.Time,
		}.Header(),
	}); err != nil {
		return fmt.Errorf("%s is %s, but that could not be recorded: %w", e.ID, deed, err)
	}
	return nil
}
