// Command events-nats prints Headrace's events with nothing but nats.go. It
// reads the broker's address, with credential, from NATS_URL and ends with
// Ctrl-C; the next start goes on where it was. NATS_DURABLE and NATS_INBOX are
// the name of the consumer and what replies begin with, as whoever runs the
// broker gave them to you.
package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	durable, inbox := cmp.Or(os.Getenv("NATS_DURABLE"), "events-printer"), cmp.Or(os.Getenv("NATS_INBOX"), "_INBOX")
	if err := run(ctx, os.Getenv("NATS_URL"), durable, inbox, os.Stdout); err != nil {
		log.Fatal(err)
	}
}

// event is as much of schemas/event.v1.json as is printed here.
type event struct {
	RequestID string    `json:"request_id"`
	Type      string    `json:"type"`
	Event     string    `json:"event"`
	Reason    string    `json:"reason"`
	Time      time.Time `json:"time"`
}

func run(ctx context.Context, url, durable, inbox string, out io.Writer) error {
	nc, err := nats.Connect(url, nats.CustomInboxPrefix(inbox), nats.MaxReconnects(-1)) // for ever
	if err != nil {
		return fmt.Errorf("connect to the broker at NATS_URL: %w", err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		return fmt.Errorf("use JetStream: %w", err)
	}
	consumer, err := js.CreateOrUpdateConsumer(ctx, "FULFILLMENT_EVENTS", jetstream.ConsumerConfig{
		Durable: durable, FilterSubject: "fulfillment.events.>", AckPolicy: jetstream.AckExplicitPolicy,
	})
	if err != nil {
		return fmt.Errorf("declare consumer: %w", err)
	}
	messages, err := consumer.Messages()
	if err != nil {
		return fmt.Errorf("read: %w", err)
	}
	defer context.AfterFunc(ctx, messages.Stop)()
	for {
		m, err := messages.Next()
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read: %w", err)
		}
		if err := handle(m, out); err != nil {
			return err // what is not acknowledged comes again
		}
	}
}

// handle prints an event and acknowledges it. The same event may come again: a
// program that does more than print keeps the ce-id where its work is kept.
func handle(m jetstream.Msg, out io.Writer) error {
	id := m.Headers().Get("ce-id")
	var e event
	if !strings.HasSuffix(m.Headers().Get("ce-type"), ".v1") {
		return m.Ack() // a later version lies beside this one, for who knows it
	}
	if err := json.Unmarshal(m.Data(), &e); err != nil {
		log.Printf("passed over %s: %v", m.Subject(), err)
		return m.Term()
	}
	_, err := fmt.Fprintf(out, "%s  %s %s %s %s (%s)\n", e.Time.Format(time.RFC3339), e.RequestID, e.Type, e.Event, e.Reason, id)
	if err != nil {
		return fmt.Errorf("print: %w", err)
	}
	if err := m.Ack(); err != nil {
		return fmt.Errorf("acknowledge: %w", err)
	}
	return nil
}
