package stream_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

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
	w := watch(t, b, "$JS.ACK.WORK.worker.")
	var mu sync.Mutex
	busy, peak := 0, 0
	seen := map[uint64]int{}
	done := make(chan struct{})
	c.Handle("worker", slots, func(_ context.Context, d *stream.Delivery) error {
		mu.Lock()
		busy++
		peak = max(peak, busy)
		seen[d.Sequence]++
		mu.Unlock()
		_ = b.Pending("WORK", "worker") // takes a while
		mu.Lock()
		defer mu.Unlock()
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
	until(t, "all is acknowledged", func() bool { return w.acked() == n })
	if w.peak() > slots {
		t.Errorf("%d messages out at once with %d slots: they wait here", w.peak(), slots)
	}
	for seq, times := range seen {
		if times != 1 {
			t.Errorf("message %d handled %d times", seq, times)
		}
	}
}

// wire sees the messages of a durable, and their acknowledgements, as they pass the
// broker. Its own count of what is out would not do: it reads acknowledgements and
// requests for messages side by side, so that however many of the former may wait.
type wire struct {
	mu               sync.Mutex // guards all
	out, most, ended int
}

func watch(t *testing.T, b *streamtest.Broker, acks string) *wire {
	t.Helper()
	w := &wire{}
	nc := b.JetStream().Conn()
	_, err := nc.Subscribe(">", func(m *nats.Msg) {
		w.mu.Lock()
		defer w.mu.Unlock()
		switch {
		case strings.HasPrefix(m.Reply, acks):
			w.out++
			w.most = max(w.most, w.out)
		case strings.HasPrefix(m.Subject, acks) && string(m.Data) == "+ACK":
			w.out--
			w.ended++
		}
	})
	if err == nil {
		err = nc.Flush()
	}
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *wire) peak() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.most
}

func (w *wire) acked() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.ended
}
