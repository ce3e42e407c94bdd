package stream_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/headrace/headrace/pkg/stream"
	"github.com/headrace/headrace/pkg/stream/streamtest"
)

func shortWait(d *stream.Consumer) { d.AckWait = time.Second }

func TestLease_HandlerLongerThanAckWait_RunsOnce(t *testing.T) {
	t.Parallel()
	b := streamtest.Server(t)
	c := connect(t, b)
	apply(t, c, one(shortWait))
	fill(t, c, 3)
	done := make(chan error, 10)
	c.Handle("worker", 4, func(ctx context.Context, d *stream.Delivery) error {
		select {
		case <-time.After(2500 * time.Millisecond):
		case <-ctx.Done():
		}
		if d.Attempt != 1 {
			done <- errors.New("delivered again")
		}
		done <- context.Cause(ctx)
		return nil
	})
	stop := start(t, c)
	for range 3 {
		if err := within(t, "handler", done); err != nil {
			t.Error(err)
		}
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
	if len(done) != 0 {
		t.Error("a message was handled twice")
	}
	if p := b.Pending("WORK", "worker"); p != 0 {
		t.Errorf("%d not acknowledged", p)
	}
}

func TestLease_BrokerGone_CancelsAndRefusesTheAck(t *testing.T) {
	t.Parallel()
	b := streamtest.Server(t)
	c := connect(t, b)
	apply(t, c, one(shortWait))
	fill(t, c, 1)
	busy, over := make(chan time.Time, 1), make(chan error, 1)
	again := make(chan int, 1)
	c.Handle("worker", 1, func(ctx context.Context, d *stream.Delivery) error {
		if d.Attempt > 1 {
			again <- d.Attempt
			return nil
		}
		busy <- time.Now()
		<-ctx.Done()
		over <- context.Cause(ctx)
		return nil // says done, though the message may be in other hands
	})
	start(t, c)
	begin := within(t, "handler runs", busy)
	b.Stop()
	if cause := within(t, "lease is lost", over); !errors.Is(cause, stream.ErrLeaseLost) {
		t.Errorf("cause = %v", cause)
	}
	if d := time.Since(begin); d < 500*time.Millisecond || d > 1100*time.Millisecond {
		t.Errorf("lease lost after %s; want about 0.83 s of an ack wait of 1 s", d)
	}
	b.Start()
	// An acknowledgement, had it been sent, would be waiting in the
	// connection's buffer and be read before the message is due again.
	within(t, "message comes again", again)
}
