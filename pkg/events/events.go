// Package events reads Headrace's events for a program of another team, with
// whatever client it has for NATS: Decode makes an Event of a message, and
// Handlers calls the function for it. The package performs no I/O.
//
// Delivery is at least once, so what a Handler does must be safe to do again:
// keep Event.ID where its effect is kept, in the same transaction. Once spares
// most of the repeats, not all.
//
// With the stock subscriber of watermill-nats, configure it by package
// pkg/stream/stockreader; see the example there.
package events

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/headrace/headrace/pkg/fulfillment"
)

// Errors of Decode; test with errors.Is.
var (
	// ErrVersion: the message is no event of version 1. One of a later version
	// lies beside that of version 1 and says nothing else: pass over it.
	ErrVersion = errors.New("no event of version 1")
	// ErrInvalid: it says that it is an event, and is not. It will not get better.
	ErrInvalid = errors.New("invalid event")
)

// Header is the headers of a message, as nats.Header and Watermill's
// message.Metadata are.
type Header interface {
	// Get returns the value of that name, "" if there is none.
	Get(name string) string
}

// Event is one fact, which is true since Time. What it may hold beside the
// fields of every event is in docs/reference/events.md.
type Event struct {
	// ID is the ce-id: the same however often the fact is delivered, and no
	// other's.
	ID string
	fulfillment.EventBody
}

const (
	typePrefix = "fulfillment."
	typeSuffix = ".v1"
)

// Decode reads an event and checks that header and body are of one. It passes
// over properties that it doesn't know, and takes events and types that are not
// in the catalogue: later releases add some. It fails with ErrVersion or
// ErrInvalid.
func Decode(header Header, body []byte) (*Event, error) {
	kind := header.Get(fulfillment.HeaderType)
	if !strings.HasPrefix(kind, typePrefix) || !strings.HasSuffix(kind, typeSuffix) {
		return nil, fmt.Errorf("decode event of type %q: %w", kind, ErrVersion)
	}
	e := &Event{ID: header.Get(fulfillment.HeaderID)}
	if err := json.Unmarshal(body, &e.EventBody); err != nil {
		return nil, fmt.Errorf("decode event %s: %w: %w", e.ID, ErrInvalid, err)
	}
	if err := e.check(kind); err != nil {
		return nil, fmt.Errorf("decode event %s: %w: %w", e.ID, ErrInvalid, err)
	}
	return e, nil
}

// check reports every fault of e.
func (e *Event) check(kind string) error {
	var faults []error
	for _, field := range []struct {
		name    string
		missing bool
	}{
		{"ce-id", e.ID == ""}, {"request_id", e.RequestID == ""}, {"event", e.Event == ""},
		{"episode", e.Episode == 0}, {"time", e.Time.IsZero()},
	} {
		if field.missing {
			faults = append(faults, fmt.Errorf("%s is missing", field.name))
		}
	}
	if want := typePrefix + fulfillment.EscapeToken(string(e.Type)) + "." + string(e.Event) + typeSuffix; kind != want {
		faults = append(faults, fmt.Errorf("ce-type is %q, and the body is of %q", kind, want))
	}
	return errors.Join(faults...)
}
