package traps

import (
	"context"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	wmnats "github.com/ThreeDotsLabs/watermill-nats/v2/pkg/nats"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/message/router/middleware"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/headrace/headrace/pkg/stream"
)

// route runs Watermill's own Router, the same for both halves, until the test
// ends.
func route(t *testing.T, sub message.Subscriber, pub message.Publisher, h message.HandlerFunc, mw ...message.HandlerMiddleware) *message.Router {
	t.Helper()
	r, err := message.NewRouter(message.RouterConfig{CloseTimeout: patience}, watermill.NopLogger{})
	if err != nil {
		t.Fatal(err)
	}
	r.AddMiddleware(mw...)
	r.AddHandler("h", topicOf(sub), sub, out, pub, h)
	done := make(chan error, 1)
	go func() { done <- r.Run(context.WithoutCancel(t.Context())) }()
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Errorf("Router.Close: %v", err)
		}
		if err := receive(t, done); err != nil {
			t.Errorf("Router.Run: %v", err)
		}
	})
	select {
	case <-r.Running():
	case <-time.After(patience):
		t.Fatal("the Router doesn't run")
	}
	return r
}

// A stop while a handler is busy.
func TestT7_RouterClosed_InFlightIsFinished(t *testing.T) {
	t.Parallel()
	const work = 400 * time.Millisecond
	type outcome struct {
		cancelled bool
		results   int
		settled   bool
	}
	scenario := func(t *testing.T, s *site, sub message.Subscriber, pub message.Publisher) outcome {
		started, cause := make(chan struct{}), make(chan error, 1)
		r := route(t, sub, pub, func(m *message.Message) ([]*message.Message, error) {
			close(started)
			hold(work)
			cause <- m.Context().Err()
			return message.Messages{message.NewMessage("result", nil)}, nil
		})
		s.publish(t, in, 0, 1)
		receive(t, started)
		if err := r.Close(); err != nil {
			t.Errorf("Router.Close: %v", err)
		}
		cancelled := receive(t, cause) != nil
		within(t, time.Second, func() bool { return s.stored(t, out) == 1 && s.settled(t) })
		return outcome{cancelled: cancelled, results: s.stored(t, out), settled: s.settled(t)}
	}
	want := outcome{results: 1, settled: true}
	publisher := func(t *testing.T, s *site) message.Publisher {
		pub, err := wmnats.NewPublisher(wmnats.PublisherConfig{URL: s.url}, nil)
		if err != nil {
			t.Fatal(err)
		}
		return pub
	}
	t.Run("stock pkg/nats", func(t *testing.T) {
		t.Parallel()
		s := newSite(t)
		s.push(t, jetstream.ConsumerConfig{})
		got := scenario(t, s, stockNATS(t, s.stockConfig()), publisher(t, s))
		stillThere(t, "T7 (pkg/nats)", got != want)
	})
	t.Run("stock pkg/jetstream", func(t *testing.T) {
		t.Parallel()
		s := newSite(t)
		s.pull(t, jetstream.ConsumerConfig{})
		got := scenario(t, s, s.stockJetStream(t, time.Minute), publisher(t, s))
		stillThere(t, "T7 (pkg/jetstream)", got != want)
	})
	t.Run("ours", func(t *testing.T) {
		t.Parallel()
		s := newSite(t)
		s.pull(t, jetstream.ConsumerConfig{})
		if got := scenario(t, s, s.ours(t, 1), stream.NewPublisher(s.client(t))); got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
	})
}

// The dead letter of a message in the same stream, both published with the
// message's UUID as the id that suppresses duplicates.
func TestT10_PoisonQueueInOneStream_KeepsTheMessage(t *testing.T) {
	t.Parallel()
	scenario := func(t *testing.T, s *site, sub message.Subscriber, pub message.Publisher) (letters int) {
		poison, err := middleware.PoisonQueue(pub, dead)
		if err != nil {
			t.Fatal(err)
		}
		ran := make(chan struct{}, 1)
		route(t, sub, pub, func(*message.Message) ([]*message.Message, error) {
			select {
			case ran <- struct{}{}:
			default:
			}
			return nil, errHandler
		}, poison)
		m := message.NewMessage("PR-1", nil)
		m.Metadata.Set(nats.MsgIdHdr, "PR-1")
		if err := pub.Publish(in, m); err != nil {
			t.Fatal(err)
		}
		receive(t, ran)
		if !within(t, patience, func() bool { return s.settled(t) }) {
			t.Fatal("the message wasn't acknowledged")
		}
		return s.stored(t, dead)
	}
	t.Run("stock", func(t *testing.T) {
		t.Parallel()
		s := newSite(t)
		s.push(t, jetstream.ConsumerConfig{})
		stillThere(t, "T10", scenario(t, s, stockNATS(t, s.stockConfig()), s.stockTracking(t)) == 0)
	})
	t.Run("ours", func(t *testing.T) {
		t.Parallel()
		s := newSite(t)
		s.pull(t, jetstream.ConsumerConfig{})
		if got := scenario(t, s, s.ours(t, 1), stream.NewPublisher(s.client(t))); got != 1 {
			t.Errorf("%d dead letters, want 1: the message is lost", got)
		}
	})
}
