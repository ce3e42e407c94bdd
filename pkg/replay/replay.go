// Package replay does again what was done before, or what was to be done and
// was not: it lets the committer have a result again, a service a request, and
// other teams an event.
//
// It never consumes what the services consume: to replay is to append a message
// that expects the stream as it was seen, and the services that run do the work
// by the rules that hold for all work. So it may run beside live traffic, be
// stopped at any point and be run again.
package replay

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"time"

	"github.com/headrace/headrace/pkg/episode"
	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/stream"
)

// Source is what this package needs of the stream layer.
type Source interface {
	episode.Reader
	episode.Writer
	Read(ctx context.Context, name, filter string, from uint64) iter.Seq2[*stream.Stored, error]
	Get(ctx context.Context, name string, sequence uint64) (*stream.Stored, error)
	SequenceAt(ctx context.Context, name string, t time.Time) (uint64, error)
	ConsumerState(ctx context.Context, durable string) (stream.ConsumerState, error)
}

// Range selects what is replayed; the zero value of a field is no bound.
type Range struct {
	Type    fulfillment.Type
	Product string
	Asset   string
	Request string
	// Since and Until bound when a message was stored: from Since on, and before
	// Until.
	Since, Until time.Time
	// From and To bound the sequences in the stream that is replayed; both are
	// in it.
	From, To uint64
}

// filter is the subject filter of what lies below root; names are the tokens
// between the type and the product.
func (r Range) filter(root string, names ...string) string {
	return fulfillment.Key{Type: r.Type, Product: r.Product, Asset: r.Asset, Request: r.Request}.Filter(root, names...)
}

// last returns the last message of each request in the range, in the order of
// the stream. What lies below filter must have subjects of ours.
func (r Range) last(ctx context.Context, s Source, name, filter string) ([]*stream.Stored, error) {
	last := map[fulfillment.Key]*stream.Stored{}
	for m, err := range r.read(ctx, s, name, filter) {
		if err != nil {
			return nil, err
		}
		if _, key, err := fulfillment.ParseSubject(m.Subject); err == nil {
			last[key] = m
		}
	}
	return slices.SortedFunc(maps.Values(last), func(a, b *stream.Stored) int {
		return cmp.Compare(a.Sequence, b.Sequence)
	}), nil
}

// read yields the messages in the range. Of a long history it reads what is in
// the range alone.
func (r Range) read(ctx context.Context, s Source, name, filter string) iter.Seq2[*stream.Stored, error] {
	return func(yield func(*stream.Stored, error) bool) {
		from := r.From
		if !r.Since.IsZero() {
			at, err := s.SequenceAt(ctx, name, r.Since)
			if err != nil {
				yield(nil, fmt.Errorf("plan replay: %w", err))
				return
			}
			from = max(from, at)
		}
		for m, err := range s.Read(ctx, name, filter, from) {
			if err != nil {
				yield(nil, fmt.Errorf("plan replay: %w", err))
				return
			}
			if r.To != 0 && m.Sequence > r.To || !r.Until.IsZero() && !m.Time.Before(r.Until) {
				return
			}
			if r.takes(m) && !yield(m, nil) {
				return
			}
		}
	}
}

// takes reports whether a message lies within the bounds that no subject
// filter can tell.
func (r Range) takes(m *stream.Stored) bool {
	return (r.To == 0 || m.Sequence <= r.To) &&
		(r.Since.IsZero() || !m.Time.Before(r.Since)) && (r.Until.IsZero() || m.Time.Before(r.Until))
}

// What becomes of a step.
const (
	DoneSent    = "sent"    // stored, or published; the services go on with it
	DoneNothing = "nothing" // there was nothing to do
	DoneLater   = "later"   // it could not be done yet: run the replay again
	DoneFailed  = "failed"
	// DoneReplayed, DoneHeld and DoneDead end a step of Again: its request was
	// carried out once more, or is left to a person.
	DoneReplayed = "replayed"
	DoneHeld     = "held"
	DoneDead     = "dead"
)

// Step is one message to replay, or one that is left alone, and why.
type Step struct {
	RequestID string           `json:"request_id"`
	AssetID   string           `json:"asset_id"`
	ProductID string           `json:"product_id"`
	Type      fulfillment.Type `json:"type"`
	Episode   uint64           `json:"episode"`
	// Sequence is that of the message in its stream.
	Sequence uint64 `json:"sequence"`
	// Would says what the step does, in words for a person. Where it begins with
	// "nothing to do" or "later" nothing is done.
	Would string `json:"would"`
	// Done is what became of it, one of the words above; "" before, and for a
	// step that was not begun.
	Done string `json:"done"`
	// Reason says more of Done.
	Reason string `json:"reason,omitempty"`

	// todo is false where nothing is to be done.
	todo bool
	// do does it; by names the operator. A plan of Again does without.
	do func(ctx context.Context, by string) error
	// closes is the episode whose end tells how it went on; 0: there is none.
	closes uint64
}

// ToDo reports whether Run would do anything for the step.
func (s *Step) ToDo() bool { return s.todo }

func (s *Step) key() fulfillment.Key {
	return fulfillment.Key{Type: s.Type, Product: s.ProductID, Asset: s.AssetID, Request: s.RequestID}
}

func stepOf(key fulfillment.Key, episode, sequence uint64) Step {
	return Step{
		RequestID: key.Request, AssetID: key.Asset, ProductID: key.Product, Type: key.Type,
		Episode: episode, Sequence: sequence,
	}
}

// nothing makes s a step that does nothing.
func (s Step) nothing(format string, args ...any) Step {
	s.Would, s.todo = "nothing to do: "+fmt.Sprintf(format, args...), false
	return s
}

// header is that of a stored message, with who replays it and when.
func header(m *stream.Stored, id, by string, now time.Time) map[string]string {
	h := make(map[string]string, len(m.Header)+3)
	for name, value := range m.Header {
		h[name] = value
	}
	h[fulfillment.HeaderID] = id
	stamp(h, by, now)
	return h
}

// stamp says who replays, and when.
func stamp(h map[string]string, by string, now time.Time) {
	h[fulfillment.HeaderReplayed] = now.UTC().Format(time.RFC3339Nano)
	h[fulfillment.HeaderOperator] = fulfillment.Attribute(by)
}

// inHand reports whether a durable has yet to come to a message, or to be done
// with it. A message of one that is not there is nobody's.
func inHand(ctx context.Context, s Source, durable string, sequence uint64) (bool, error) {
	state, err := s.ConsumerState(ctx, durable)
	if errors.Is(err, stream.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return sequence > state.Delivered || state.InHand > 0 && sequence > state.AckFloor, nil
}
