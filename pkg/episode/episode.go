// Package episode answers the two questions that keep an asset to one
// operation at a time: what is the asset's head, and is its episode closed?
// It reads the streams, writes what must be fenced in one way, and keeps no state
// of its own.
//
// The head of an asset is the last message in FULFILLMENT_REQUESTS that opens
// or repeats work on it. Whoever appends to the asset expects the head it saw
// (Expect), so of two writers one wins, over all types and all replicas.
package episode

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/headrace/headrace/pkg/failpoint"
	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/stream"
)

// Reader is what this package needs of the stream layer.
type Reader interface {
	// Last returns the last message of the stream that matches filter, or an
	// error that is stream.ErrNotFound.
	Last(ctx context.Context, name, filter string) (*stream.Stored, error)
}

// Head is the last message that opens or repeats work on an asset.
type Head struct {
	Sequence uint64 // 0: the asset never had one
	Episode  uint64
	Attempt  int
	Replay   int    // the round, where an approved request is carried out again
	Root     string // RootRequests, RootSchedules or RootRetries
	Key      fulfillment.Key
	Stored   *stream.Stored
}

// HeadOf reads the head of an asset; the zero Head says that there is none.
func HeadOf(ctx context.Context, r Reader, asset string) (Head, error) {
	m, err := r.Last(ctx, fulfillment.StreamRequests, fulfillment.HeadFilter(asset))
	if errors.Is(err, stream.ErrNotFound) {
		return Head{}, nil
	}
	if err != nil {
		return Head{}, fmt.Errorf("read head of %s: %w", asset, err)
	}
	// The filter matches subjects of six tokens only, so the key is whole.
	root, key, err := fulfillment.ParseSubject(m.Subject)
	if err != nil {
		return Head{}, fmt.Errorf("read head of %s: %w", asset, err)
	}
	return Head{
		Sequence: m.Sequence,
		Episode:  fulfillment.Episode(m.Header, m.Sequence),
		Attempt:  fulfillment.Attempt(m.Header),
		Replay:   fulfillment.Number(m.Header, fulfillment.HeaderReplay),
		Root:     root,
		Key:      key,
		Stored:   m,
	}, nil
}

// Expect makes an append to the asset fail with stream.ErrConflict unless its
// head still has this sequence.
func Expect(asset string, sequence uint64) stream.AppendOption {
	if failpoint.Off(failpoint.NoHead) {
		return stream.ExpectNothing()
	}
	return stream.ExpectLast(fulfillment.HeadFilter(asset), sequence)
}

// Closing is the event that closed a request's last closed episode, and what
// was told of the request since.
type Closing struct {
	Event    fulfillment.Event // "" where a later episode has begun since
	Episode  uint64
	Sequence uint64 // in FULFILLMENT_EVENTS; 0: the request's last event closes nothing
	// Last is the sequence of the request's last event, closing or not: what an
	// append of the next event expects.
	Last uint64

	open  uint64   // the episode of the last event, if it closes nothing
	steps []string // what was told of that episode
}

// Covers reports whether the episode, or a later one, is closed. An event of a
// later one is proof, as there is one only when the earlier is closed.
func (c Closing) Covers(episode uint64) bool {
	return c.Sequence != 0 && c.Episode >= episode || c.open > episode
}

// Open is the episode in which something was told last, 0 if that closed it.
func (c Closing) Open() uint64 { return c.open }

// Steps are what was told of the episode, in order, if it is the one of the
// last event and that has not closed it. A step is named as in the event's id.
func (c Closing) Steps(episode uint64) []string {
	if c.open != episode {
		return nil
	}
	return c.steps
}

// Word is what became of the request, for people.
func (c Closing) Word() string {
	if c.Event == "" {
		return "in a later episode"
	}
	return string(c.Event)
}

