package access_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	watermillnats "github.com/ThreeDotsLabs/watermill-nats/v2/pkg/nats"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/headrace/headrace/pkg/stream"
	"github.com/headrace/headrace/pkg/stream/stockreader"
)

// read takes n messages and acknowledges them.
func (s *site) read(c jetstream.Consumer, n int) {
	s.t.Helper()
	for i := range n {
		m, err := c.Next(jetstream.FetchMaxWait(patience))
		if err != nil {
			s.t.Fatalf("message %d of %d: %v", i+1, n, err)
		}
		if err := m.DoubleAck(s.t.Context()); err != nil {
			s.t.Fatal(err)
		}
	}
}

func TestReader_ItsOwnConsumers_WorkInEveryShape(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.publish(5)
	s.mirrored("billing")
	js := s.jetStream("billing")
	for name, cfg := range map[string]jetstream.ConsumerConfig{
		"durable":   {Durable: "billing-invoices"},
		"filtered":  {Durable: "billing-test", FilterSubject: "fulfillment.events.*.approved.>"},
		"filters":   {Durable: "billing-test", FilterSubjects: []string{"fulfillment.events.purchase.>", "fulfillment.events.cancel.>"}},
		"ephemeral": {Name: "billing-test", InactiveThreshold: time.Minute},
	} {
		c, err := js.CreateOrUpdateConsumer(t.Context(), events, cfg)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		s.read(c, 5)
		info, err := c.Info(t.Context())
		if err != nil || info.NumAckPending != 0 || info.AckFloor.Stream != 5 {
			t.Errorf("%s: %+v, %v; want all acknowledged", name, info, err)
		}
		if err := js.DeleteConsumer(t.Context(), events, c.CachedInfo().Name); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	m, err := js.Stream(t.Context(), events)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.GetLastMsgForSubject(t.Context(), "fulfillment.events.purchase.approved.PRD-1.AS-1.PR-5"); err != nil {
		t.Errorf("direct get: %v", err)
	}
}

// Older clients have another subject for it. They have to name the stream: a
// mirror has no subjects by which it could be found.
func TestReader_OlderClient_Reads(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.publish(3)
	s.mirrored("billing")
	old, err := s.connect("billing").JetStream()
	if err != nil {
		t.Fatal(err)
	}
	sub, err := old.PullSubscribe("fulfillment.events.>", "billing-test", nats.BindStream(events))
	if err != nil {
		t.Fatal(err)
	}
	messages, err := sub.Fetch(3, nats.MaxWait(patience))
	if err != nil || len(messages) != 3 {
		t.Errorf("%d messages, %v", len(messages), err)
	}
}

func TestReader_StockWatermill_Reads(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.publish(3)
	r := stockreader.Reader{URL: s.broker.URL(), Stream: events, Durable: "billing-invoices", Filter: "fulfillment.events.*.approved.>"}
	if err := r.Declare(t.Context(), s.connect("billing")); err != nil {
		t.Fatal(err)
	}
	cfg := r.Config()
	cfg.NatsOptions = []nats.Option{nats.UserInfo("billing", "pw-BILLING_PASSWORD"), nats.CustomInboxPrefix("_INBOX_billing")}
	sub, err := watermillnats.NewSubscriber(cfg, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := sub.Close(); err != nil {
			t.Error(err)
		}
	}()
	messages, err := sub.Subscribe(context.WithoutCancel(t.Context()), r.Filter)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		select {
		case m := <-messages:
			m.Ack()
		case <-time.After(patience):
			t.Fatal("no message")
		}
	}
}

func TestReader_DefaultInbox_IsToldAtOnce(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	told := make(chan error, 8)
	nc, err := nats.Connect(s.broker.URL(), nats.UserInfo("billing", "pw-BILLING_PASSWORD"),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { told <- err }))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	if _, err := nc.Request("$JS.API.INFO", nil, 100*time.Millisecond); err == nil {
		t.Error("a reply came to the default inbox")
	}
	select {
	case err := <-told:
		if !errors.Is(err, nats.ErrPermissionViolation) {
			t.Errorf("told %v", err)
		}
	case <-time.After(patience):
		t.Error("nothing is told")
	}
}

