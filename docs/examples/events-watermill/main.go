// Command events-watermill prints Headrace's approvals with the stock
// subscriber of watermill-nats. It reads the broker's address, with credential,
// from NATS_URL and ends with Ctrl-C; the next start goes on where it was.
// NATS_DURABLE and NATS_INBOX are the name of the consumer and what replies
// begin with, as whoever runs the broker gave them to you.
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"

	watermillnats "github.com/ThreeDotsLabs/watermill-nats/v2/pkg/nats"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/nats-io/nats.go"

	"github.com/headrace/headrace/pkg/events"
	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/stream/stockreader"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	durable, inbox := cmp.Or(os.Getenv("NATS_DURABLE"), "approvals-printer"), cmp.Or(os.Getenv("NATS_INBOX"), "_INBOX")
	if err := run(ctx, os.Getenv("NATS_URL"), durable, inbox, os.Stdout); err != nil {
		log.Fatal(err)
	}
}

// remembered is how many ids are kept to tell repeats by. A program that does
// more than print keeps the id where its work is kept.
const remembered = 10_000

func run(ctx context.Context, url, durable, inbox string, out io.Writer) error {
	r := stockreader.Reader{
		URL: url, Stream: fulfillment.StreamEvents, Durable: durable, Filter: "fulfillment.events.*.approved.>",
	}
	cfg := r.Config()
	cfg.NatsOptions = append(cfg.NatsOptions, nats.CustomInboxPrefix(inbox))
	if err := declare(ctx, r, cfg.NatsOptions); err != nil {
		return err
	}
	handlers := events.Handlers{
		fulfillment.EventApproved: events.Once(remembered, func(_ context.Context, e *events.Event) error {
			_, err := fmt.Fprintf(out, "%s %s of %s (%s)\n", e.Type, e.Event, e.AssetID, e.ID)
			return err
		}),
	}
	sub, err := watermillnats.NewSubscriber(cfg, nil)
	if err != nil {
		return fmt.Errorf("make subscriber: %w", err)
	}
	router := message.NewDefaultRouter(nil)
	router.AddConsumerHandler(r.Durable, r.Filter, sub, handling(handlers)) //nolint:contextcheck // a message brings its context
	if err := router.Run(ctx); err != nil {
		return fmt.Errorf("read: %w", err)
	}
	return nil
}

// handling is handlers for the router.
func handling(handlers events.Handlers) message.NoPublishHandlerFunc {
	return func(m *message.Message) error {
		err := handlers.Handle(m.Context(), m.Metadata, m.Payload)
		if errors.Is(err, events.ErrInvalid) {
			log.Printf("passed over: %v", err)
			return nil // it will not get better
		}
		return err // nil acknowledges; with an error it comes again
	}
}

// declare makes the durable consumer, which remembers the position.
func declare(ctx context.Context, r stockreader.Reader, options []nats.Option) error {
	nc, err := nats.Connect(r.URL, options...)
	if err != nil {
		return fmt.Errorf("connect to the broker at NATS_URL: %w", err)
	}
	defer nc.Close()
	return r.Declare(ctx, nc)
}
