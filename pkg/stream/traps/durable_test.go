package traps

import (
	"errors"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

func TestT1_FirstReplicaStops_DurableStays(t *testing.T) {
	t.Parallel()
	scenario := func(t *testing.T, s *site, replica func() message.Subscriber) (gone bool) {
		l := newLog()
		h := func(m *message.Message) error {
			l.begin(m)()
			return nil
		}
		stop := serve(t, replica(), h)
		serve(t, replica(), h)
		s.publish(t, in, 0, 6)
		if !within(t, patience, func() bool { return l.distinct() == 6 && s.settled(t) }) {
			t.Fatal("the replicas didn't handle six messages")
		}
		stop()
		_, err := s.js.Consumer(t.Context(), theStream, theDurable)
		if errors.Is(err, jetstream.ErrConsumerNotFound) {
			return true
		}
		s.publish(t, in, 6, 1)
		return !within(t, patience, func() bool { return l.distinct() == 7 })
	}
	t.Run("stock", func(t *testing.T) {
		t.Parallel()
		s := newSite(t)
		stillThere(t, "T1", scenario(t, s, func() message.Subscriber {
			cfg := s.stockConfig()
			cfg.JetStream.SubscribeOptions = []nats.SubOpt{nats.ManualAck()} // the library makes the durable
			return stockNATS(t, cfg)
		}))
	})
	t.Run("ours", func(t *testing.T) {
		t.Parallel()
		s := newSite(t)
		s.pull(t, jetstream.ConsumerConfig{})
		if scenario(t, s, func() message.Subscriber { return s.ours(t, 1) }) {
			t.Error("the second replica gets nothing after the first has stopped")
		}
	})
}

func TestT9_ConsumerDeletedAndMadeAgain_GoesOn(t *testing.T) {
	t.Parallel()
	scenario := func(t *testing.T, s *site, sub message.Subscriber, wait time.Duration) (goesOn bool) {
		l := newLog()
		serve(t, sub, func(m *message.Message) error {
			l.begin(m)()
			return nil
		})
		s.publish(t, in, 0, 1)
		if !within(t, patience, func() bool { return l.distinct() == 1 && s.settled(t) }) {
			t.Fatal("the first message wasn't handled")
		}
		if err := s.js.DeleteConsumer(t.Context(), theStream, theDurable); err != nil {
			t.Fatal(err)
		}
		s.pull(t, jetstream.ConsumerConfig{DeliverPolicy: jetstream.DeliverNewPolicy})
		s.publish(t, in, 1, 1)
		return within(t, wait, func() bool { return l.distinct() == 2 })
	}
	t.Run("stock", func(t *testing.T) {
		t.Parallel()
		s := newSite(t)
		s.pull(t, jetstream.ConsumerConfig{})
		stillThere(t, "T9", !scenario(t, s, s.stockJetStream(t, time.Minute), 1500*time.Millisecond))
	})
	t.Run("ours", func(t *testing.T) {
		t.Parallel()
		s := newSite(t)
		s.pull(t, jetstream.ConsumerConfig{})
		if !scenario(t, s, s.ours(t, 1), patience) {
			t.Error("nothing is delivered after the consumer was made again")
		}
	})
}
