package access_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// forbidden tells whether the broker refuses what do does with a connection.
func (s *site) forbidden(user string, do func(*nats.Conn) error) bool {
	s.t.Helper()
	nc := s.connect(user)
	defer nc.Close()
	if err := do(nc); err != nil {
		s.t.Fatal(err)
	}
	if err := nc.FlushTimeout(patience); err != nil {
		s.t.Fatal(err)
	}
	return errors.Is(nc.LastError(), nats.ErrPermissionViolation)
}

func TestReader_WhatItMayNotPublish_IsRefused(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.publish(3)
	desk, err := s.jetStream("support").CreateConsumer(t.Context(), events, jetstream.ConsumerConfig{Durable: "support-desk"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := desk.Next(); err != nil {
		t.Fatal(err)
	}
	before := s.ours()
	for _, subject := range []string{
		// Into the streams.
		"fulfillment.events.purchase.approved.PRD-1.AS-1.PR-1", "fulfillment.requests.purchase.PRD-1.AS-1.PR-1",
		"fulfillment.results.purchase.PRD-1.AS-1.PR-1", "fulfillment.retries.purchase.PRD-1.AS-1.PR-1", "fulfillment.dead.hold.x",
		"fulfillment-mirror.READERS",
		// The stream that it reads.
		"$JS.API.STREAM.CREATE.MINE", "$JS.API.STREAM.UPDATE.FULFILLMENT_EVENTS", "$JS.API.STREAM.DELETE.FULFILLMENT_EVENTS",
		"$JS.API.STREAM.PURGE.FULFILLMENT_EVENTS", "$JS.API.STREAM.MSG.DELETE.FULFILLMENT_EVENTS",
		"$JS.API.STREAM.SNAPSHOT.FULFILLMENT_EVENTS", "$JS.API.STREAM.LEADER.STEPDOWN.FULFILLMENT_EVENTS",
		// Streams that it does not read.
		"$JS.API.STREAM.INFO.FULFILLMENT_REQUESTS", "$JS.API.STREAM.MSG.GET.FULFILLMENT_REQUESTS",
		"$JS.API.DIRECT.GET.FULFILLMENT_RESULTS", "$JS.API.DIRECT.GET.FULFILLMENT_DEAD.fulfillment.dead.hold.x",
		"$JS.API.CONSUMER.CREATE.FULFILLMENT_REQUESTS.billing-test", "$JS.API.CONSUMER.CREATE.FULFILLMENT_DEAD.billing-test",
		// Consumers of ours.
		"$JS.API.CONSUMER.MSG.NEXT.FULFILLMENT_REQUESTS.purchase", "$JS.API.CONSUMER.DELETE.FULFILLMENT_REQUESTS.purchase",
		"$JS.API.CONSUMER.MSG.NEXT.FULFILLMENT_EVENTS.note-failed", "$JS.API.CONSUMER.PAUSE.FULFILLMENT_EVENTS.note-failed",
		"$JS.ACK.FULFILLMENT_REQUESTS.purchase.1.1.1.1.0", "$JS.ACK.FULFILLMENT_EVENTS.note-failed.1.1.1.1.0",
		"$JS.ACK._.hash.FULFILLMENT_REQUESTS.purchase.1.1.1.1.0", "$JS.FC.FULFILLMENT_EVENTS.mirror-READERS.x",
		"headrace.API.CONSUMER.RESET.FULFILLMENT_EVENTS.mirror-READERS",
		// Consumers of other teams, and such as have no name of its own.
		"$JS.API.CONSUMER.CREATE.FULFILLMENT_EVENTS.support-desk", "$JS.API.CONSUMER.DURABLE.CREATE.FULFILLMENT_EVENTS.support-desk",
		"$JS.API.CONSUMER.CREATE.FULFILLMENT_EVENTS.support-desk.fulfillment.events.>",
		"$JS.API.CONSUMER.DELETE.FULFILLMENT_EVENTS.support-desk", "$JS.API.CONSUMER.INFO.FULFILLMENT_EVENTS.support-desk",
		"$JS.API.CONSUMER.PAUSE.FULFILLMENT_EVENTS.support-desk", "$JS.API.CONSUMER.MSG.NEXT.FULFILLMENT_EVENTS.support-desk",
		"$JS.API.CONSUMER.RESET.FULFILLMENT_EVENTS.support-desk", "$JS.ACK.FULFILLMENT_EVENTS.support-desk.1.1.1.1.0",
		"$JS.API.CONSUMER.CREATE.FULFILLMENT_EVENTS", "$JS.API.CONSUMER.CREATE.FULFILLMENT_EVENTS.billing-third",
		"$JS.API.CONSUMER.NAMES.FULFILLMENT_EVENTS", "$JS.API.CONSUMER.LIST.FULFILLMENT_EVENTS", "$JS.API.STREAM.LIST",
		// Replies to others, and the server.
		"_INBOX_support.x.y", "_INBOX.x.y", "_R_.x", "$SYS.REQ.SERVER.PING", "$SYS.REQ.ACCOUNT.HEADRACE.INFO", "anything",
	} {
		if !s.forbidden("billing", func(nc *nats.Conn) error { return nc.PublishRequest(subject, "_INBOX_billing.x", nil) }) {
			t.Errorf("billing may publish %s", subject)
		}
	}
	if diff := cmp.Diff(before, s.ours()); diff != "" {
		t.Errorf("ours changed: %s", diff)
	}
	info, err := desk.Info(t.Context())
	if err != nil || info.NumAckPending != 1 {
		t.Errorf("support's consumer: %+v, %v; want its one message in hand", info, err)
	}
}

func TestReader_WhatItMayNotHear_IsRefused(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for _, subject := range []string{
		">", "*", "*.>", "fulfillment.>", "fulfillment.events.>", "fulfillment.requests.>", "fulfillment-mirror.READERS", "fulfillment-mirror.>",
		"_INBOX.>", "_INBOX.*", "_INBOX_support.>", "_INBOX_support.x", "_R_.>", "$JS.>", "$JS.EVENT.>", "$JS.ACK.>", "$SYS.>",
		"headrace-deliver.>", "headrace-deliver.FULFILLMENT_EVENTS.support-desk",
	} {
		if !s.forbidden("billing", func(nc *nats.Conn) error { _, err := nc.SubscribeSync(subject); return err }) {
			t.Errorf("billing may subscribe to %s", subject)
		}
		if !s.forbidden("billing", func(nc *nats.Conn) error { _, err := nc.QueueSubscribeSync(subject, "support-desk"); return err }) {
			t.Errorf("billing may subscribe to %s in a queue", subject)
		}
	}
}

func TestReader_ToMakeAConsumer_CannotReachAnothersName(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	nc := s.connect("billing")
	for name, body := range map[string]string{
		"durable": `{"stream_name":"FULFILLMENT_EVENTS","config":{"durable_name":"support-desk"}}`,
		"stream":  `{"stream_name":"FULFILLMENT_REQUESTS","config":{"name":"billing-test"}}`,
	} {
		m, err := nc.Request("$JS.API.CONSUMER.CREATE.FULFILLMENT_EVENTS.billing-test", []byte(body), patience)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(m.Data), `"error"`) {
			t.Errorf("%s in the body is followed: %s", name, m.Data)
		}
	}
}

// Even who may do everything in an account of his own reaches nothing of ours:
// there is no such stream, consumer or subject in it, also not for what the
// broker does in its name.
func TestOwnAccount_WhateverItTries_OursStays(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.publish(5)
	s.mirrored("data")
	purchase := s.inHand()
	before := s.ours()
	nc := s.connect("data")
	targets := []string{
		"$JS.API.CONSUMER.RESET.FULFILLMENT_REQUESTS.purchase", "$JS.API.CONSUMER.MSG.NEXT.FULFILLMENT_REQUESTS.purchase",
		"$JS.API.STREAM.PURGE.FULFILLMENT_REQUESTS", "$JS.API.CONSUMER.DELETE.FULFILLMENT_EVENTS.note-failed", purchase.Reply(),
		"fulfillment.requests.purchase.PRD-1.AS-1.PR-9", "fulfillment.events.purchase.failed.PRD-1.AS-1.PR-9",
		"headrace.API.STREAM.PURGE.FULFILLMENT_REQUESTS", "headrace.API.CONSUMER.CREATE.FULFILLMENT_REQUESTS.x",
		"headrace.API.CONSUMER.DELETE.FULFILLMENT_EVENTS.mirror-DATA", "headrace.API.CONSUMER.RESET.FULFILLMENT_EVENTS.mirror-READERS",
	}
	js := s.jetStream("data")
	for _, target := range targets {
		if err := nc.PublishRequest(target, nc.NewInbox(), nil); err != nil {
			t.Fatal(err)
		}
		// The broker publishes what a push consumer delivers.
		_, err := js.CreateOrUpdatePushConsumer(t.Context(), events, jetstream.ConsumerConfig{
			Durable: "push", DeliverSubject: target, HeadersOnly: true, AckPolicy: jetstream.AckNonePolicy,
		})
		if err != nil && !strings.Contains(err.Error(), "cycle") {
			t.Fatalf("%s: %v", target, err)
		}
		s.listenTo(nc, target)
		if err := js.DeleteConsumer(t.Context(), events, "push"); err != nil && !errors.Is(err, jetstream.ErrConsumerNotFound) {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(before, s.ours()); diff != "" {
		t.Errorf("ours changed: %s", diff)
	}
}

// listenTo makes the subject one that the broker delivers to, and waits for
// what comes, if anything does.
func (s *site) listenTo(nc *nats.Conn, subject string) {
	s.t.Helper()
	sub, err := nc.SubscribeSync(subject)
	if err != nil {
		s.t.Fatal(err)
	}
	_, _ = sub.NextMsg(300 * time.Millisecond)
	if err := sub.Unsubscribe(); err != nil {
		s.t.Fatal(err)
	}
}
