package events

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/headrace/headrace/pkg/fulfillment"
)

// Handler does what is to be done about one event. An error says that it is not
// done: have the message delivered again.
type Handler func(ctx context.Context, e *Event) error

// Handlers has the function for each event that a program wants. They may be
// called at the same time if messages are handled so.
type Handlers map[fulfillment.Event]Handler

// Validate reports every name that is not in the catalogue, and every function
// that is nil.
func (h Handlers) Validate() error {
	var faults []error
	for name, do := range h {
		known := slices.ContainsFunc(fulfillment.Facts(), func(f fulfillment.Fact) bool { return f.Event == name })
		if !known {
			faults = append(faults, fmt.Errorf("there is no event %q", name))
		}
		if do == nil {
			faults = append(faults, fmt.Errorf("the handler of %q is nil", name))
		}
	}
	return errors.Join(faults...)
}

// Handle decodes a message and calls the function for its event. It returns nil
// if that does, and passes over an event without a function and what is of
// another version: acknowledge the message then. On an error have it delivered
// again, unless it is ErrInvalid, which will not get better.
func (h Handlers) Handle(ctx context.Context, header Header, body []byte) error {
	e, err := Decode(header, body)
	if errors.Is(err, ErrVersion) {
		return nil
	}
	if err != nil {
		return err
	}
	do, wanted := h[e.Event]
	if !wanted {
		return nil
	}
	if err := do(ctx, e); err != nil {
		return fmt.Errorf("handle event %s: %w", e.ID, err)
	}
	return nil
}

// ErrInHand is returned by a Handler of Once for an event that it is busy with.
var ErrInHand = errors.New("event is in hand")

// Once makes a Handler that passes over an event which do has done. It knows the
// last so many ids of this process, so it spares repeats and rules none out:
// after a restart one may come again. An event that comes while do is busy with
// it fails with ErrInHand, to come later. It may be shared by several names.
func Once(remember int, do Handler) Handler {
	m := &memory{done: map[string]bool{}, ring: make([]string, max(remember, 1))}
	return func(ctx context.Context, e *Event) error {
		switch seen, done := m.begin(e.ID); {
		case done:
			return nil
		case seen:
			return fmt.Errorf("%s: %w", e.ID, ErrInHand)
		}
		finished := false
		defer func() { m.end(e.ID, finished) }() // a panic, too, leaves it undone
		err := do(ctx, e)
		finished = err == nil
		return err
	}
}

// memory is the ids that were seen last.
type memory struct {
	mu   sync.Mutex
	done map[string]bool // false while in hand
	ring []string        // what is done, to be forgotten in turn
	next int
}

// begin takes an id in hand unless it was seen.
func (m *memory) begin(id string) (seen, done bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if done, seen = m.done[id]; !seen {
		m.done[id] = false
	}
	return seen, done
}

// end remembers an id that is done, and forgets one that failed.
func (m *memory) end(id string, done bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !done {
		delete(m.done, id)
		return
	}
	delete(m.done, m.ring[m.next])
	m.done[id], m.ring[m.next] = true, id
	m.next = (m.next + 1) % len(m.ring)
}
