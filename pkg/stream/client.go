package stream

import (
	"context"
	"iter"
	"time"
)

// Client is a connection to the broker. All methods but Handle and Run may be
// called at the same time.
type Client struct{ opts Options }

// Status says how the Client stands.
type Status struct {
	Connected bool
	// Server is the address, ServerID the identity of the connected server;
	// both empty when not connected.
	Server, ServerID string
	// Consumers has an entry for each durable given to Handle once Run was
	// called: nil when bound, else why it is not.
	Consumers map[string]error
}

// Connect reaches the broker, or says why not.
func Connect(ctx context.Context, opts Options) (*Client, error) { panic("not yet") }

// Apply creates or updates the streams and durables of t.
func (c *Client) Apply(ctx context.Context, t Topology) error { panic("not yet") }

// AppendOption refines one Append.
type AppendOption func(*appendOptions)

type appendOptions struct{}

// ExpectLast stores the message only if seq is the sequence of the last message
// that matches filter (wildcards allowed; 0: there is none); else Append fails
// with ErrConflict. Every writer must spell the filter alike.
func ExpectLast(filter string, seq uint64) AppendOption { panic("not yet") }

// ScheduleAt stores the message as a schedule on its own subject, one for each
// subject; at t it is stored again, as target. Both subjects must be in one
// stream that allows schedules.
func ScheduleAt(t time.Time, target string) AppendOption { panic("not yet") }

// CancelSchedule removes the schedule stored on subject as the message is
// stored.
func CancelSchedule(subject string) AppendOption { panic("not yet") }

// OnceWithin gives the message an id that the stream remembers for its
// duplicate window (2 minutes); a second one fails with ErrDuplicate. Ids are
// the stream's, not the subject's.
func OnceWithin(id string) AppendOption { panic("not yet") }

// Append stores m and returns its sequence once the broker has it.
func (c *Client) Append(ctx context.Context, m Message, opts ...AppendOption) (uint64, error) {
	panic("not yet")
}

// Last returns the last message of stream that matches filter (wildcards
// allowed), or ErrNotFound.
func (c *Client) Last(ctx context.Context, stream, filter string) (*Stored, error) { panic("not yet") }

// Get returns the message of that sequence, or ErrNotFound.
func (c *Client) Get(ctx context.Context, stream string, seq uint64) (*Stored, error) {
	panic("not yet")
}

// LastSequence returns the sequence of the last message of stream, 0 if it
// never had one, or ErrNotFound.
func (c *Client) LastSequence(ctx context.Context, stream string) (uint64, error) { panic("not yet") }

// Read yields what matches filter ("" is everything) from sequence from on, up
// to the stream's last at the time of the call, and ends. An error ends it too.
func (c *Client) Read(ctx context.Context, stream, filter string, from uint64) iter.Seq2[*Stored, error] {
	panic("not yet")
}

// Handle makes h carry out the messages of a durable, at most concurrency at a
// time. It must be called before Run, once for each durable.
func (c *Client) Handle(durable string, concurrency int, h Handler) { panic("not yet") }

// Run delivers to the handlers until ctx ends, then drains: it takes no more,
// waits up to DrainTimeout for what is in flight, and returns nil.
func (c *Client) Run(ctx context.Context) error { panic("not yet") }

// Status says how the Client stands; it does not ask the broker.
func (c *Client) Status() Status { panic("not yet") }

// Close ends the connection. It may be called more than once.
func (c *Client) Close() { panic("not yet") }
