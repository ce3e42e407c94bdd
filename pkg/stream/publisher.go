package stream

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/ThreeDotsLabs/watermill/message"
)

// Publisher is Watermill's Publisher over a Client: a topic is a full subject.
// It honours the context of each message. As metadata it takes Nats-Msg-Id,
// Nats-Expected-Last-Subject-Sequence(-Subject), Nats-Schedule and
// Nats-Schedule-Target, and drops every other key of the broker's.
type Publisher struct {
	client *Client
	closed atomic.Bool
}

var _ message.Publisher = (*Publisher)(nil)

// NewPublisher returns a Publisher over c.
func NewPublisher(c *Client) *Publisher { return &Publisher{client: c} }

// Ack says where a message is.
type Ack struct {
	Stream   string
	Sequence uint64
	// Duplicate: the stream already had a message of that Nats-Msg-Id, at
	// Sequence; this one was not stored.
	Duplicate bool
}

// Publish stores the messages on topic in their order, the next sent before the
// one before is answered, and waits for all. It fails with the errors of
// Client.Append, joined; others of the messages may have been stored. A
// duplicate is no error here; Send tells it.
func (p *Publisher) Publish(topic string, messages ...*message.Message) error {
	if p.closed.Load() {
		return fmt.Errorf("publish to %s: %w", topic, ErrClosed)
	}
	under := make([]pending, 0, len(messages))
	var errs []error
	for _, msg := range messages {
		s, err := p.send(topic, msg)
		if err != nil {
			errs = append(errs, err)
			break
		}
		under = append(under, s)
	}
	for i, s := range under {
		if err := p.wait(messages[i], s); err != nil {
			errs = append(errs, err)
		}
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("publish to %s: %w", topic, err)
	}
	return nil
}

// Send stores one message on subject and says where it is.
func (p *Publisher) Send(ctx context.Context, subject string, msg *message.Message) (Ack, error) {
	if p.closed.Load() {
		return Ack{}, fmt.Errorf("send to %s: %w", subject, ErrClosed)
	}
	out, err := encode(subject, msg, mayPublish)
	if err != nil {
		return Ack{}, err
	}
	v, err := p.client.append(ctx, out)
	if err != nil {
		return Ack{}, fmt.Errorf("send to %s: %w", subject, err)
	}
	return Ack{Stream: v.Stream, Sequence: v.Sequence, Duplicate: v.Duplicate}, nil
}

func mayPublish(key string) bool { return publishable[key] }

// Close ends the Publisher, not the Client: the connection is shared.
func (p *Publisher) Close() error {
	p.closed.Store(true)
	return nil
}

func (p *Publisher) send(topic string, msg *message.Message) (pending, error) {
	out, err := encode(topic, msg, mayPublish)
	if err != nil {
		return pending{}, err
	}
	under, err := p.client.out.send(msg.Context(), out)
	if err != nil {
		return under, fmt.Errorf("message %s: %w", msg.UUID, err)
	}
	return under, nil
}

func (p *Publisher) wait(msg *message.Message, under pending) error {
	if _, err := under.wait(msg.Context()); err != nil {
		return fmt.Errorf("message %s: %w", msg.UUID, err)
	}
	return nil
}
