package stream_test

import (
	"context"
	"math"
	"sync/atomic"
	"testing"

	"github.com/headrace/headrace/pkg/stream"
	"github.com/headrace/headrace/pkg/stream/streamtest"
)

func TestWithin_NoRoom_LeavesMessagesWithTheBroker(t *testing.T) {
	t.Parallel()
	const messages = 40
	c := connect(t, streamtest.Server(t))
	apply(t, c, one())
	var room, asked, handled atomic.Int64
	done := make(chan struct{})
	c.Handle("worker", 8, func(context.Context, *stream.Delivery) error {
		if handled.Add(1) == messages {
			close(done)
		}
		return nil
	})
	c.Within("worker", func() int {
		asked.Add(1)
		return int(room.Load())
	})
	start(t, c)
	fill(t, c, messages)
	for range 3 { // also when it is asked again
		before := asked.Load()
		until(t, "it is asked whether there is room", func() bool { return asked.Load() > before })
	}
	if s := state(t, c); s.InHand != 0 || s.Delivered != 0 || handled.Load() != 0 {
		t.Errorf("without room %d were handled, %d are in hand, delivered up to %d", handled.Load(), s.InHand, s.Delivered)
	}
	room.Store(math.MaxInt)
	within(t, "all are handled once there is room", done)
}

// For a probe one message is asked for, or two where it has not come to the
// handler yet; the places of those in hand are not its.
func TestWithin_RoomForOne_AsksForOneAtATime(t *testing.T) {
	t.Parallel()
	c := connect(t, streamtest.Server(t))
	apply(t, c, one())
	var room atomic.Int64
	room.Store(1)
	took, goOn := make(chan struct{}, 40), make(chan struct{})
	t.Cleanup(func() { close(goOn) })
	c.Handle("worker", 24, func(ctx context.Context, _ *stream.Delivery) error {
		room.Store(0) // as whoever takes the probe
		took <- struct{}{}
		select {
		case <-goOn:
		case <-ctx.Done():
		}
		return nil
	})
	c.Within("worker", func() int { return int(room.Load()) })
	start(t, c)
	fill(t, c, 40)
	const probes = 4
	for range probes - 1 {
		within(t, "one comes", took)
		room.Store(1)
	}
	within(t, "the last one comes", took)
	if s := state(t, c); s.InHand > 2*probes {
		t.Errorf("%d in hand, want %d", s.InHand, probes)
	}
}

func state(t *testing.T, c *stream.Client) stream.ConsumerState {
	t.Helper()
	s, err := c.ConsumerState(t.Context(), "worker")
	if err != nil {
		t.Fatal(err)
	}
	return s
}
