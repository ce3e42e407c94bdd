package stream_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/headrace/headrace/pkg/guard"
	"github.com/headrace/headrace/pkg/stream"
	"github.com/headrace/headrace/pkg/stream/streamtest"
)

// slotted is one() and n slots for its durable.
func slotted(t *testing.T, c *stream.Client, n int, wait time.Duration) {
	t.Helper()
	top := one()
	top.Streams = append(top.Streams, stream.Stream{Name: "SLOTS", Subjects: []string{"slots.>"}, PerSubject: 1})
	top.Consumers = append(top.Consumers, stream.Consumer{Stream: "SLOTS", Durable: "slots", AckWait: wait})
	apply(t, c, top)
	for i := range n {
		if _, err := c.Append(t.Context(), stream.Message{Subject: fmt.Sprint("slots.", i), ID: fmt.Sprint("slot-", i)}); err != nil {
			t.Fatal(err)
		}
	}
}

// gauge counts what is in hand, over all processes.
type gauge struct {
	mu            sync.Mutex // guards all
	busy, peak    int
	done          map[string]int // by the process
	all, expected int
	over          chan struct{}
}

func newGauge(expected int) *gauge {
	return &gauge{done: map[string]int{}, expected: expected, over: make(chan struct{})}
}

func (g *gauge) handler(name string, took time.Duration) stream.Handler {
	return func(ctx context.Context, _ *stream.Delivery) error {
		g.mu.Lock()
		g.busy++
		g.peak = max(g.peak, g.busy)
		g.mu.Unlock()
		select {
		case <-time.After(took):
		case <-ctx.Done():
		}
		g.mu.Lock()
		defer g.mu.Unlock()
		g.busy--
		g.done[name]++
		if g.all++; g.all == g.expected {
			close(g.over)
		}
		return nil
	}
}

func (g *gauge) did(name string) int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.done[name]
}

// most is how many were in hand at once.
func (g *gauge) most() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.peak
}

func TestBound_ManyProcesses_NeverMoreInHandThanSlots(t *testing.T) {
	t.Parallel()
	b := streamtest.Server(t)
	const n, slots = 300, 5
	slotted(t, connect(t, b), slots, 5*time.Second)
	g := newGauge(n)
	var stops []func() error
	for i := range 3 {
		c := connect(t, b)
		c.Handle("worker", 8, g.handler(fmt.Sprint(i), 20*time.Millisecond))
		c.Bound("worker", "slots")
		stops = append(stops, start(t, c))
	}
	fill(t, connect(t, b), n)
	within(t, "all handled", g.over)
	for _, stop := range stops {
		if err := stop(); err != nil {
			t.Error(err)
		}
	}
	if most := g.most(); most > slots || most < slots-1 {
		t.Errorf("%d in hand at once with %d slots", most, slots)
	}
	if g.all != n {
		t.Errorf("%d handled of %d", g.all, n)
	}
	t.Logf("shares %v", g.done)
}

// The first has all slots and never stops using them.
func TestBound_ProcessJoins_GetsItsShareOfTheSlots(t *testing.T) {
	t.Parallel()
	b := streamtest.Server(t)
	const n, slots = 2000, 4
	slotted(t, connect(t, b), slots, 5*time.Second)
	fill(t, connect(t, b), n)
	g := newGauge(n)
	join := func(name string) func() error {
		c := connect(t, b)
		c.Handle("worker", 8, g.handler(name, 20*time.Millisecond))
		c.Bound("worker", "slots")
		return start(t, c)
	}
	join("first")
	until(t, "the first works", func() bool { return g.did("first") > 5*slots })
	began := time.Now()
	join("second")
	until(t, "the second works", func() bool { return g.did("second") > 0 })
	t.Logf("after %s", time.Since(began))
	before := g.did("first")
	until(t, "the second has done much", func() bool { return g.did("second") > 100 })
	first := g.did("first") - before
	t.Logf("the first did %d meanwhile", first)
	if first > 300 {
		t.Error("the slots are not shared")
	}
	if most := g.most(); most > slots { // both processes still work
		t.Errorf("%d in hand at once with %d slots", most, slots)
	}
}

