package stockreader_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	watermillnats "github.com/ThreeDotsLabs/watermill-nats/v2/pkg/nats"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/nats-io/nats.go"

	"github.com/headrace/headrace/pkg/events"
	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/stream/stockreader"
)

// A program of another team: typed handlers behind Watermill's router and its
// stock subscriber, from a date on.
func ExampleReader() {
	ctx := context.Background()
	if err := billing(ctx, "nats://127.0.0.1:4222"); err != nil {
		fmt.Println(err)
	}
}

func billing(ctx context.Context, url string) error {
	handlers := events.Handlers{
		fulfillment.EventActivated:  events.Once(10_000, open),
		fulfillment.EventTerminated: events.Once(10_000, closeAccount),
	}
	r := stockreader.Reader{
		URL: url, Stream: fulfillment.StreamEvents, Durable: "billing", Filter: "fulfillment.events.>",
		Since: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC),
	}
	nc, err := nats.Connect(url)
	if err != nil {
		return err
	}
	defer nc.Close()
	if err := errors.Join(handlers.Validate(), r.Declare(ctx, nc)); err != nil {
		return err
	}
	sub, err := watermillnats.NewSubscriber(r.Config(), nil)
	if err != nil {
		return err
	}
	router := message.NewDefaultRouter(nil)
	router.AddConsumerHandler("billing", r.Filter, sub, func(m *message.Message) error {
		err := handlers.Handle(m.Context(), m.Metadata, m.Payload)
		if errors.Is(err, events.ErrInvalid) {
			fmt.Println("passed over:", err)
			return nil // it will not get better
		}
		return err // nil acknowledges; an error brings it back, later each time
	})
	return router.Run(ctx)
}

func open(_ context.Context, e *events.Event) error {
	fmt.Println("open an account for", e.AssetID)
	return nil
}

func closeAccount(_ context.Context, e *events.Event) error {
	fmt.Println("close the account of", e.AssetID)
	return nil
}
