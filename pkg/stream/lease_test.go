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
	apply(t, c, one(func(d *stream.Consumer) { d.AckWait = 6 * time.Second }))
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
	// Not at once, as the broker may be back. A slow machine may cancel late; a call
	// goes by the clock and is refused all the same.
	if d := time.Since(begin); d < 3*time.Second {
		t.Errorf("lease lost after %s; want 5 s of an ack wait of 6 s", d)
	}
	b.Start()
	// An acknowledgement, had it been sent, would be waiting in the
	// connection's buffer and be read before the message is due again.
	within(t, "message comes again", again)
}

// A worker that is cut off and comes back finds its message in other hands: it
// must not acknowledge it, for the other may yet fail.
func TestLease_LineStalls_StaleWorkerDoesNotAcknowledge(t *testing.T) {
	t.Parallel()
	b := streamtest.Server(t)
	line := streamtest.Between(t, b)
	stale := connect(t, b, func(o *stream.Options) { o.URL = line.URL() })
	other := connect(t, b)
	apply(t, other, one(shortWait))
	fill(t, other, 1)
	busy, over := make(chan struct{}, 1), make(chan error, 1)
	stale.Handle("worker", 1, func(ctx context.Context, d *stream.Delivery) error {
		if d.Attempt > 1 {
			return errors.New("not for me")
		}
		busy <- struct{}{}
		<-ctx.Done()
		over <- context.Cause(ctx)
		return nil
	})
	start(t, stale)
	within(t, "the first worker has it", busy)
	line.Stall(true)

	taken, free := make(chan int, 8), make(chan struct{})
	other.Handle("worker", 1, func(_ context.Context, d *stream.Delivery) error {
		taken <- d.Attempt
		<-free
		return nil
	})
	start(t, other)
	if cause := within(t, "lease is lost", over); !errors.Is(cause, stream.ErrLeaseLost) {
		t.Errorf("cause = %v", cause)
	}
	within(t, "the other has it", taken)
	line.Stall(false) // what the stale worker wrote meanwhile comes through now
	until(t, "the stale worker is bound", func() bool { return stale.Status().Connected })
	deadline := time.After(700 * time.Millisecond)
	for done := false; !done; {
		select {
		case <-deadline:
			done = true
		case <-time.After(10 * time.Millisecond):
			if p := b.Pending("WORK", "worker"); p != 1 {
				t.Fatalf("%d out, want 1: the stale worker acknowledged", p)
			}
		}
	}
	close(free)
	until(t, "done", func() bool { return b.Pending("WORK", "worker") == 0 })
}

// A message that lay on a stalled line for longer than the ack wait is in other
// hands when it arrives: the late worker must neither handle nor refuse it.
func TestLease_ArrivesLate_IsLeftToOthers(t *testing.T) {
	t.Parallel()
	b := streamtest.Server(t)
	line := streamtest.Between(t, b)
	late := connect(t, b, func(o *stream.Options) { o.URL = line.URL() })
	other := connect(t, b)
	apply(t, other, one(shortWait))
	handled := make(chan uint64, 8)
	late.Handle("worker", 1, func(_ context.Context, d *stream.Delivery) error { handled <- d.Sequence; return nil })
	start(t, late)
	fill(t, other, 1)
	if seq := within(t, "the worker works", handled); seq != 1 {
		t.Fatalf("handled %d", seq)
	}
	// Its next request for messages is at the broker before the line stalls.
	until(t, "asked for more", func() bool { return b.Waiting("WORK", "worker") == 1 })
	line.Stall(true)
	fill(t, other, 1)
	until(t, "the message is on the line", func() bool { return b.Pending("WORK", "worker") == 1 })

	taken, free := make(chan int, 8), make(chan struct{})
	other.Handle("worker", 1, func(_ context.Context, d *stream.Delivery) error {
		taken <- d.Attempt
		<-free
		return nil
	})
	start(t, other)
	if n := within(t, "the other has it", taken); n < 2 {
		t.Fatalf("attempt %d", n)
	}
	line.Stall(false)
	fill(t, other, 1) // comes to the late worker after what was late
	if seq := within(t, "the late worker goes on", handled); seq != 3 {
		t.Errorf("handled %d, which another has in hand", seq)
	}
	close(free)
	until(t, "done", func() bool { return b.Pending("WORK", "worker") == 0 })
	select {
	case n := <-taken:
		t.Errorf("attempt %d: it was taken from the one who had it", n)
	default:
	}
}
