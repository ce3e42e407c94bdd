package stream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/headrace/headrace/pkg/fulfillment"
)

// mirrorWindow is how many messages may be on their way to a mirror.
const mirrorWindow = 1000

// rewindPatience is for an answer of the broker's own.
const rewindPatience = 5 * time.Second

// ErrNotFed says that nothing feeds a mirror in this account.
var ErrNotFed = errors.New("nothing feeds a mirror in this account: share the events with it first, and see that the broker's configuration exports them")

var errNoMirror = errors.New("the stream is there and no mirror: this is the account of the services")

// FeedMirror declares the durable that hands our events to the mirror in
// another account of the broker; c is of ours. It may be called again. The
// broker has to let that account have what the durable hands out: see
// deployments/nats-accounts.conf. It needs nats-server 2.14.
func (c *Client) FeedMirror(ctx context.Context, account string) error {
	if err := validName(account); err != nil {
		return fmt.Errorf("feed mirror: %w", err)
	}
	_, err := c.js.CreateOrUpdatePushConsumer(ctx, fulfillment.StreamEvents, jetstream.ConsumerConfig{
		Durable:        fulfillment.MirrorDurable(account),
		Description:    "feeds the mirror of account " + account,
		DeliverSubject: fulfillment.MirrorSubject(account),
		AckPolicy:      jetstream.AckFlowControlPolicy,
		FlowControl:    true,
		IdleHeartbeat:  time.Second, // the only one that the broker takes
		MaxAckPending:  mirrorWindow,
	})
	if err != nil {
		return fmt.Errorf("feed mirror of account %s: %w", account, err)
	}
	return nil
}

// MirrorEvents declares, in the account that c is connected to, the mirror
// that FeedMirror's durable for it feeds, from the oldest event on. Sequences and times are those of our
// stream. It forgets what is older than maxAge, or than the bytes allow; 0 is
// no bound. It may be called again, and then changes only the bounds. It is
// ErrNotFed when the durable is missing, or not exported to this account.
func (c *Client) MirrorEvents(ctx context.Context, account string, maxAge time.Duration, maxBytes int64) error {
	if err := validName(account); err != nil {
		return fmt.Errorf("mirror events: %w", err)
	}
	cfg := jetstream.StreamConfig{
		Name: fulfillment.StreamEvents, Description: "mirror of Headrace's events",
		Storage: jetstream.FileStorage, Replicas: c.replicas(1), AllowDirect: true,
		MaxAge: max(maxAge, 0), MaxBytes: maxBytes,
		Mirror: &jetstream.StreamSource{
			Name:     fulfillment.StreamEvents,
			External: &jetstream.ExternalStream{APIPrefix: fulfillment.MirrorAPI},
			Consumer: &jetstream.StreamConsumerSource{
				Name: fulfillment.MirrorDurable(account), DeliverSubject: fulfillment.MirrorSubject(account),
			},
		},
	}
	if maxBytes == 0 {
		cfg.MaxBytes = -1
	}
	have, err := c.js.Stream(ctx, cfg.Name)
	switch {
	case errors.Is(err, jetstream.ErrStreamNotFound):
		if err = c.rewindFeed(ctx, account); err == nil {
			_, err = c.js.CreateStream(ctx, cfg)
		}
	case err != nil:
	case have.CachedInfo().Config.Mirror == nil:
		err = errNoMirror
	default:
		old := have.CachedInfo().Config
		old.MaxAge, old.MaxBytes = cfg.MaxAge, cfg.MaxBytes
		_, err = c.js.UpdateStream(ctx, old)
	}
	if err != nil {
		return fmt.Errorf("mirror events in account %s: %w", account, err)
	}
	return nil
}

// DropMirror deletes the mirror in the account that c is connected to, and with
// it the consumers of its readers. A mirror of a stream that was made anew has
// to be: it waits for sequences that do not come. None is no error.
func (c *Client) DropMirror(ctx context.Context) error {
	have, err := c.js.Stream(ctx, fulfillment.StreamEvents)
	switch {
	case errors.Is(err, jetstream.ErrStreamNotFound):
		return nil
	case err != nil:
	case have.CachedInfo().Config.Mirror == nil:
		err = errNoMirror
	default:
		err = c.js.DeleteStream(ctx, fulfillment.StreamEvents)
	}
	if err != nil {
		return fmt.Errorf("drop mirror of events: %w", err)
	}
	return nil
}

// rewindFeed has the durable begin anew: what an earlier mirror of the account
// had acknowledged would be missing in the next one.
func (c *Client) rewindFeed(ctx context.Context, account string) error {
	subject := fulfillment.MirrorAPI + ".CONSUMER.RESET." + fulfillment.StreamEvents + "." + fulfillment.MirrorDurable(account)
	ctx, cancel := context.WithTimeout(ctx, rewindPatience)
	defer cancel()
	m, err := c.nc.RequestWithContext(ctx, subject, []byte(`{"seq":1}`))
	if errors.Is(err, nats.ErrNoResponders) || errors.Is(err, context.DeadlineExceeded) {
		return errors.Join(ErrNotFed, err)
	}
	if err != nil {
		return err
	}
	var answer struct {
		Error *jetstream.APIError `json:"error"`
	}
	if err := json.Unmarshal(m.Data, &answer); err != nil {
		return fmt.Errorf("decode answer of %s: %w", subject, err)
	}
	if answer.Error != nil {
		return errors.Join(ErrNotFed, answer.Error)
	}
	return nil
}
