//go:build traps

package traps

import (
	"context"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	wmnats "github.com/ThreeDotsLabs/watermill-nats/v2/pkg/nats"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/headrace/headrace/pkg/stream"
)

// More messages than are handled within one ack wait.
func TestT5_Backlog_EachIsHandledOnce(t *testing.T) {
	t.Parallel()
	const (
		ackWait = time.Second
		work    = 100 * time.Millisecond
		n       = 25
	)
	scenario := func(t *testing.T, s *site, sub message.Subscriber) (runs int) {
		l := newLog()
		s.publish(t, in, 0, n)
		serve(t, sub, func(m *message.Message) error {
			defer l.begin(m)()
			hold(work)
			return nil
		})
		if !within(t, patience, func() bool { return l.distinct() == n && s.settled(t) }) {
			t.Fatalf("%d of %d messages handled", l.distinct(), n)
		}
		// Second copies lie behind the last message, in the client.
		within(t, 2*ackWait, func() bool { return l.count() > n })
		return l.count()
	}
	t.Run("stock", func(t *testing.T) {
		t.Parallel()
		s := newSite(t)
		s.pull(t, jetstream.ConsumerConfig{AckWait: ackWait})
		stillThere(t, "T5", scenario(t, s, s.stockJetStream(t, ackWait)) > n)
	})
	t.Run("ours", func(t *testing.T) {
		t.Parallel()
		s := newSite(t)
		s.pull(t, jetstream.ConsumerConfig{AckWait: ackWait})
		if runs := scenario(t, s, s.ours(t, 1)); runs != n {
			t.Errorf("%d messages were handled %d times", n, runs)
		}
	})
}

// A handler that takes much longer than the ack wait.
func TestT6_LongHandler_RunsOnceAtATime(t *testing.T) {
	t.Parallel()
	const (
		ackWait = time.Second
		work    = 4 * ackWait
	)
	scenario := func(t *testing.T, s *site, sub message.Subscriber) (peak int) {
		l := newLog()
		var done atomic.Bool
		serve(t, sub, func(m *message.Message) error {
			defer l.begin(m)()
			hold(work)
			done.Store(true)
			return nil
		})
		s.publish(t, in, 0, 1)
		if !within(t, patience, func() bool { return l.atOnce() > 1 || done.Load() && s.settled(t) }) {
			t.Fatal("the message wasn't handled")
		}
		return l.atOnce()
	}
	t.Run("stock pkg/nats", func(t *testing.T) {
		t.Parallel()
		s := newSite(t)
		s.push(t, jetstream.ConsumerConfig{AckWait: ackWait})
		cfg := s.stockConfig()
		cfg.AckWaitTimeout = ackWait
		stillThere(t, "T6 (pkg/nats)", scenario(t, s, stockNATS(t, cfg)) > 1)
	})
	t.Run("stock pkg/jetstream", func(t *testing.T) {
		t.Parallel()
		s := newSite(t)
		s.pull(t, jetstream.ConsumerConfig{AckWait: ackWait})
		stillThere(t, "T6 (pkg/jetstream)", scenario(t, s, s.stockJetStream(t, ackWait)) > 1)
	})
	t.Run("ours", func(t *testing.T) {
		t.Parallel()
		s := newSite(t)
		s.pull(t, jetstream.ConsumerConfig{AckWait: ackWait})
		if peak := scenario(t, s, s.ours(t, 2)); peak != 1 {
			t.Errorf("the message ran %d times at once", peak)
		}
	})
}

// As many messages wait as may be in hand. Stock: they are refused with a delay.
// Ours: they are scheduled and acknowledged.
func TestT13_ManyWaitLong_OthersAreDelivered(t *testing.T) {
	t.Parallel()
	const (
		slots = 10
		wait  = time.Minute
	)
	scenario := func(t *testing.T, s *site, waiting, healthy *atomic.Int32, patience time.Duration) (delivered bool) {
		s.publish(t, in, 0, slots)
		if !within(t, patience, func() bool { return waiting.Load() == slots }) {
			t.Fatalf("%d of %d messages wait", waiting.Load(), slots)
		}
		s.publish(t, in, slots, slots)
		return within(t, patience, func() bool { return healthy.Load() == slots })
	}
	t.Run("stock", func(t *testing.T) {
		t.Parallel()
		s := newSite(t)
		s.push(t, jetstream.ConsumerConfig{MaxAckPending: slots})
		cfg := s.stockConfig()
		cfg.NakDelay = wmnats.NewStaticDelay(wait)
		var waiting, healthy atomic.Int32
		serve(t, stockNATS(t, cfg), func(m *message.Message) error {
			if mustWait(m.UUID, slots) {
				waiting.Add(1)
				return errHandler
			}
			healthy.Add(1)
			return nil
		})
		scenario(t, s, &waiting, &healthy, 3*time.Second)
		stillThere(t, "T13", healthy.Load() == 0)
	})
	t.Run("ours", func(t *testing.T) {
		t.Parallel()
		s := newSite(t)
		c := s.client(t)
		if err := c.Apply(t.Context(), topology(slots)); err != nil {
			t.Fatal(err)
		}
		var waiting, healthy atomic.Int32
		handleFull(t, c, func(ctx context.Context, d *stream.Delivery) error {
			if !mustWait(d.ID, slots) {
				healthy.Add(1)
				return nil
			}
			later := d.Message
			later.Subject = "orders.schedules." + d.ID
			if _, err := c.Append(ctx, later, stream.ScheduleAt(time.Now().Add(wait), "orders.retries."+d.ID)); err != nil {
				return err
			}
			waiting.Add(1)
			return nil
		})
		if !scenario(t, s, &waiting, &healthy, patience) {
			t.Errorf("%d of %d messages delivered beside those that wait", healthy.Load(), slots)
		}
	})
}

func mustWait(uuid string, first int) bool {
	i, err := strconv.Atoi(uuid)
	return err == nil && i < first
}