// What waits for a retry holds no slot; what a process that is gone held is free
// after the ack wait, and what one that stops held at once.
func TestBound_RetriesAndLeaving_SlotsAreFreeForOthers(t *testing.T) {
	t.Parallel()
	b := streamtest.Server(t)
	c := connect(t, b)
	slotted(t, c, 2, time.Second)
	fill(t, c, 50)
	waiting := make(chan struct{}, 100)
	c.Handle("worker", 8, func(context.Context, *stream.Delivery) error {
		waiting <- struct{}{}
		return stream.RetryAfter(context.Canceled, 2*time.Second)
	})
	c.Bound("worker", "slots")
	stop := start(t, c)
	for range 50 { // far more than there are slots, and all at once
		within(t, "each is put off", waiting)
	}
	if p := b.Pending("WORK", "worker"); p != 50 {
		t.Errorf("%d wait for their retry, want 50", p)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
	g := newGauge(50)
	next := connect(t, b)
	next.Handle("worker", 8, g.handler("next", 0))
	next.Bound("worker", "slots")
	start(t, next)
	within(t, "all handled", g.over)
}

func TestBound_ProcessDies_ItsSlotsAreFreeAfterTheAckWait(t *testing.T) {
	t.Parallel()
	b := streamtest.Server(t)
	c := connect(t, b)
	slotted(t, c, 2, 2*time.Second)
	fill(t, c, 10)
	g := newGauge(12) // two of them twice
	c.Handle("worker", 8, g.handler("first", time.Hour))
	c.Bound("worker", "slots")
	start(t, c)
	until(t, "both slots are in use", func() bool { return b.Pending("WORK", "worker") == 2 && b.Pending("SLOTS", "slots") == 2 })
	next := connect(t, b)
	next.Handle("worker", 8, g.handler("next", 0))
	next.Bound("worker", "slots")
	start(t, next)
	c.Close() // as a death: nothing is given back
	until(t, "the next one does all", func() bool { return g.did("next") == 10 })
}

func TestBound_SlotsAreDeleted_GoesOnWhenTheyAreThereAgain(t *testing.T) {
	t.Parallel()
	b := streamtest.Server(t)
	c := connect(t, b)
	slotted(t, c, 2, time.Second)
	g := newGauge(40)
	c.Handle("worker", 8, g.handler("one", 0))
	c.Bound("worker", "slots")
	start(t, c)
	fill(t, c, 20)
	until(t, "it works", func() bool { return g.did("one") == 20 })
	if err := b.JetStream().DeleteStream(t.Context(), "SLOTS"); err != nil {
		t.Fatal(err)
	}
	until(t, "it holds none", func() bool { n, bound := c.Held("worker"); return bound && n == 0 })
	slotted(t, c, 2, time.Second)
	for i := range 20 {
		if _, err := c.Append(t.Context(), stream.Message{Subject: fmt.Sprint("work.more-", i), ID: fmt.Sprint("more-", i)}); err != nil {
			t.Fatal(err)
		}
	}
	within(t, "all handled", g.over)
}

// It asks all the time, so that the race detector sees whoever changes what it
// asks about.
func TestBound_HandlerOutlivesDrainTimeout_MayNotCall(t *testing.T) {
	t.Parallel()
	b := streamtest.Server(t)
	c := connect(t, b, func(o *stream.Options) { o.DrainTimeout = 100 * time.Millisecond })
	slotted(t, c, 1, 5*time.Second)
	fill(t, c, 1)
	busy, free, last := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	c.Handle("worker", 1, func(ctx context.Context, _ *stream.Delivery) error {
		close(busy)
		for {
			err := guard.Ask(ctx)
			select {
			case <-free:
				last <- err
				return nil
			default:
				runtime.Gosched()
			}
		}
	})
	c.Bound("worker", "slots")
	stop := start(t, c)
	within(t, "handler runs", busy)
	err := stop()
	if !errors.Is(err, stream.ErrDrainTimeout) {
		t.Errorf("Run = %v", err)
	}
	close(free)
	if err := within(t, "its last question", last); !errors.Is(err, stream.ErrLeaseLost) {
		t.Errorf("may it call: %v", err)
	}
	if p := b.Pending("SLOTS", "slots"); p != 1 {
		t.Errorf("%d slots are out, want the one that its handler still uses", p)
	}
}
