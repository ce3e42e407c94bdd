package episode

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/headrace/headrace/pkg/failpoint"
	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/stream"
)

// Writer is what this package needs of the stream layer to write.
type Writer interface {
	Reader
	Append(ctx context.Context, m stream.Message, opts ...stream.AppendOption) (uint64, error)
}

// PutResult stores a result as the given step of its episode, if last is still
// the sequence of the last result of the request; else it fails with
// stream.ErrConflict. Extra are headers to add. It returns the result's sequence.
func PutResult(ctx context.Context, w Writer, r fulfillment.Result, step string, last uint64, extra ...Header) (uint64, error) {
	key := r.Key()
	e := fulfillment.Envelope{
		ID: fulfillment.StepID(key.Request, r.Episode, step), Kind: "result", Schema: fulfillment.SchemaResult,
		Key: key, Episode: r.Episode, Attempt: r.Attempt, Time: r.Time,
	}
	subject := key.Subject(fulfillment.RootResults)
	expect := stream.ExpectLast(subject, last)
	if failpoint.Off(failpoint.NoFence) {
		expect = stream.ExpectNothing()
	}
	seq, err := put(ctx, w, subject, e, r, extra, expect)
	if err != nil {
		return 0, fmt.Errorf("publish result of %s: %w", key.Request, err)
	}
	return seq, nil
}

// PutIntent stores an intent as the given step of its episode, if last is still
// the sequence of the last intent of the request. It returns its sequence.
func PutIntent(ctx context.Context, w Writer, in fulfillment.Intent, step string, last uint64) (uint64, error) {
	return putIntent(ctx, w, in, step, stream.ExpectLast(keyOfIntent(in).Subject(fulfillment.RootIntents), last))
}

// PutFirstIntent stores an intent as the given step of its episode, if there is
// neither an intent nor a result of the request, in whatever episode; else it
// fails with stream.ErrConflict. It returns its sequence.
func PutFirstIntent(ctx context.Context, w Writer, in fulfillment.Intent, step string) (uint64, error) {
	return putIntent(ctx, w, in, step, stream.ExpectLast(keyOfIntent(in).RequestFilter(), 0))
}

func keyOfIntent(in fulfillment.Intent) fulfillment.Key {
	return fulfillment.Key{Type: in.Type, Product: in.ProductID, Asset: in.AssetID, Request: in.RequestID}
}

func putIntent(ctx context.Context, w Writer, in fulfillment.Intent, step string, expect stream.AppendOption) (uint64, error) {
	key := keyOfIntent(in)
	e := fulfillment.Envelope{
		ID: fulfillment.StepID(key.Request, in.Episode, step), Kind: "intent", Schema: fulfillment.SchemaIntent,
		Key: key, Episode: in.Episode, Attempt: in.Attempt, Time: in.Time,
	}
	seq, err := put(ctx, w, key.Subject(fulfillment.RootIntents), e, in, nil, expect)
	if err != nil {
		return 0, fmt.Errorf("store intent of %s: %w", key.Request, err)
	}
	return seq, nil
}

// PutEvent stores an event, if nothing was told of the request since after was
// read; else it fails with stream.ErrConflict: so each fact is told once. Extra
// are headers to add. It returns how the request's events stand then.
func PutEvent(ctx context.Context, w Writer, body fulfillment.EventBody, after Closing, extra ...Header) (Closing, error) {
	m, err := eventMessage(body, after, extra)
	if err != nil {
		return Closing{}, err
	}
	expect := stream.ExpectLast(keyOf(body).EventFilter(), after.Last)
	if failpoint.Off(failpoint.NoEvent) {
		expect = stream.ExpectNothing()
	}
	seq, err := surely(ctx, w, m, expect)
	if err != nil {
		return Closing{}, fmt.Errorf("publish event %s of %s: %w", body.Event, body.RequestID, err)
	}
	return after.and(body, seq), nil
}

// Chain stores messages that belong together; see stream.Client.AppendChain.
type Chain func(ctx context.Context, filter string, last uint64, ms ...stream.Message) ([]uint64, error)

// PutEvents stores several events of one request, as PutEvent does one after the
// other, but shares what that costs. Extra are headers to add to the last one.
// With an error the first few may be stored, and it does not wait for a broker
// that is away.
func PutEvents(ctx context.Context, chain Chain, bodies []fulfillment.EventBody, after Closing, extra ...Header) error {
	ms := make([]stream.Message, len(bodies))
	at := after
	for i, body := range bodies {
		var more []Header
		if i == len(bodies)-1 {
			more = extra
		}
		m, err := eventMessage(body, at, more)
		if err != nil {
			return err
		}
		ms[i], at = m, at.and(body, 0)
	}
	if _, err := chain(ctx, keyOf(bodies[0]).EventFilter(), after.Last, ms...); err != nil {
		return fmt.Errorf("publish events of %s: %w", bodies[0].RequestID, err)
	}
	return nil
}

