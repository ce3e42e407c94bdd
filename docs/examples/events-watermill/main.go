// Command events-watermill prints Headrace's approvals with the stock
// subscriber of watermill-nats. It reads the broker's address, with credential,
// from NATS_URL and ends with Ctrl-C; the next start goes on where it was.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"

	watermillnats "github.com/ThreeDotsLabs/watermill-nats/v2/pkg/nats"
	"github.com/nats-io/nats.go"

	"github.com/headrace/headrace/pkg/stream/stockreader"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Getenv("NATS_URL"), os.Stdout); err != nil {
		log.Fatal(err)
	}
}

// event is as much of schemas/event.v1.json as is printed here.
type event struct {
	RequestID string `json:"request_id"`
	AssetID   string `json:"asset_id"`
	Type      string `json:"type"`
	Event     string `json:"event"`
}

func run(ctx context.Context, url string, out io.Writer) error {
	r := stockreader.Reader{
		URL: url, Stream: "FULFILLMENT_EVENTS", Durable: "approvals-printer", Filter: "fulfillment.events.*.approved.>",
	}
	nc, err := nats.Connect(url)
	if err != nil {
		return fmt.Errorf("connect to the broker at NATS_URL: %w", err)
	}
	defer nc.Close()
	if err := r.Declare(ctx, nc); err != nil {
		return err
	}
	sub, err := watermillnats.NewSubscriber(r.Config(), nil)
	if err != nil {
		return fmt.Errorf("make subscriber: %w", err)
	}
	defer func() { _ = sub.Close() }() // what is not acknowledged comes again
	messages, err := sub.Subscribe(ctx, r.Filter)
	if err != nil {
		return fmt.Errorf("subscribe: %w", err)
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case m, open := <-messages:
			if !open {
				return nil
			}
			var e event
			if err := json.Unmarshal(m.Payload, &e); err != nil {
				return fmt.Errorf("decode %s: %w", m.UUID, err)
			}
			// m.UUID is the ce-id, the same however often the fact comes.
			if _, err := fmt.Fprintf(out, "%s %s of %s (%s)\n", e.Type, e.Event, e.AssetID, m.UUID); err != nil {
				m.Nack()
				return fmt.Errorf("print: %w", err)
			}
			m.Ack()
		}
	}
}
