package stream

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Message is what is appended to a stream.
type Message struct {
	// Subject is the full subject; it decides on the stream.
	Subject string
	// ID is the CloudEvents id, and Watermill's UUID on the wire. It does not
	// suppress duplicates; see ExpectLast.
	ID string
	// Header holds CloudEvents attributes (ce-type, …) and extensions. Keys are
	// lower case. Keys that begin with Nats- belong to the broker: they are
	// dropped both on writing and on reading.
	Header map[string]string
	// Body is opaque here; ours is JSON.
	Body []byte
}

// Stored is a Message with its place in a stream.
type Stored struct {
	Message
	Stream   string
	Sequence uint64    // from 1, unique and growing within the stream
	Time     time.Time // when the broker stored it, UTC
	// Scheduled says that the broker will store the message again later, as
	// ScheduleAt asked it to.
	Scheduled bool
	// Due is when that will be, UTC; zero if it is not Scheduled.
	Due time.Time
	// Poison is not nil if the message is not in our wire format (a header
	// occurs more than once). The rest then holds what could be told, with the
	// first value of each header.
	Poison error
	// RawHeader is every header as it was stored, the broker's own included; it
	// is set only if Poison is.
	RawHeader map[string][]string
}

// Delivery is a Stored message in the hands of a Handler.
type Delivery struct {
	Stored
	// Attempt is JetStream's delivery count, from 1. A scheduled message that
	// fires is new to JetStream: its count begins at 1 again.
	Attempt int
	// Pending is how many messages of the consumer wait behind this one.
	Pending uint64
	// Durable names the consumer that delivered it.
	Durable string

	// after is the delay that the Handler's error asked for.
	after *time.Duration
}

// Handler carries out one message. Nil acknowledges it: done, or written to
// where a person will look. An error means "not decided yet": the message comes
// again after a delay that grows with Attempt, or after the one that RetryAfter
// says. A panic counts as an error. The context ends with ErrLeaseLost as its
// cause when the broker may have given the message to another worker, and with
// ErrDrainTimeout when a stop takes too long; in both cases nothing that the
// Handler returns is sent to the broker. It does not end when the Client's does.
//
// The context also carries a guard.Check, for calls that leave the process: it
// refuses them with ErrLeaseLost once the lease is no longer good by our own
// clock, and with ErrStopping from 5.5 s before the end of a drain on. A Handler
// returns RetryAfter(err, 0) then: nothing has happened, and somebody else can
// go on.
type Handler func(ctx context.Context, d *Delivery) error

// Errors that callers decide on; test with errors.Is.
var (
	// ErrConflict: the stream has moved on since the expectation of ExpectLast
	// was read. Nothing was stored.
	ErrConflict = errors.New("stream has moved on")
	// ErrUnknownOutcome: the append may or may not have been stored (the context
	// ended, or the connection went, before the broker answered). It is joined
	// with the cause.
	ErrUnknownOutcome = errors.New("outcome of append unknown")
	// ErrNotFound: the stream is there, the message is not.
	ErrNotFound = errors.New("not found")
	// ErrLeaseLost is the cause of a handler's context when its message could
	// not be kept alive at the broker for nearly the ack wait.
	ErrLeaseLost = errors.New("lease of message lost")
	// ErrDrainTimeout is the cause of a handler's context that outlived
	// Options.DrainTimeout.
	ErrDrainTimeout = errors.New("drain timeout")
	// ErrStopping is why a call is refused that begins so late in a stop that it
	// could not end in time; see Handler.
	ErrStopping = errors.New("process is stopping")
	// ErrClosed: the Client, Publisher or Subscriber was closed.
	ErrClosed = errors.New("closed")
	// ErrPoison: the message is not in our wire format.
	ErrPoison = errors.New("message not in wire format")
)

// RetryAfter makes a Handler's error bring the message back after d instead of
// the default delay. A message that waits so holds one of the consumer's
// MaxAckPending; what is to wait for more than about a minute is better
// scheduled with ScheduleAt. RetryAfter(nil, d) is nil.
func RetryAfter(err error, d time.Duration) error {
	if err == nil {
		return nil
	}
	return &retryError{err: err, after: max(d, 0)}
}

// RetryDelay returns the delay that RetryAfter gave err; false if it has none.
func RetryDelay(err error) (time.Duration, bool) {
	var retry *retryError
	if !errors.As(err, &retry) {
		return 0, false
	}
	return retry.after, true
}

type retryError struct {
	err   error
	after time.Duration
}

func (e *retryError) Error() string { return fmt.Sprintf("%v (retry after %s)", e.err, e.after) }
func (e *retryError) Unwrap() error { return e.err }

type deliveryKey struct{}

// DeliveryOf returns the Delivery that the context of a Handler, or of a
// message from Subscriber, belongs to; nil if there is none.
func DeliveryOf(ctx context.Context) *Delivery {
	d, _ := ctx.Value(deliveryKey{}).(*Delivery)
	return d
}
