package traps

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	wmjetstream "github.com/ThreeDotsLabs/watermill-nats/v2/pkg/jetstream"
	wmnats "github.com/ThreeDotsLabs/watermill-nats/v2/pkg/nats"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/headrace/headrace/pkg/stream"
)

func TestT3_RepeatedHeader_NextMessageIsHandled(t *testing.T) {
	t.Parallel()
	foreign := func(t *testing.T, s *site) {
		m := nats.NewMsg(in)
		m.Header["Trace"] = []string{"a", "b"}
		if _, err := s.js.PublishMsg(t.Context(), m); err != nil {
			t.Fatal(err)
		}
		s.publish(t, in, 1, 1)
	}
	t.Run("stock", func(t *testing.T) {
		t.Parallel()
		s := newSite(t)
		s.pull(t, jetstream.ConsumerConfig{AckWait: time.Minute})
		foreign(t, s)
		// Had it survived, the child would exit with 0 once it has "1".
		status, text := child(t, "T3", s.url, t.Context().Done())
		if status == 1 {
			t.Fatalf("the child has a fault of its own: %s", text)
		}
		stillThere(t, "T3", status != 0 && strings.Contains(text, "nil pointer dereference"))
	})
	t.Run("ours", func(t *testing.T) {
		t.Parallel()
		s := newSite(t)
		s.pull(t, jetstream.ConsumerConfig{AckWait: time.Minute})
		poison := make(chan error, 1)
		healthy := make(chan string, 1)
		handleFull(t, s.client(t), func(_ context.Context, d *stream.Delivery) error {
			if d.Poison != nil {
				poison <- d.Poison
			} else {
				healthy <- d.ID
			}
			return nil
		})
		foreign(t, s)
		if err := receive(t, poison); err == nil {
			t.Error("the foreign message isn't told as poison")
		}
		if id := receive(t, healthy); id != "1" {
			t.Errorf("got %q after the foreign message, want 1", id)
		}
	})
}

// readUntilHealthy is T3's child.
func readUntilHealthy(ctx context.Context, url string) error {
	sub, err := wmjetstream.NewSubscriber(stockJetStreamConfig(url, time.Minute))
	if err != nil {
		return err
	}
	ch, err := sub.Subscribe(ctx, in)
	if err != nil {
		return err
	}
	for m := range ch {
		m.Ack()
		if m.UUID == "1" {
			return nil
		}
	}
	return fmt.Errorf("the channel ended: %w", context.Cause(ctx))
}

func receive[T any](t *testing.T, ch <-chan T) T {
	t.Helper()
	select {
	case v := <-ch:
		return v
	case <-time.After(patience):
		t.Fatalf("nothing within %s", patience)
	}
	panic("unreachable")
}

func TestT4_OneStreamManySubjects_ArePublished(t *testing.T) {
	t.Parallel()
	t.Run("stock", func(t *testing.T) {
		t.Parallel()
		s := newSite(t)
		pub, err := wmjetstream.NewPublisher(wmjetstream.PublisherConfig{
			URL: s.url, Logger: watermill.NopLogger{},
			ConfigureStream: func(string) jetstream.StreamConfig {
				return jetstream.StreamConfig{Name: theStream, Subjects: []string{"orders.>"}}
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = pub.Close() }()
		err = pub.Publish(in, message.NewMessage("1", nil))
		stillThere(t, "T4", err != nil && s.stored(t, in) == 0)
	})
	t.Run("ours", func(t *testing.T) {
		t.Parallel()
		s := newSite(t)
		if err := stream.NewPublisher(s.client(t)).Publish(in, message.NewMessage("1", nil)); err != nil {
			t.Fatal(err)
		}
		if got := s.stored(t, in); got != 1 {
			t.Errorf("%d messages on the topic, want 1", got)
		}
	})
}

// One id on two subjects of one stream.
func TestT11_OneIDOnTwoSubjects_BothAreStored(t *testing.T) {
	t.Parallel()
	scenario := func(t *testing.T, s *site, pub message.Publisher) (results int) {
		for _, topic := range []string{in, out} {
			if err := pub.Publish(topic, message.NewMessage("PR-1", nil)); err != nil {
				t.Fatal(err)
			}
		}
		return s.stored(t, out)
	}
	t.Run("stock", func(t *testing.T) {
		t.Parallel()
		s := newSite(t)
		stillThere(t, "T11", scenario(t, s, s.stockTracking(t)) == 0)
	})
	t.Run("ours", func(t *testing.T) {
		t.Parallel()
		s := newSite(t)
		if got := scenario(t, s, stream.NewPublisher(s.client(t))); got != 1 {
			t.Errorf("%d results stored, want 1", got)
		}
	})
	t.Run("ours tells a duplicate", func(t *testing.T) {
		t.Parallel()
		s := newSite(t)
		pub := stream.NewPublisher(s.client(t))
		for i, want := range []bool{false, true} {
			m := message.NewMessage("PR-1", nil)
			m.Metadata.Set(nats.MsgIdHdr, "PR-1")
			ack, err := pub.Send(t.Context(), []string{in, out}[i], m)
			if err != nil || ack.Duplicate != want {
				t.Errorf("send %d: duplicate %t, %v; want %t", i, ack.Duplicate, err, want)
			}
		}
	})
}

// stockTracking is the pkg/nats Publisher with its duplicate protection.
func (s *site) stockTracking(t *testing.T) message.Publisher {
	t.Helper()
	pub, err := wmnats.NewPublisher(wmnats.PublisherConfig{
		URL: s.url, JetStream: wmnats.JetStreamConfig{TrackMsgId: true},
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = pub.Close() })
	return pub
}
