package stream

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/nats-io/nats.go"
)

// AppendOption refines one Append.
type AppendOption func(nats.Header)

// ExpectLast stores the message only if seq is the sequence of the last message
// that matches filter (wildcards allowed; 0: there is none); else Append fails
// with ErrConflict. Every writer must spell the filter alike, since a cluster
// guards appends under way by its text.
func ExpectLast(filter string, seq uint64) AppendOption {
	return func(h nats.Header) {
		h.Set(hdrExpectSeq, strconv.FormatUint(seq, 10))
		h.Set(hdrExpectFilter, filter)
	}
}

// ExpectNothing stores the message whatever is there.
func ExpectNothing() AppendOption { return func(nats.Header) {} }

// ScheduleAt stores the message as a schedule on its own subject, one for each
// subject (a later one takes the place of the earlier); at t the broker takes it
// away and stores it again, as target. Both subjects must be in one stream that
// allows schedules. A schedule older than the stream's age is lost.
func ScheduleAt(t time.Time, target string) AppendOption {
	return func(h nats.Header) {
		h.Set(hdrSchedule, scheduleAt(t))
		h.Set(hdrTarget, target)
	}
}

// CancelSchedule takes away the schedule stored on subject as the message is
// stored.
func CancelSchedule(subject string) AppendOption {
	return func(h nats.Header) {
		h.Set(hdrScheduler, subject)
		h.Set(hdrScheduleNext, "purge")
	}
}

// Append stores m and returns its sequence once the broker has it on disk (as
// far as the broker syncs). It fails with
//   - ErrConflict if ExpectLast is not met,
//   - ErrNoStream if no stream takes the subject,
//   - ErrTooLarge if the broker does not take messages of that size,
//   - ErrUnknownOutcome if the message was sent and no answer came, within 10 s
//     or by the context's end.
//
// With any other error nothing was stored. While the broker is away Append
// waits for it, as long as ctx allows; if that has no deadline, 5 s.
func (c *Client) Append(ctx context.Context, m Message, opts ...AppendOption) (uint64, error) {
	msg, err := encodeOwn(m)
	if err != nil {
		return 0, err
	}
	for _, o := range opts {
		o(msg.Header)
	}
	ack, err := c.append(ctx, msg)
	if err != nil {
		return ack.Sequence, fmt.Errorf("append to %s: %w", m.Subject, err)
	}
	return ack.Sequence, nil
}

func encodeOwn(m Message) (*nats.Msg, error) {
	return encode(m.Subject, &message.Message{UUID: m.ID, Metadata: m.Header, Payload: m.Body}, nothing)
}

func nothing(string) bool { return false }

// append sends m by itself or, with GroupCommit, with others.
func (c *Client) append(ctx context.Context, m *nats.Msg) (verdict, error) {
	alone := func() (verdict, error) { return c.out.append(ctx, m) }
	if c.group == nil {
		return alone()
	}
	return c.group.commit(ctx, []*nats.Msg{m}, alone)
}

// Further errors of Append.
var (
	// ErrNoStream: the stream is not there, or no stream takes the subject, or
	// none answers.
	ErrNoStream = errors.New("no stream")
	// ErrTooLarge: the message exceeds what the broker or the stream takes.
	ErrTooLarge = errors.New("message too large")
	// ErrRefused: the broker says no, for the reason in the text.
	ErrRefused = errors.New("broker refuses the message")
)

// The broker's error codes that callers decide on.
const (
	codeConflict         = 10071 // wrong last sequence, with the one found
	codeConflictInFlight = 10164 // the same, found before it is stored, on replicas
	codeTooLarge         = 10054
)

// verdict is the broker's answer to an append.
type verdict struct {
	Stream    string `json:"stream"`
	Sequence  uint64 `json:"seq"`
	Duplicate bool   `json:"duplicate"`
	Count     int    `json:"count"` // of a batch
	Error     *struct {
		Code        int    `json:"err_code"`
		Description string `json:"description"`
	} `json:"error"`
}

func (v verdict) err() error {
	switch {
	case v.Error == nil && v.Stream == "":
		return fmt.Errorf("%w: no answer of JetStream's", ErrUnknownOutcome)
	case v.Error == nil:
		return nil
	case v.Error.Code == codeConflict, v.Error.Code == codeConflictInFlight:
		return fmt.Errorf("%w: %s", ErrConflict, v.Error.Description)
	case v.Error.Code == codeTooLarge:
		return fmt.Errorf("%w: %s", ErrTooLarge, v.Error.Description)
	default:
		return fmt.Errorf("%w: %s (%d)", ErrRefused, strings.TrimSpace(v.Error.Description), v.Error.Code)
	}
}
