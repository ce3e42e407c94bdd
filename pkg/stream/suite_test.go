package stream_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/pubsub/tests"
	"github.com/headrace/headrace/pkg/stream"
	"github.com/headrace/headrace/pkg/stream/streamtest"
)

// TestUniversal runs Watermill's own suite, the definition of a Pub/Sub,
// against one stream that holds all its topics. The long form is built with the
// tag traps. TestReconnect of the suite wants a command that restarts a broker;
// TestHandle_BrokerRestarts_GoesOn stands in for it.
func TestUniversal_Concurrent_Passes(t *testing.T) {
	t.Parallel()
	universal(t, 8, -1, tests.Features{ConsumerGroups: true, Persistent: true})
}

// TestUniversal_Ordered is the form in which a durable keeps the order: one
// message out at a time.
func TestUniversal_Ordered_Passes(t *testing.T) {
	t.Parallel()
	universal(t, 1, 1, tests.Features{ConsumerGroups: true, Persistent: true, GuaranteedOrder: true})
}

func universal(t *testing.T, concurrency, maxAckPending int, features tests.Features) {
	features.ForceShort = !longSuite
	features.GenerateTopicFunc = func(tctx tests.TestContext) string { return "suite." + string(tctx.TestID) }
	b := streamtest.Server(t)
	c := connect(t, b, func(o *stream.Options) { o.RetryMin, o.RetryMax = time.Millisecond, 5*time.Millisecond })
	apply(t, c, stream.Topology{Streams: []stream.Stream{{Name: "SUITE", Subjects: []string{"suite.>"}}}})
	grouped := func(t *testing.T, group string) (message.Publisher, message.Subscriber) {
		sub := stream.NewSubscriber(c, stream.SubscriberConfig{Concurrency: concurrency, DrainTimeout: 200 * time.Millisecond})
		return stream.NewPublisher(c), declaring{Subscriber: sub, client: c, group: group, maxAckPending: maxAckPending}
	}
	tests.TestPubSub(t, features, func(t *testing.T) (message.Publisher, message.Subscriber) {
		return grouped(t, "all")
	}, grouped)
	t.Run("TestNewSubscriberReceivesOldMessages", func(t *testing.T) {
		features.NewSubscriberReceivesOldMessages = true
		tctx := tests.TestContext{TestID: tests.NewTestID(), Features: features}
		tests.TestNewSubscriberReceivesOldMessages(t, tctx, func(t *testing.T) (message.Publisher, message.Subscriber) {
			return grouped(t, watermill.NewShortUUID())
		})
	})
}

// declaring declares the durable of a topic before it subscribes to it, as the
// suite makes its topics up.
type declaring struct {
	*stream.Subscriber
	client        *stream.Client
	group         string
	maxAckPending int
}

func (d declaring) SubscribeInitialize(topic string) error {
	_, err := d.declare(context.Background(), topic)
	return err
}

func (d declaring) Subscribe(ctx context.Context, topic string) (<-chan *message.Message, error) {
	durable, err := d.declare(ctx, topic)
	if err != nil {
		return nil, err
	}
	return d.Subscriber.Subscribe(ctx, durable)
}

func (d declaring) declare(ctx context.Context, topic string) (string, error) {
	durable := strings.ReplaceAll(topic, ".", "-") + "-" + d.group
	return durable, d.client.Apply(ctx, stream.Topology{Consumers: []stream.Consumer{{
		Stream: "SUITE", Durable: durable, Filters: []string{topic}, AckWait: 5 * time.Second, MaxAckPending: d.maxAckPending,
	}}})
}
