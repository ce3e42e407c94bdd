package stream_test

import (
	"context"
	"errors"
	"testing"

	"github.com/headrace/headrace/pkg/stream"
	"github.com/headrace/headrace/pkg/stream/streamtest"
)

func TestRun_ConnectionClosed_ReturnsThat(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*streamtest.Broker, *stream.Client){
		"by us":         func(_ *streamtest.Broker, c *stream.Client) { c.Close() },
		"for good":      func(b *streamtest.Broker, _ *stream.Client) { b.Stop() },
		"by us, broker": func(b *streamtest.Broker, c *stream.Client) { b.Stop(); c.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := streamtest.Server(t)
			c := connect(t, b, func(o *stream.Options) { o.NoReconnect = true })
			apply(t, c, one())
			c.Handle("worker", 2, func(context.Context, *stream.Delivery) error { return nil })
			done := make(chan error, 1)
			go func() { done <- c.Run(t.Context()) }()
			until(t, "bound", func() bool { return c.Status().Consumers["worker"] == nil })
			end(b, c)
			if err := within(t, "Run returns", done); !errors.Is(err, stream.ErrClosed) {
				t.Errorf("Run = %v", err)
			}
			c.Close()
			if _, err := c.Append(t.Context(), stream.Message{Subject: "work.x"}); !errors.Is(err, stream.ErrClosed) {
				t.Errorf("Append = %v", err)
			}
		})
	}
}
