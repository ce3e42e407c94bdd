package stream_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/headrace/headrace/pkg/stream"
	"github.com/headrace/headrace/pkg/stream/streamtest"
)

func TestHandle_ErrorPanicThenNil_ComesAgainUntilDone(t *testing.T) {
	t.Parallel()
	b := streamtest.Server(t)
	c := connect(t, b)
	apply(t, c, one())
	fill(t, c, 1)
	attempts := make(chan int, 10)
	c.Handle("worker", 2, func(_ context.Context, d *stream.Delivery) error {
		attempts <- d.Attempt
		switch d.Attempt {
		case 1:
			return errors.New("not yet")
		case 2:
			panic("oh")
		}
		return nil
	})
	stop := start(t, c)
	for want := 1; want <= 3; want++ {
		if got := within(t, "attempt", attempts); got != want {
			t.Errorf("attempt %d, want %d", got, want)
		}
	}
	if err := stop(); err != nil {
		t.Errorf("Run = %v", err)
	}
	if n := b.Pending("WORK", "worker"); n != 0 {
		t.Errorf("%d not acknowledged", n)
	}
}

func TestHandle_RetryAfter_RestsThatLong(t *testing.T) {
	t.Parallel()
	c := connect(t, streamtest.Server(t))
	apply(t, c, one())
	fill(t, c, 1)
	times := make(chan time.Time, 2)
	c.Handle("worker", 1, func(_ context.Context, d *stream.Delivery) error {
		times <- time.Now()
		if d.Attempt == 1 {
			return stream.RetryAfter(errors.New("busy"), 400*time.Millisecond)
		}
		return nil
	})
	start(t, c)
	first, second := within(t, "first", times), within(t, "second", times)
	if d := second.Sub(first); d < 400*time.Millisecond || d > 30*time.Second {
		t.Errorf("came again after %s", d)
	}
}

func TestHandle_ManyMessages_NeverMoreThanConcurrency(t *testing.T) {
	t.Parallel()
	b := streamtest.Server(t)
	c := connect(t, b)
	apply(t, c, one())
	const n, slots = 200, 7
	fill(t, c, n)
	var mu sync.Mutex
	busy, peak, held := 0, 0, 0
	seen := map[uint64]int{}
	done := make(chan struct{})
	c.Handle("worker", slots, func(_ context.Context, d *stream.Delivery) error {
		mu.Lock()
		busy++
		peak = max(peak, busy)
		seen[d.Sequence]++
		mu.Unlock()
		// Prefetched messages would count as not acknowledged at the broker.
		out := b.Pending("WORK", "worker")
		mu.Lock()
		defer mu.Unlock()
		held = max(held, out)
		busy--
		if len(seen) == n && busy == 0 {
			close(done)
		}
		return nil
	})
	stop := start(t, c)
	within(t, "all handled", done)
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	if peak > slots || peak < 2 {
		t.Errorf("peak %d of %d", peak, slots)
	}
	// Acknowledgements on their way may still count at the broker, never more
	// than one round of them.
	if held > 2*slots {
		t.Errorf("%d messages out at once with %d slots: they wait here", held, slots)
	}
	for seq, times := range seen {
		if times != 1 {
			t.Errorf("message %d handled %d times", seq, times)
		}
	}
}