func keyOf(body fulfillment.EventBody) fulfillment.Key {
	return fulfillment.Key{Type: body.Type, Product: body.ProductID, Asset: body.AssetID, Request: body.RequestID}
}

// eventMessage is an event that follows what was told before.
func eventMessage(body fulfillment.EventBody, after Closing, extra []Header) (stream.Message, error) {
	key := keyOf(body)
	e := fulfillment.Envelope{
		ID: fulfillment.StepID(key.Request, body.Episode, stepOf(body)), Kind: string(body.Event),
		Schema: fulfillment.EventSchema(body.Event), Key: key, Episode: body.Episode, Time: body.Time,
	}
	if before := after.Steps(body.Episode); len(before) > 0 {
		extra = append(extra[:len(extra):len(extra)], Header{fulfillment.HeaderTold, strings.Join(before, ",")})
	}
	return messageOf(key.EventSubject(body.Event), e, body, extra)
}

// and is how the request's events stand after one more.
func (c Closing) and(body fulfillment.EventBody, seq uint64) Closing {
	if body.Event.Closes() {
		return Closing{Event: body.Event, Episode: body.Episode, Sequence: seq, Last: seq}
	}
	before := c.Steps(body.Episode)
	return Closing{Last: seq, open: body.Episode, steps: append(before[:len(before):len(before)], stepOf(body))}
}

// Header is a header beyond those of an envelope.
type Header struct{ Name, Value string }

// put stores body under the headers of e, and more.
func put(
	ctx context.Context, w Writer, subject string, e fulfillment.Envelope, body any, extra []Header, opts ...stream.AppendOption,
) (uint64, error) {
	m, err := messageOf(subject, e, body, extra)
	if err != nil {
		return 0, err
	}
	return surely(ctx, w, m, opts...)
}

func messageOf(subject string, e fulfillment.Envelope, body any, extra []Header) (stream.Message, error) {
	if e.Time.IsZero() {
		e.Time = time.Now()
	}
	data, err := json.Marshal(body)
	if err != nil {
		return stream.Message{}, err
	}
	header := e.Header()
	for _, h := range extra {
		header[h.Name] = h.Value
	}
	return stream.Message{Subject: subject, ID: e.ID, Header: header, Body: data}, nil
}

// patience is how long an append is tried again whose outcome is not known, or
// that nobody took: a broker that was restarted is back by then, and a cluster
// that lost the stream's leader has another.
const patience = 20 * time.Second

// surely appends m, also where the broker goes away with the answer. Given up,
// the outcome of a vendor's call would be lost with it, and might have to be
// found by a person. m must say what it expects to be last: then it is stored
// once, however often it is sent.
func surely(ctx context.Context, w Writer, m stream.Message, opts ...stream.AppendOption) (uint64, error) {
	began := time.Now()
	seq, err := w.Append(ctx, m, opts...)
	for unknown := false; err != nil && ctx.Err() == nil && time.Since(began) < patience; {
		switch {
		case errors.Is(err, stream.ErrUnknownOutcome):
			unknown = true
		case errors.Is(err, stream.ErrConflict) && unknown:
			return mine(ctx, w, m, err)
		case errors.Is(err, context.DeadlineExceeded): // the append's own: the broker is slow to answer others before it
		case !errors.Is(err, stream.ErrUnreachable) && !errors.Is(err, stream.ErrNoStream):
			return seq, err
		}
		seq, err = w.Append(ctx, m, opts...)
	}
	return seq, err
}

// mine is the sequence of m, if it is m that stands in the way of itself.
func mine(ctx context.Context, w Writer, m stream.Message, conflict error) (uint64, error) {
	name := fulfillment.StreamResults
	if strings.HasPrefix(m.Subject, fulfillment.RootEvents+".") {
		name = fulfillment.StreamEvents
	}
	last, err := w.Last(ctx, name, m.Subject)
	if errors.Is(err, stream.ErrNotFound) {
		return 0, conflict // with what lies on another subject
	}
	if err != nil {
		return 0, fmt.Errorf("look whether it was stored: %w", err)
	}
	if !bytes.Equal(last.Body, m.Body) {
		return 0, conflict
	}
	return last.Sequence, nil
}

// LastSequence is the sequence of the last message of the stream that matches
// filter, 0 if there is none.
func LastSequence(ctx context.Context, r Reader, name, filter string) (uint64, error) {
	m, err := r.Last(ctx, name, filter)
	if errors.Is(err, stream.ErrNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("read last message of %s: %w", filter, err)
	}
	return m.Sequence, nil
}