// A consumer that never acknowledges stops at its own bound, and nobody else.
func TestReader_NeverAcknowledges_HoldsUpNobody(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	stuck, err := s.jetStream("billing").CreateConsumer(t.Context(), events, jetstream.ConsumerConfig{Durable: "billing-test", MaxAckPending: 10})
	if err != nil {
		t.Fatal(err)
	}
	s.publish(20)
	batch, err := stuck.Fetch(10, jetstream.FetchMaxWait(patience))
	if err != nil {
		t.Fatal(err)
	}
	for range batch.Messages() {
	}
	desk, err := s.jetStream("support").CreateConsumer(t.Context(), events, jetstream.ConsumerConfig{Durable: "support-desk"})
	if err != nil {
		t.Fatal(err)
	}
	s.publish(200)
	s.read(desk, 220)
	s.mirrored("data")
	info, err := stuck.Info(t.Context())
	if err != nil || info.NumAckPending != 10 {
		t.Errorf("the one that never acknowledges: %+v, %v", info, err)
	}
}

func TestReader_BeyondTheAccountsBounds_IsRefused(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	_, err := s.jetStream("billing").CreateConsumer(t.Context(), events, jetstream.ConsumerConfig{Durable: "billing-test", MaxAckPending: 100_001})
	if err == nil {
		t.Error("100,001 messages in hand are allowed")
	}
	admin := s.jetStream("readers-admin")
	if _, err := admin.CreateStream(t.Context(), jetstream.StreamConfig{Name: "SECOND"}); err == nil {
		t.Error("a second stream is allowed")
	}
	var refused error
	for i := range 101 {
		name := "n" + string(rune('a'+i%26)) + string(rune('a'+i/26))
		if _, refused = admin.CreateConsumer(t.Context(), events, jetstream.ConsumerConfig{Durable: name}); refused != nil {
			break
		}
	}
	if refused == nil {
		t.Error("101 consumers are allowed")
	}
	if err := s.services.Apply(t.Context(), stream.Fulfillment(stream.Limits{})); err != nil {
		t.Errorf("our own consumers: %v", err)
	}
}

// Three connections of a reader ask without end, for what they may and may not
// have. What running services do goes on: only lookups and declarations, which
// all accounts ask for in one queue of the broker's, come late or never.
func TestReader_Floods_ServicesGoOn(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	if _, err := s.jetStream("billing").CreateConsumer(t.Context(), events, jetstream.ConsumerConfig{Durable: "billing-test"}); err != nil {
		t.Fatal(err)
	}
	ours, err := s.jetStream("operator").CreateConsumer(t.Context(), events, jetstream.ConsumerConfig{Durable: "ours"})
	if err != nil {
		t.Fatal(err)
	}
	stop := make(chan struct{})
	var flood sync.WaitGroup
	defer flood.Wait()
	defer close(stop)
	for range 3 {
		nc := s.connect("billing")
		flood.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				for _, subject := range []string{
					"$JS.API.CONSUMER.INFO.FULFILLMENT_EVENTS.billing-test", "$JS.API.STREAM.INFO.FULFILLMENT_EVENTS",
					"$JS.API.CONSUMER.MSG.NEXT.FULFILLMENT_EVENTS.billing-test", "fulfillment.requests.purchase.PRD-1.AS-1.PR-1",
				} {
					_ = nc.PublishRequest(subject, "_INBOX_billing.x", []byte(`{}`)) // what comes of it is not of interest
				}
			}
		})
	}
	begun := time.Now()
	s.publish(500)
	s.read(ours, 500)
	took := time.Since(begun)
	t.Logf("500 events published and read in %s", took.Round(time.Millisecond))
	if took > patience {
		t.Errorf("500 events took %s", took)
	}
}
