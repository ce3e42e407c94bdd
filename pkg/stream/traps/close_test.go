package traps

import (
	"context"
	"fmt"
	"strconv"
	"sync"

	wmjetstream "github.com/ThreeDotsLabs/watermill-nats/v2/pkg/jetstream"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/headrace/headrace/pkg/stream"
)

const closeCycles = 100

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

// closeOften is T8's child: subscribers that are closed while messages pour in.
func closeOften(make replica) func(ctx context.Context, url string) error {
	return func(ctx context.Context, url string) error {
		feed, err := pour(ctx, url)
		if err != nil {
			return err
		}
		defer feed()
		for i := range closeCycles {
			if err := openAndClose(ctx, url, make, i%5); err != nil {
				return fmt.Errorf("cycle %d: %w", i, err)
			}
		}
		return nil
	}
}

func openAndClose(ctx context.Context, url string, make replica, take int) error {
	sub, end, err := make(ctx, url)
	if err != nil {
		return err
	}
	defer end()
	ch, err := sub.Subscribe(ctx, topicOf(sub))
	if err != nil {
		return err
	}
	for range take {
		m := <-ch
		m.Ack()
	}
	var rest sync.WaitGroup
	rest.Go(func() {
		for m := range ch {
			m.Ack()
		}
	})
	_ = sub.Close() // an error isn't what is looked for
	rest.Wait()
	return nil
}

// pour publishes until the returned function is called.
func pour(ctx context.Context, url string) (func(), error) {
	nc, err := nats.Connect(url)
	if err != nil {
		return nil, err
	}
	js, err := jetstream.New(nc)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	running.Go(func() {
		for i := 0; ctx.Err() == nil; i++ {
			m := nats.NewMsg(in)
			m.Header.Set("_watermill_message_uuid", strconv.Itoa(i))
			_, _ = js.PublishMsg(ctx, m)
		}
	})
	return func() {
		cancel()
		running.Wait()
		nc.Close()
	}, nil
}
