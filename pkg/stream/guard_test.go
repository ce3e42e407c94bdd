package stream_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/headrace/headrace/pkg/guard"
	"github.com/headrace/headrace/pkg/stream"
	"github.com/headrace/headrace/pkg/stream/streamtest"
)

// vendor counts the calls that reach it; call makes one.
func vendor(t *testing.T) (call func(context.Context) error, calls *atomic.Int64) {
	t.Helper()
	calls = new(atomic.Int64)
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { calls.Add(1) }))
	t.Cleanup(s.Close)
	client := &http.Client{Transport: guard.Transport(s.Client().Transport)}
	return func(ctx context.Context) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.URL, nil)
		if err != nil {
			return err
		}
		resp, err := client.Do(req)
		if err == nil {
			_ = resp.Body.Close()
		}
		return err
	}, calls
}

// The worker's line stalls after it has looked whether it may call, as at a
// gate, and before it calls. It takes no notice of its context's end: that comes
// from another goroutine, which may be late.
func TestLease_LostBetweenGateAndCall_CallIsNotMade(t *testing.T) {
	t.Parallel()
	b := streamtest.Server(t)
	line := streamtest.Between(t, b)
	c := connect(t, b, func(o *stream.Options) { o.URL = line.URL() })
	apply(t, c, one(shortWait))
	fill(t, c, 1)
	call, calls := vendor(t)
	asked, outcome := make(chan error, 1), make(chan error, 1)
	c.Handle("worker", 1, func(ctx context.Context, d *stream.Delivery) error {
		if d.Attempt > 1 {
			return errors.New("not for me")
		}
		asked <- guard.Ask(ctx)
		<-ctx.Done()
		outcome <- call(context.WithoutCancel(ctx))
		return nil
	})
	start(t, c)
	if err := within(t, "the worker is at the gate", asked); err != nil {
		t.Errorf("refused while the lease is good: %v", err)
	}
	line.Stall(true)
	if err := within(t, "the call's outcome", outcome); !guard.Refused(err) || !errors.Is(err, stream.ErrLeaseLost) {
		t.Errorf("error = %v", err)
	}
	if calls.Load() != 0 {
		t.Error("the call was made")
	}
}

// A message that is done with is nobody's: what a handler left running must not
// call for it.
func TestLease_HandlerHasReturned_CallIsNotMade(t *testing.T) {
	t.Parallel()
	b := streamtest.Server(t)
	c := connect(t, b)
	apply(t, c, one())
	fill(t, c, 1)
	left := make(chan context.Context, 1)
	c.Handle("worker", 1, func(ctx context.Context, _ *stream.Delivery) error { left <- ctx; return nil })
	start(t, c)
	ctx := within(t, "the handler has run", left)
	until(t, "acknowledged", func() bool { return b.Pending("WORK", "worker") == 0 })
	if err := guard.Ask(ctx); !errors.Is(err, stream.ErrLeaseLost) {
		t.Errorf("error = %v", err)
	}
}

func TestRun_Stopping_LateCallsAreRefusedAndGoBackAtOnce(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		drain, from, upTo time.Duration
	}{
		"short drain": {drain: 5 * time.Second, upTo: 4 * time.Second},
		"long drain":  {drain: 6500 * time.Millisecond, from: 900 * time.Millisecond, upTo: 6 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			lateCalls(t, c.drain, c.from, c.upTo)
		})
	}
}

// lateCalls has a handler ask again and again while its process stops; it must
// be refused between from and upTo after the stop, and the message be free then.
func lateCalls(t *testing.T, drain, from, upTo time.Duration) {
	b := streamtest.Server(t)
	c := connect(t, b, func(o *stream.Options) { o.DrainTimeout = drain })
	apply(t, c, one(func(d *stream.Consumer) { d.AckWait = time.Minute }))
	fill(t, c, 1)
	begun, refused := make(chan struct{}), make(chan time.Time, 1)
	c.Handle("worker", 1, func(ctx context.Context, _ *stream.Delivery) error {
		close(begun)
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for ctx.Err() == nil {
			if err := guard.Ask(ctx); err != nil {
				refused <- time.Now()
				return stream.RetryAfter(err, 0)
			}
			<-tick.C
		}
		return ctx.Err()
	})
	stop := start(t, c)
	<-begun
	began := time.Now()
	if err := stop(); err != nil {
		t.Errorf("Run = %v", err)
	}
	select {
	case at := <-refused:
		if took := at.Sub(began); took < from || took > upTo {
			t.Errorf("refused after %s, want between %s and %s", took, from, upTo)
		}
	default:
		t.Fatal("not refused")
	}
	again := make(chan error, 1)
	next := connect(t, b)
	next.Handle("worker", 1, func(ctx context.Context, _ *stream.Delivery) error { again <- guard.Ask(ctx); return nil })
	start(t, next)
	if err := within(t, "the next process has it", again); err != nil {
		t.Errorf("the next process is refused: %v", err)
	}
}

// An embedded broker stops together with the handlers. What goes back must not
// rest for the ack wait then.
func TestRun_StopsWithTheBroker_WhatGoesBackComesAtOnceAfterTheRestart(t *testing.T) {
	t.Parallel()
	b := streamtest.Server(t)
	c := connect(t, b)
	apply(t, c, one(func(d *stream.Consumer) { d.AckWait = time.Minute }))
	fill(t, c, 3)
	begun, stopping := make(chan struct{}, 3), make(chan struct{})
	c.Handle("worker", 2, func(context.Context, *stream.Delivery) error {
		begun <- struct{}{}
		<-stopping
		return stream.RetryAfter(errors.New("call not begun"), 0)
	})
	stop := start(t, c)
	within(t, "one is in hand", begun)
	within(t, "another is in hand", begun)
	time.AfterFunc(100*time.Millisecond, func() { close(stopping) })
	if err := stop(); err != nil {
		t.Errorf("Run = %v", err)
	}
	c.Close()
	b.Stop()
	b.Start()
	restarted := time.Now()
	next := connect(t, b)
	apply(t, next, one(func(d *stream.Consumer) { d.AckWait = time.Minute }))
	got := make(chan int, 3)
	next.Handle("worker", 3, func(_ context.Context, d *stream.Delivery) error { got <- d.Attempt; return nil })
	start(t, next)
	for range 3 {
		within(t, "a message", got)
	}
	if took := time.Since(restarted); took > 50*time.Second {
		t.Errorf("they came after %s", took)
	}
}
