package stream

import (
	"context"
	"errors"
	"fmt"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/nats-io/nats.go"
)

// Announce publishes m to whoever listens at the moment, without a stream: the
// broker has taken it when Announce returns, but keeps nothing unless a stream
// of somebody's takes the subject. It fails with ErrTooLarge, or with ErrUnknownOutcome
// if the broker does not answer as long as ctx allows; if that has no deadline,
// 5 s.
func (c *Client) Announce(ctx context.Context, m Message) error {
	ctx, cancel := bounded(ctx)
	defer cancel()
	msg, err := encode(m.Subject, &message.Message{UUID: m.ID, Metadata: m.Header, Payload: m.Body}, nothing)
	if err != nil {
		return err
	}
	if err := c.awaitConnected(ctx); err != nil {
		return fmt.Errorf("announce on %s: %w", m.Subject, err)
	}
	if err = c.nc.PublishMsg(msg); errors.Is(err, nats.ErrMaxPayload) {
		return fmt.Errorf("announce on %s: %w", m.Subject, errors.Join(ErrTooLarge, err))
	}
	if err == nil {
		err = c.nc.FlushWithContext(ctx)
	}
	if err != nil {
		return fmt.Errorf("announce on %s: %w", m.Subject, errors.Join(ErrUnknownOutcome, err))
	}
	return nil
}
