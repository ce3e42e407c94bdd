package stockreader_test

import (
	"context"
	"errors"
	"strconv"
	"testing"
	"time"

	watermillnats "github.com/ThreeDotsLabs/watermill-nats/v2/pkg/nats"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/headrace/headrace/pkg/stream"
	"github.com/headrace/headrace/pkg/stream/stockreader"
	"github.com/headrace/headrace/pkg/stream/streamtest"
)

const patience = 45 * time.Second // the stock subscriber is slow to begin on a busy machine

// site is a broker with our EVENTS stream, a client of ours and a connection of
// the other team's.
type site struct {
	url    string
	client *stream.Client
	theirs *nats.Conn
	js     jetstream.JetStream
}

func newSite(t *testing.T) *site {
	t.Helper()
	url := streamtest.Server(t).URL()
	client, err := stream.Connect(t.Context(), stream.Options{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	topology := stream.Topology{Streams: []stream.Stream{{Name: "FULFILLMENT_EVENTS", Subjects: []string{"fulfillment.events.>"}}}}
	if err := client.Apply(t.Context(), topology); err != nil {
		t.Fatal(err)
	}
	nc, err := nats.Connect(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	return &site{url: url, client: client, theirs: nc, js: js}
}

func (s *site) reader() stockreader.Reader {
	return stockreader.Reader{
		URL: s.url, Stream: "FULFILLMENT_EVENTS", Durable: "billing",
		Filter: "fulfillment.events.purchase.approved.>",
	}
}

func (s *site) append(t *testing.T, id string) stream.Message {
	t.Helper()
	m := stream.Message{
		Subject: "fulfillment.events.purchase.approved.PRD-1.AS-1." + id,
		ID:      id + "/1/approved",
		Header: map[string]string{
			"ce-id": id + "/1/approved", "ce-type": "fulfillment.purchase.approved.v1", "ce-source": "/headrace",
			"ce-specversion": "1.0", "ce-subject": "AS-1", "ce-episode": "1", "ce-time": "2026-11-22T10:00:00Z",
		},
		Body: []byte(`{"request_id":"` + id + `","note":"Ünïcode"}`),
	}
	if _, err := s.client.Append(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	return m
}

// subscribe runs the stock subscriber until the returned function, or the
// test's end.
func (s *site) subscribe(t *testing.T, cfg watermillnats.SubscriberConfig, topic string) (<-chan *message.Message, func()) {
	t.Helper()
	sub, err := watermillnats.NewSubscriber(cfg, nil)
	if err != nil {
		t.Fatal(err)
	}
	ch, err := sub.Subscribe(context.WithoutCancel(t.Context()), topic)
	if err != nil {
		t.Fatal(err)
	}
	stop := func() {
		if err := sub.Close(); err != nil {
			t.Errorf("close stock subscriber: %v", err)
		}
	}
	t.Cleanup(stop)
	return ch, stop
}

func next(t *testing.T, ch <-chan *message.Message) *message.Message {
	t.Helper()
	select {
	case m, ok := <-ch:
		if !ok {
			t.Fatal("the channel is closed")
		}
		return m
	case <-time.After(patience):
		t.Fatalf("no message within %s", patience)
	}
	return nil
}

func TestReader_OurMessages_ComeWithAllMetadata(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	r := s.reader()
	if err := r.Declare(t.Context(), s.theirs); err != nil {
		t.Fatal(err)
	}
	plain := r.Config()
	plain.Unmarshaler = &watermillnats.NATSMarshaler{}
	for name, cfg := range map[string]watermillnats.SubscriberConfig{
		"our configuration": r.Config(), "with the stock unmarshaler": plain,
	} {
		want := s.append(t, "PR-1")
		ch, stop := s.subscribe(t, cfg, r.Filter)
		m := next(t, ch)
		if m.UUID != want.ID {
			t.Errorf("%s: UUID %q, want %q", name, m.UUID, want.ID)
		}
		if diff := cmp.Diff(want.Header, map[string]string(m.Metadata)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		if string(m.Payload) != string(want.Body) {
			t.Errorf("%s: body %s, want %s", name, m.Payload, want.Body)
		}
		m.Ack()
		s.awaitDone(t, 0)
		stop()
	}
}

// awaitDone waits until all but pending messages are acknowledged.
func (s *site) awaitDone(t *testing.T, pending int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		c, err := s.js.PushConsumer(ctx, "FULFILLMENT_EVENTS", "billing")
		if err != nil {
			t.Fatal(err)
		}
		info := c.CachedInfo()
		if info.NumAckPending == pending && info.NumPending == 0 {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("%d messages are not acknowledged and %d not delivered; want %d and 0",
				info.NumAckPending, info.NumPending, pending)
		}
	}
}

// A process that stops neither takes the consumer with it nor the message that
// it had in hand, and another goes on where it was.
func TestReader_StopsAndStartsAgain_GoesOnWhereItWas(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	r := s.reader()
	r.AckWait = time.Second
	if err := r.Declare(t.Context(), s.theirs); err != nil {
		t.Fatal(err)
	}
	s.append(t, "PR-1")
	inHand := s.append(t, "PR-2")
	ch, stop := s.subscribe(t, r.Config(), r.Filter)
	next(t, ch).Ack()
	next(t, ch) // in hand, and never acknowledged
	stop()

	s.awaitDone(t, 1)
	last := s.append(t, "PR-3")
	ch, _ = s.subscribe(t, r.Config(), r.Filter)
	got := map[string]bool{}
	for range 2 {
		m := next(t, ch)
		got[m.UUID] = true
		m.Ack()
	}
	if !got[inHand.ID] || !got[last.ID] {
		t.Errorf("after the stop came %v, want %s and %s", got, inHand.ID, last.ID)
	}
	s.awaitDone(t, 0)
}

func TestReader_TwoProcesses_DivideTheWork(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	r := s.reader()
	r.Subscribers = 2
	if err := r.Declare(t.Context(), s.theirs); err != nil {
		t.Fatal(err)
	}
	one, _ := s.subscribe(t, r.Config(), r.Filter)
	two, _ := s.subscribe(t, r.Config(), r.Filter)
	const n = 40
	for i := range n {
		s.append(t, "PR-"+strconv.Itoa(i))
	}
	seen := map[string]int{}
	for range n {
		var m *message.Message
		select {
		case m = <-one:
		case m = <-two:
		case <-time.After(patience):
			t.Fatalf("%d of %d messages within %s", len(seen), n, patience)
		}
		seen[m.UUID]++
		m.Ack()
	}
	if len(seen) != n {
		t.Errorf("%d different messages of %d", len(seen), n)
	}
	s.awaitDone(t, 0)
}

// A stranger's message with a header that occurs twice neither stops the
// subscriber nor comes for ever.
func TestReader_RepeatedHeader_TakesTheFirst(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	r := s.reader()
	if err := r.Declare(t.Context(), s.theirs); err != nil {
		t.Fatal(err)
	}
	strange := nats.NewMsg("fulfillment.events.purchase.approved.x.y.z")
	strange.Header = nats.Header{"Trace": {"a", "b"}, watermillnats.WatermillUUIDHdr: {"u"}, "Nats-Msg-Id": {"once"}}
	if _, err := s.js.PublishMsg(t.Context(), strange); err != nil {
		t.Fatal(err)
	}
	ch, _ := s.subscribe(t, r.Config(), r.Filter)
	m := next(t, ch)
	if diff := cmp.Diff(message.Metadata{"Trace": "a"}, m.Metadata); diff != "" || m.UUID != "u" {
		t.Errorf("UUID %q, metadata %s", m.UUID, diff)
	}
	m.Ack()
	s.awaitDone(t, 0)
}

func TestReader_NotDeclared_IsRefused(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	r := s.reader()
	cfg := r.Config()
	cfg.CloseTimeout = 10 * time.Millisecond
	sub, err := watermillnats.NewSubscriber(cfg, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = sub.Close() }()
	if _, err := sub.Subscribe(t.Context(), r.Filter); !errors.Is(err, nats.ErrConsumerNotFound) {
		t.Errorf("Subscribe: %v, want ErrConsumerNotFound", err)
	}
}

func TestReader_Declare_TwiceAndWrong(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	r := s.reader()
	for range 2 {
		if err := r.Declare(t.Context(), s.theirs); err != nil {
			t.Fatal(err)
		}
	}
	r.MaxAckPending = 3
	if err := r.Declare(t.Context(), s.theirs); err != nil {
		t.Errorf("change of a limit: %v", err)
	}
	r.Stream = "NONE"
	if err := r.Declare(t.Context(), s.theirs); !errors.Is(err, jetstream.ErrStreamNotFound) {
		t.Errorf("Declare on no stream: %v", err)
	}
	if err := (stockreader.Reader{Durable: "a.b"}).Validate(); err == nil {
		t.Error("a reader without stream and filter, with a dotted name, is valid")
	}
}

func TestReader_Refused_WaitsLongerEachTime(t *testing.T) {
	t.Parallel()
	delay := stockreader.Reader{}.Config().NakDelay
	want := []time.Duration{1, 1, 2, 4, 8, 16, 32, 60, 60}
	for delivery, seconds := range want {
		if got := delay.WaitTime(uint64(delivery)); got != seconds*time.Second {
			t.Errorf("delivery %d: %s, want %s", delivery, got, seconds*time.Second)
		}
	}
	if got := delay.WaitTime(1 << 60); got != time.Minute {
		t.Errorf("delivery 2^60: %s", got)
	}
}

func TestReader_Since_BeginsThere(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.append(t, "PR-1")
	want := s.append(t, "PR-2")
	stored, err := s.client.Get(t.Context(), "FULFILLMENT_EVENTS", 2)
	if err != nil {
		t.Fatal(err)
	}
	r := s.reader()
	r.Since = stored.Time.In(time.FixedZone("elsewhere", 3600))
	for range 2 { // as at each start
		if err := r.Declare(t.Context(), s.theirs); err != nil {
			t.Fatal(err)
		}
		r.Since = time.Now() // as one that says "a minute ago" does
	}
	ch, _ := s.subscribe(t, r.Config(), r.Filter)
	m := next(t, ch)
	if m.UUID != want.ID {
		t.Errorf("it begins with %s, want %s", m.UUID, want.ID)
	}
	m.Ack()
	r.FromNow = true
	if err := r.Validate(); err == nil {
		t.Error("FromNow and Since are valid together")
	}
}
