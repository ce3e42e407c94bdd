package stream

import (
	"context"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// SequenceAt returns the sequence from which to Read or Follow what was stored
// at t or later; where there is nothing of that kind it is the next one of the
// stream. It fails with ErrNoStream.
func (c *Client) SequenceAt(ctx context.Context, stream string, t time.Time) (uint64, error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	// The broker finds the place for a consumer alone, which says where it stands
	// before it is asked for anything.
	cons, err := c.js.CreateConsumer(ctx, stream, jetstream.ConsumerConfig{
		DeliverPolicy: jetstream.DeliverByStartTimePolicy, OptStartTime: &t, AckPolicy: jetstream.AckNonePolicy,
		HeadersOnly: true, MemoryStorage: true, InactiveThreshold: 30 * time.Second,
	})
	if err != nil {
		return 0, fmt.Errorf("find what %s has since %s: %w", stream, t.UTC().Format(time.RFC3339), asNoStream(err))
	}
	defer c.dismiss(ctx, stream, cons)
	return cons.CachedInfo().Delivered.Stream + 1, nil
}
