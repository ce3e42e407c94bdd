// Package stockreader lets another team read Headrace's streams with the stock
// subscriber of watermill-nats (v2, pkg/nats), in the one configuration of it
// that we support and test. Nothing of Headrace's own reads this way; package
// traps shows why.
//
// The durable consumer is made beforehand, by Declare or by the broker's
// administrator, and the subscriber only binds to it: one that it makes itself
// is deleted, with its position, by the first process that stops. Messages are
// acknowledged by the handler alone; without that option nats.go acknowledges
// what failed. Delivery is at least once: tell messages apart by their UUID,
// which is the CloudEvents id. Package pkg/events decodes them and calls typed
// handlers.
//
//	r := stockreader.Reader{
//		URL: "nats://127.0.0.1:4222", Stream: "FULFILLMENT_EVENTS",
//		Durable: "billing", Filter: "fulfillment.events.purchase.approved.>",
//	}
//	err := r.Declare(ctx, conn)                     // once, or at each start
//	sub, err := nats.NewSubscriber(r.Config(), logger)
//	messages, err := sub.Subscribe(ctx, r.Filter)   // the topic is the filter
package stockreader

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	watermillnats "github.com/ThreeDotsLabs/watermill-nats/v2/pkg/nats"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Defaults of Reader.
const (
	DefaultAckWait       = 30 * time.Second
	DefaultMaxAckPending = 16

	closeTimeout = 5 * time.Second
)

// Reader names what is read and by whom.
type Reader struct {
	// URL is the broker's address; further options of the connection
	// (credentials, TLS) are appended to NatsOptions of what Config returns.
	URL string
	// Stream is one of Headrace's, Durable the name of the consumer: one for
	// each purpose, shared by the processes that divide the work.
	Stream, Durable string
	// Filter is the subjects to read, wildcards allowed, and the topic to
	// subscribe to.
	Filter string
	// FromNow begins with what comes after Declare, Since with what was stored
	// from then on; else it is the oldest message that the stream has. Not both
	// can be set. They count when the durable is made: one that is there goes on
	// where it was, whatever they say by then.
	FromNow bool
	Since   time.Time
	// AckWait is how long a handler may take before the message is given to
	// another; the stock subscriber doesn't prolong it. Default 30 s.
	AckWait time.Duration
	// MaxAckPending bounds the messages handed out, over all processes. They
	// wait in the subscriber, one handled at a time, while their AckWait runs:
	// keep MaxAckPending × handling time below AckWait × Subscribers.
	// Default 16.
	MaxAckPending int
	// Subscribers is how many messages this process handles at a time; above 1
	// their order is lost. Default 1.
	Subscribers int
}

func (r Reader) withDefaults() Reader {
	if r.AckWait <= 0 {
		r.AckWait = DefaultAckWait
	}
	if r.MaxAckPending <= 0 {
		r.MaxAckPending = DefaultMaxAckPending
	}
	r.Subscribers = max(r.Subscribers, 1)
	return r
}

// Validate reports every fault of r.
func (r Reader) Validate() error {
	var faults []error
	for name, value := range map[string]string{"stream": r.Stream, "durable": r.Durable} {
		if value == "" || strings.ContainsAny(value, ". *>\t") {
			faults = append(faults, fmt.Errorf("%s %q is not a name", name, value))
		}
	}
	if r.Filter == "" {
		faults = append(faults, errors.New("filter is not set"))
	}
	if r.FromNow && !r.Since.IsZero() {
		faults = append(faults, errors.New("FromNow and Since are both set"))
	}
	return errors.Join(faults...)
}

// Config is the configuration for the stock subscriber. Each process has its
// own; the durable must exist when it subscribes.
func (r Reader) Config() watermillnats.SubscriberConfig {
	r = r.withDefaults()
	return watermillnats.SubscriberConfig{
		URL:              r.URL,
		QueueGroupPrefix: r.Durable,
		SubscribersCount: r.Subscribers,
		AckWaitTimeout:   r.AckWait,
		// It waits for no handler; only after a Subscribe that failed does the
		// library wait for all of it.
		CloseTimeout: closeTimeout,
		Unmarshaler:  tolerant{},
		NakDelay:     backoff{},
		// The default gives up after two minutes.
		NatsOptions: []nats.Option{nats.MaxReconnects(-1)},
		JetStream: watermillnats.JetStreamConfig{
			AutoProvision: false,
			// Without it the library forgets the stream that Bind names.
			DurablePrefix: r.Durable,
			SubscribeOptions: []nats.SubOpt{
				nats.Bind(r.Stream, r.Durable),
				nats.ManualAck(),
			},
		},
	}
}

// Declare makes the durable consumer, or brings it up to date. The user of nc
// must be allowed to; one who is not has it declared by who is.
func (r Reader) Declare(ctx context.Context, nc *nats.Conn) error {
	if err := r.Validate(); err != nil {
		return fmt.Errorf("declare reader: %w", err)
	}
	r = r.withDefaults()
	js, err := jetstream.New(nc)
	if err != nil {
		return fmt.Errorf("declare reader %s: %w", r.Durable, err)
	}
	cfg := r.consumer()
	have, err := js.PushConsumer(ctx, r.Stream, r.Durable)
	if err == nil {
		// The broker refuses another beginning, and a reader that says "a day ago"
		// says another one with each start.
		old := have.CachedInfo().Config
		cfg.DeliverPolicy, cfg.OptStartSeq, cfg.OptStartTime = old.DeliverPolicy, old.OptStartSeq, old.OptStartTime
	}
	if err == nil || errors.Is(err, jetstream.ErrConsumerNotFound) {
		_, err = js.CreateOrUpdatePushConsumer(ctx, r.Stream, cfg)
	}
	if err != nil {
		return fmt.Errorf("declare reader %s of %s: %w", r.Durable, r.Stream, err)
	}
	return nil
}

// consumer is the durable that r describes.
func (r Reader) consumer() jetstream.ConsumerConfig {
	cfg := jetstream.ConsumerConfig{
		Durable:       r.Durable,
		Description:   "stock watermill-nats reader",
		FilterSubject: r.Filter,
		DeliverPolicy: jetstream.DeliverAllPolicy,
		AckPolicy:     jetstream.AckExplicitPolicy,
		AckWait:       r.AckWait,
		MaxAckPending: r.MaxAckPending,
		MaxDeliver:    -1,
		// The stock subscriber knows push alone. The subject is one that no
		// stream listens on, and the same for all of the group.
		DeliverSubject: "headrace-deliver." + r.Stream + "." + r.Durable,
		DeliverGroup:   r.Durable,
	}
	switch {
	case r.FromNow:
		cfg.DeliverPolicy = jetstream.DeliverNewPolicy
	case !r.Since.IsZero():
		cfg.DeliverPolicy, cfg.OptStartTime = jetstream.DeliverByStartTimePolicy, &r.Since
	}
	return cfg
}
