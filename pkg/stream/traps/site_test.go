package traps

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	wmjetstream "github.com/ThreeDotsLabs/watermill-nats/v2/pkg/jetstream"
	wmnats "github.com/ThreeDotsLabs/watermill-nats/v2/pkg/nats"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/headrace/headrace/pkg/stream"
	"github.com/headrace/headrace/pkg/stream/streamtest"
)

// The one stream and durable of a site, and its subjects.
const (
	theStream  = "ORDERS"
	theDurable = "worker"
	in         = "orders.in"
	out        = "orders.out"
	dead       = "orders.dead"
	patience   = 20 * time.Second
)

var errHandler = errors.New("vendor is down")

// site is a broker with the stream, and a connection to look at it.
type site struct {
	url string
	nc  *nats.Conn
	js  jetstream.JetStream
}

func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{url: streamtest.Server(t).URL()}
	nc, err := nats.Connect(s.url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	if s.js, err = jetstream.New(nc); err != nil {
		t.Fatal(err)
	}
	s.nc = nc
	_, err = s.js.CreateStream(t.Context(), jetstream.StreamConfig{
		Name: theStream, Subjects: []string{"orders.>"}, AllowDirect: true, AllowMsgSchedules: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// pull makes the durable that pkg/jetstream and ours read.
func (s *site) pull(t *testing.T, cfg jetstream.ConsumerConfig) {
	t.Helper()
	cfg.Durable, cfg.FilterSubject, cfg.AckPolicy = theDurable, in, jetstream.AckExplicitPolicy
	if _, err := s.js.CreateConsumer(t.Context(), theStream, cfg); err != nil {
		t.Fatal(err)
	}
}

// push makes the durable that pkg/nats binds to.
func (s *site) push(t *testing.T, cfg jetstream.ConsumerConfig) {
	t.Helper()
	cfg.DeliverSubject, cfg.DeliverGroup = "deliver."+theDurable, theDurable
	cfg.Durable, cfg.FilterSubject, cfg.AckPolicy = theDurable, in, jetstream.AckExplicitPolicy
	if _, err := s.js.CreatePushConsumer(t.Context(), theStream, cfg); err != nil {
		t.Fatal(err)
	}
}

// publish stores messages of UUID from to from+n-1 on subject.
func (s *site) publish(t *testing.T, subject string, from, n int) {
	t.Helper()
	for i := from; i < from+n; i++ {
		m := nats.NewMsg(subject)
		m.Header.Set(wmnats.WatermillUUIDHdr, strconv.Itoa(i))
		if _, err := s.js.PublishMsg(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
}

// info is the durable's, push or pull.
func (s *site) info(t *testing.T) *jetstream.ConsumerInfo {
	t.Helper()
	legacy, err := s.nc.JetStream()
	if err != nil {
		t.Fatal(err)
	}
	i, err := legacy.ConsumerInfo(theStream, theDurable)
	if err != nil {
		t.Fatal(err)
	}
	got := &jetstream.ConsumerInfo{NumAckPending: i.NumAckPending, NumPending: i.NumPending}
	got.AckFloor.Stream = i.AckFloor.Stream
	got.Delivered.Stream = i.Delivered.Stream
	got.Config.AckWait, got.Config.BackOff = i.Config.AckWait, i.Config.BackOff
	return got
}

// settled is true when the consumer has nothing left to do.
func (s *site) settled(t *testing.T) bool {
	t.Helper()
	i := s.info(t)
	return i.NumPending == 0 && i.NumAckPending == 0
}

// stored counts the messages on a subject.
func (s *site) stored(t *testing.T, subject string) int {
	t.Helper()
	str, err := s.js.Stream(t.Context(), theStream)
	if err != nil {
		t.Fatal(err)
	}
	i, err := str.Info(t.Context(), jetstream.WithSubjectFilter(subject))
	if err != nil {
		t.Fatal(err)
	}
	return int(i.State.Subjects[subject])
}

// stockConfig is pkg/nats as well as it can be: the durable made beforehand,
// bound to, acknowledged by the handler alone.
func (s *site) stockConfig() wmnats.SubscriberConfig {
	return wmnats.SubscriberConfig{
		URL: s.url, QueueGroupPrefix: theDurable, CloseTimeout: 5 * time.Second,
		JetStream: wmnats.JetStreamConfig{
			DurablePrefix:    theDurable,
			SubscribeOptions: []nats.SubOpt{nats.Bind(theStream, theDurable), nats.ManualAck()},
		},
	}
}

func stockNATS(t *testing.T, cfg wmnats.SubscriberConfig) message.Subscriber {
	t.Helper()
	sub, err := wmnats.NewSubscriber(cfg, nil)
	if err != nil {
		t.Fatal(err)
	}
	return sub
}

// stockJetStreamConfig is pkg/jetstream on the durable made beforehand.
func stockJetStreamConfig(url string, ackWait time.Duration) wmjetstream.SubscriberConfig {
	return wmjetstream.SubscriberConfig{
		URL: url, Logger: watermill.NopLogger{}, AckWaitTimeout: ackWait,
		ResourceInitializer: func(ctx context.Context, js jetstream.JetStream, _ string) (
			jetstream.Consumer, func(context.Context, watermill.LoggerAdapter), error,
		) {
			c, err := js.Consumer(ctx, theStream, theDurable)
			return c, nil, err
		},
	}
}

func (s *site) stockJetStream(t *testing.T, ackWait time.Duration) message.Subscriber {
	t.Helper()
	sub, err := wmjetstream.NewSubscriber(stockJetStreamConfig(s.url, ackWait))
	if err != nil {
		t.Fatal(err)
	}
	return sub
}

func (s *site) client(t *testing.T) *stream.Client {
	t.Helper()
	c, err := stream.Connect(t.Context(), stream.Options{URL: s.url})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func (s *site) ours(t *testing.T, concurrency int) message.Subscriber {
	t.Helper()
	return stream.NewSubscriber(s.client(t), stream.SubscriberConfig{Concurrency: concurrency})
}

// topicOf is what sub calls the durable: ours by its name, the stock ones by
// the subject.
func topicOf(sub message.Subscriber) string {
	if _, ours := sub.(*stream.Subscriber); ours {
		return theDurable
	}
	return in
}

// serve hands each message of sub to h in a goroutine of its own, as the Router
// does, and acknowledges by h's error. The returned function closes sub.
func serve(t *testing.T, sub message.Subscriber, h func(*message.Message) error) (stop func()) {
	t.Helper()
	ch, err := sub.Subscribe(context.WithoutCancel(t.Context()), topicOf(sub))
	if err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	running.Go(func() {
		for m := range ch {
			running.Go(func() {
				if h(m) == nil {
					m.Ack()
				} else {
					m.Nack()
				}
			})
		}
	})
	stop = sync.OnceFunc(func() {
		_ = sub.Close() // what a trap makes of it is the test's to look at
		running.Wait()
	})
	t.Cleanup(stop)
	return stop
}
