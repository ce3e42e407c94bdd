package stream_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/headrace/headrace/pkg/stream"
	"github.com/headrace/headrace/pkg/stream/streamtest"
)

// withDone is one() and a stream DONE for results.
func withDone() stream.Topology {
	top := one()
	top.Streams = append(top.Streams, stream.Stream{Name: "DONE", Subjects: []string{"done.>"}})
	return top
}

func TestRun_StopInFlight_FinishesPublishesAcknowledges(t *testing.T) {
	t.Parallel()
	b := streamtest.Server(t)
	c := connect(t, b)
	apply(t, c, withDone())
	const n, slots = 100, 16
	fill(t, c, n)
	var begun, cancelled atomic.Int64
	stopping := make(chan struct{})
	busy := make(chan struct{}, n)
	c.Handle("worker", slots, func(ctx context.Context, d *stream.Delivery) error {
		begun.Add(1)
		busy <- struct{}{}
		<-stopping
		// What a handler does while the stop goes on.
		_, err := c.Append(ctx, stream.Message{Subject: "done." + d.ID})
		if ctx.Err() != nil {
			cancelled.Add(1)
		}
		return err
	})
	stop := start(t, c)
	for range slots {
		within(t, "all slots are busy", busy)
	}
	time.AfterFunc(200*time.Millisecond, func() { close(stopping) })
	if err := stop(); err != nil {
		t.Errorf("Run = %v", err)
	}
	results, err := c.LastSequence(t.Context(), "DONE")
	if err != nil {
		t.Fatal(err)
	}
	if begun.Load() != slots || results != slots || cancelled.Load() != 0 {
		t.Errorf("begun %d, results %d, cancelled %d; want %d, %d, 0", begun.Load(), results, cancelled.Load(), slots, slots)
	}
	if p := b.Pending("WORK", "worker"); p != 0 {
		t.Errorf("%d not acknowledged after the stop", p)
	}

	// The rest goes to the next process at once, and only the rest.
	next := connect(t, b)
	rest := make(chan *stream.Delivery, n)
	next.Handle("worker", slots, func(_ context.Context, d *stream.Delivery) error { rest <- d; return nil })
	stopNext := start(t, next)
	for range n - slots {
		within(t, "the rest", rest)
	}
	if err := stopNext(); err != nil {
		t.Error(err)
	}
	if len(rest) != 0 {
		t.Errorf("%d messages handled again", len(rest))
	}
}

func TestRun_HandlerOutlivesDrainTimeout_IsCancelledAndLeft(t *testing.T) {
	t.Parallel()
	b := streamtest.Server(t)
	c := connect(t, b, func(o *stream.Options) { o.DrainTimeout = 300 * time.Millisecond })
	apply(t, c, one())
	fill(t, c, 1)
	busy, cause := make(chan struct{}), make(chan error, 1)
	free := make(chan struct{})
	t.Cleanup(func() { close(free) })
	c.Handle("worker", 1, func(ctx context.Context, _ *stream.Delivery) error {
		close(busy)
		<-ctx.Done()
		cause <- context.Cause(ctx)
		<-free // takes no notice
		return nil
	})
	stop := start(t, c)
	within(t, "handler runs", busy)
	begin := time.Now()
	err := stop()
	if took := time.Since(begin); took < 300*time.Millisecond || took > 30*time.Second {
		t.Errorf("stop took %s", took)
	}
	if !errors.Is(err, stream.ErrDrainTimeout) {
		t.Errorf("Run = %v", err)
	}
	if got := within(t, "cause", cause); !errors.Is(got, stream.ErrDrainTimeout) {
		t.Errorf("cause = %v", got)
	}
	// Neither acknowledged nor refused: a second copy must not start beside
	// the one that runs before the ack wait (5 s) is over.
	if p := b.Pending("WORK", "worker"); p != 1 {
		t.Errorf("%d out, want 1", p)
	}
	again := make(chan struct{}, 1)
	next := connect(t, b)
	next.Handle("worker", 1, func(context.Context, *stream.Delivery) error { again <- struct{}{}; return nil })
	start(t, next)
	select {
	case <-again:
		t.Error("delivered again while its handler runs")
	case <-time.After(time.Second):
	}
}

func TestSubscriber_CloseWithTakenMessage_WaitsForItsAck(t *testing.T) {
	t.Parallel()
	b := streamtest.Server(t)
	c := connect(t, b)
	apply(t, c, one())
	fill(t, c, 1)
	sub := stream.NewSubscriber(c, stream.SubscriberConfig{})
	out, err := sub.Subscribe(t.Context(), "worker")
	if err != nil {
		t.Fatal(err)
	}
	msg := within(t, "a message", out)
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		_ = sub.Close()
	}()
	select {
	case <-closed:
		t.Fatal("Close did not wait for the message that was taken")
	case <-out:
		t.Fatal("the channel was closed before the message was done")
	case <-time.After(200 * time.Millisecond):
	}
	if msg.Context().Err() != nil {
		t.Error("Close ended the message's context")
	}
	msg.Ack()
	within(t, "Close returns", closed)
	if p := b.Pending("WORK", "worker"); p != 0 {
		t.Errorf("%d not acknowledged", p)
	}
	if _, open := <-out; open {
		t.Error("channel is open")
	}
	if _, err := sub.Subscribe(t.Context(), "worker"); !errors.Is(err, stream.ErrClosed) {
		t.Errorf("Subscribe after Close = %v", err)
	}
}

func TestSubscriber_StopWithUntakenMessage_GivesItBackAtOnce(t *testing.T) {
	t.Parallel()
	b := streamtest.Server(t)
	c := connect(t, b)
	apply(t, c, one(func(d *stream.Consumer) { d.AckWait = time.Minute }))
	fill(t, c, 4)
	sub := stream.NewSubscriber(c, stream.SubscriberConfig{Concurrency: 4})
	if _, err := sub.Subscribe(t.Context(), "worker"); err != nil {
		t.Fatal(err)
	}
	until(t, "messages are out", func() bool { return b.Pending("WORK", "worker") == 4 })
	begin := time.Now()
	if err := sub.Close(); err != nil {
		t.Fatal(err)
	}
	if d := time.Since(begin); d > 30*time.Second {
		t.Errorf("Close took %s", d)
	}
	got := make(chan int, 4)
	c.Handle("worker", 4, func(_ context.Context, d *stream.Delivery) error { got <- d.Attempt; return nil })
	start(t, c)
	for range 4 {
		if a := within(t, "given back", got); a != 2 {
			t.Errorf("attempt %d, want 2", a)
		}
	}
}
