package traps

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	wmjetstream "github.com/ThreeDotsLabs/watermill-nats/v2/pkg/jetstream"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/headrace/headrace/pkg/stream"
)

// stopCycles is how often the child stops a subscriber. For each message that
// it has prefetched, the stock one chooses blindly between leaving and sending
// on the channel that it has closed.
const stopCycles = 20

// A stop, by the context as the Router does it, while messages wait.
func TestT8_StoppedWithBacklog_ProcessLives(t *testing.T) {
	t.Parallel()
	backlog := func(t *testing.T) *site {
		s := newSite(t)
		// What a stopped one had prefetched comes again soon, for the next cycle.
		s.pull(t, jetstream.ConsumerConfig{AckWait: 500 * time.Millisecond})
		s.publish(t, in, 0, 300)
		return s
	}
	t.Run("stock", func(t *testing.T) {
		t.Parallel()
		status, text := child(t, "T8 stock", backlog(t).url, t.Context().Done())
		if status == 1 {
			t.Fatalf("the child has a fault of its own: %s", text)
		}
		stillThere(t, "T8", status != 0 && strings.Contains(text, "send on closed channel"))
	})
	t.Run("ours", func(t *testing.T) {
		t.Parallel()
		if status, text := child(t, "T8 ours", backlog(t).url, t.Context().Done()); status != 0 {
			t.Errorf("child ended with %d: %s", status, text)
		}
	})
}

// replica makes a subscriber and says what else to close.
type replica func(ctx context.Context, url string) (message.Subscriber, func(), error)

func stockReplica(_ context.Context, url string) (message.Subscriber, func(), error) {
	sub, err := wmjetstream.NewSubscriber(stockJetStreamConfig(url, 0))
	return sub, func() {}, err
}

func ourReplica(ctx context.Context, url string) (message.Subscriber, func(), error) {
	c, err := stream.Connect(ctx, stream.Options{URL: url})
	if err != nil {
		return nil, nil, err
	}
	return stream.NewSubscriber(c, stream.SubscriberConfig{}), c.Close, nil
}

// stopOften is T8's child: subscribers that are stopped while messages wait.
func stopOften(build replica) func(ctx context.Context, url string) error {
	return func(ctx context.Context, url string) error {
		for i := range stopCycles {
			if err := openAndStop(ctx, url, build); err != nil {
				return fmt.Errorf("cycle %d: %w", i, err)
			}
		}
		return nil
	}
}

func openAndStop(ctx context.Context, url string, build replica) error {
	sub, end, err := build(ctx, url)
	if err != nil {
		return err
	}
	defer end()
	subscribed, stop := context.WithCancel(ctx)
	defer stop()
	ch, err := sub.Subscribe(subscribed, topicOf(sub))
	if err != nil {
		return err
	}
	for range 2 {
		m := <-ch
		m.Ack()
	}
	stop()
	for m := range ch {
		m.Nack()
	}
	_ = sub.Close() // an error isn't what is looked for
	return nil
}