// ClosingOf reads the last event of a request. Closing events end what comes
// before them, and each event names what was told of its episode before it: so
// only the last one needs to be read.
func ClosingOf(ctx context.Context, r Reader, key fulfillment.Key) (Closing, error) {
	m, err := r.Last(ctx, fulfillment.StreamEvents, key.EventFilter())
	if errors.Is(err, stream.ErrNotFound) {
		return Closing{}, nil
	}
	if err != nil {
		return Closing{}, fmt.Errorf("read last event of %s: %w", key.Request, err)
	}
	// The rest of the body is not read: there is one to each act of the services.
	var body struct {
		Event   fulfillment.Event `json:"event"`
		Episode uint64            `json:"episode"`
		Letter  uint64            `json:"letter"`
	}
	c := Closing{Last: m.Sequence}
	if json.Unmarshal(m.Body, &body) != nil {
		return c, nil // scribbled by somebody else: it closes nothing
	}
	if body.Event.Closes() {
		c.Event, c.Episode, c.Sequence = body.Event, body.Episode, m.Sequence
		return c, nil
	}
	c.open = body.Episode
	c.steps = []string{stepOf(fulfillment.EventBody{Event: body.Event, Letter: body.Letter})}
	if before := m.Header[fulfillment.HeaderTold]; before != "" {
		c.steps = append(strings.Split(before, ","), c.steps...)
	}
	return c, nil
}

// stepOf is how an event is named in its id: a fact that repeats within an
// episode has the number of its letter.
func stepOf(body fulfillment.EventBody) string {
	if body.Letter == 0 {
		return string(body.Event)
	}
	return string(body.Event) + "/" + strconv.FormatUint(body.Letter, 10)
}

// StateOf says where the request that head is about stands. It reads the
// request's last event, result and dead letter.
func StateOf(ctx context.Context, r Reader, head Head) (fulfillment.State, error) {
	closing, err := ClosingOf(ctx, r, head.Key)
	if err != nil {
		return "", err
	}
	return StateBy(ctx, r, head, closing)
}

// StateBy is StateOf where the request's last event has just been read.
func StateBy(ctx context.Context, r Reader, head Head, closing Closing) (fulfillment.State, error) {
	if closing.Covers(head.Episode) {
		return fulfillment.StateOf(closing.Event), nil
	}
	var result fulfillment.Result
	decided, err := LastBody(ctx, r, fulfillment.StreamResults, head.Key.Subject(fulfillment.RootResults), &result)
	if err != nil {
		return "", err
	}
	if result.Episode != head.Episode || !result.Decision.Final() {
		decided = 0
	}
	var letter fulfillment.Letter
	buried, err := LastBody(ctx, r, fulfillment.StreamDead, head.Key.DeadFilter(), &letter)
	if err != nil {
		return "", err
	}
	switch {
	case buried != 0 && letter.Stage != fulfillment.StageAudit && letter.Episode == head.Episode && letter.Stands(head.Sequence, decided):
		if letter.Stage == fulfillment.StageHold {
			return fulfillment.StateHeld, nil
		}
		return fulfillment.StateDead, nil
	case decided != 0:
		return fulfillment.StateCommitting, nil
	case head.Root == fulfillment.RootSchedules:
		return fulfillment.StateWaiting, nil
	case head.Root == fulfillment.RootRetries:
		return fulfillment.StateDeciding, nil
	}
	return fulfillment.StateQueued, nil
}

// LastBody decodes the last message that matches filter into body and returns
// its sequence, 0 if there is none.
func LastBody(ctx context.Context, r Reader, name, filter string, body any) (uint64, error) {
	m, err := r.Last(ctx, name, filter)
	if errors.Is(err, stream.ErrNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("read last message of %s: %w", filter, err)
	}
	if err := json.Unmarshal(m.Body, body); err != nil {
		return 0, fmt.Errorf("read last message of %s: sequence %d: %w", filter, m.Sequence, err)
	}
	return m.Sequence, nil
}
