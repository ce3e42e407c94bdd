package traps

import (
	"context"
	"testing"
	"time"

	"github.com/headrace/headrace/pkg/stream"
)

// topology declares a site's stream and durable the way Headrace does.
func topology(maxAckPending int) stream.Topology {
	return stream.Topology{
		Streams: []stream.Stream{{Name: theStream, Subjects: []string{"orders.>"}, Schedules: true}},
		Consumers: []stream.Consumer{{
			Stream: theStream, Durable: theDurable, Filters: []string{in}, MaxAckPending: maxAckPending,
		}},
	}
}

type attempt int

func retryAfter(d time.Duration) error { return stream.RetryAfter(errHandler, d) }

// handle runs h for the deliveries of the durable, ten at a time, until the
// test ends.
func handle(t *testing.T, c *stream.Client, h func(attempt) error) {
	t.Helper()
	handleFull(t, c, func(_ context.Context, d *stream.Delivery) error { return h(attempt(d.Attempt)) })
}

func handleFull(t *testing.T, c *stream.Client, h stream.Handler) {
	t.Helper()
	c.Handle(theDurable, 10, h)
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
}
