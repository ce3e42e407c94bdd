package access_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/headrace/headrace/pkg/broker"
	"github.com/headrace/headrace/pkg/stream"
	"github.com/headrace/headrace/pkg/stream/streamtest"
)

// inHand is a purchase that a service holds, after one that is done.
func (s *site) inHand() jetstream.Msg {
	s.t.Helper()
	for i := range 2 {
		_, err := s.services.Append(s.t.Context(), stream.Message{
			Subject: fmt.Sprintf("fulfillment.requests.purchase.PRD-1.AS-1.PR-%d", i), ID: fmt.Sprint(i), Body: []byte(`{}`),
		})
		if err != nil {
			s.t.Fatal(err)
		}
	}
	c, err := s.jetStream("operator").Consumer(s.t.Context(), "FULFILLMENT_REQUESTS", "purchase")
	if err != nil {
		s.t.Fatal(err)
	}
	first, err := c.Next()
	if err != nil {
		s.t.Fatal(err)
	}
	if err := first.DoubleAck(s.t.Context()); err != nil {
		s.t.Fatal(err)
	}
	second, err := c.Next()
	if err != nil {
		s.t.Fatal(err)
	}
	return second
}

// This is why readers have no user in our account. Should it fail one day, the
// broker has become stricter.
func TestReaderInOurAccount_CouldResetOurDurables(t *testing.T) {
	t.Parallel()
	quoted := func(list []string) string { return `"` + strings.Join(list, `", "`) + `"` }
	p := broker.ReaderPermissions("_INBOX", "billing-test")
	b := streamtest.Server(t, streamtest.ConfigText(t, fmt.Sprintf(`accounts { HEADRACE { jetstream: enabled, users: [
		{user: services, password: $NATS_SERVICES_PASSWORD}
		{user: operator, password: $NATS_OPERATOR_PASSWORD}
		{user: data, password: $DATA_PASSWORD, permissions: {publish: {allow: [%s]}, subscribe: {allow: [%s]}}}
	]}}`, quoted(p.Publish), quoted(p.Subscribe))))
	s := &site{t: t, broker: b}
	s.services = s.client("services")
	if err := s.services.Apply(t.Context(), stream.Fulfillment(stream.Limits{})); err != nil {
		t.Fatal(err)
	}
	s.publish(1)
	s.inHand()
	pending := func() int {
		c, err := s.jetStream("operator").Consumer(t.Context(), "FULFILLMENT_REQUESTS", "purchase")
		if err != nil {
			t.Fatal(err)
		}
		return c.CachedInfo().NumAckPending
	}
	if got := pending(); got != 1 {
		t.Fatalf("%d in hand, want 1", got)
	}
	_, err := s.jetStream("data").CreateOrUpdatePushConsumer(t.Context(), events, jetstream.ConsumerConfig{
		Name: "billing-test", DeliverSubject: "$JS.API.CONSUMER.RESET.FULFILLMENT_REQUESTS.purchase", HeadersOnly: true,
		AckPolicy: jetstream.AckNonePolicy,
	})
	if err != nil {
		t.Fatal(err)
	}
	s.until("the service's message is taken from it", func() bool { return pending() == 0 })
}
