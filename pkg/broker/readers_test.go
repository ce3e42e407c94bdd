package broker_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/headrace/headrace/pkg/broker"
	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/stream"
)

const events = fulfillment.StreamEvents

// library is a broker that has the events 1 to n, and a mirror for readers.
func library(t *testing.T, dir string, n int) (*broker.Broker, guest) {
	t.Helper()
	b := start(t, broker.Options{Dir: dir, Listen: "127.0.0.1:0", SyncInterval: time.Minute})
	c, err := stream.Connect(t.Context(), stream.Options{InProcess: b, User: b.User(), Password: b.Password()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	if err := c.Apply(t.Context(), stream.Fulfillment(stream.Limits{})); err != nil {
		t.Fatal(err)
	}
	for range n {
		if _, err := c.Append(t.Context(), stream.Message{Subject: "fulfillment.events.purchase.approved.a.b.c", Body: []byte("{}")}); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.FeedMirror(t.Context(), broker.ReadersAccount); err != nil {
		t.Fatal(err)
	}
	user, password, ok := b.Mirror()
	if !ok {
		t.Fatal("no readers")
	}
	m, err := stream.Connect(t.Context(), stream.Options{InProcess: b, User: user, Password: password})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if err := m.MirrorEvents(t.Context(), broker.ReadersAccount, 0, 0); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "listen.json"))
	if err != nil {
		t.Fatal(err)
	}
	return b, guestOf(t, text)
}

func TestListen_Reader_ReadsWithConsumersOfAnyName(t *testing.T) {
	t.Parallel()
	b, g := library(t, t.TempDir(), 5)
	js, err := jetstream.New(connect(t, b.URL(), nats.UserInfo(g.Reader.User, g.Reader.Password)))
	if err != nil {
		t.Fatal(err)
	}
	durable, err := js.CreateOrUpdateConsumer(t.Context(), events, jetstream.ConsumerConfig{Durable: "billing", FilterSubject: "fulfillment.events.>"})
	if err != nil {
		t.Fatal(err)
	}
	ordered, err := js.OrderedConsumer(t.Context(), events, jetstream.OrderedConsumerConfig{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 5 {
		for _, c := range []jetstream.Consumer{durable, ordered} {
			m, err := c.Next(jetstream.FetchMaxWait(deadline))
			if err != nil {
				t.Fatal(err)
			}
			if at, err := m.Metadata(); err != nil || at.Sequence.Stream != uint64(i+1) {
				t.Fatalf("message %d is %+v, %v", i+1, at, err)
			}
			if c == durable {
				if err := m.DoubleAck(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	if err := js.DeleteConsumer(t.Context(), events, "billing"); err != nil {
		t.Error(err)
	}
}

func TestListen_Reader_MayDoNothingElse(t *testing.T) {
	t.Parallel()
	b, g := library(t, t.TempDir(), 1)
	refused := func(do func(*nats.Conn) error) bool {
		nc := connect(t, b.URL(), nats.UserInfo(g.Reader.User, g.Reader.Password), nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}))
		defer nc.Close()
		if err := errors.Join(do(nc), nc.FlushTimeout(deadline)); err != nil {
			t.Fatal(err)
		}
		return errors.Is(nc.LastError(), nats.ErrPermissionViolation)
	}
	for _, subject := range []string{
		"fulfillment.events.purchase.approved.a.b.c", "fulfillment.requests.purchase.a.b.c", "anything", "_INBOX.x",
		"$JS.API.STREAM.PURGE.FULFILLMENT_EVENTS", "$JS.API.STREAM.DELETE.FULFILLMENT_EVENTS", "$JS.API.STREAM.CREATE.MINE",
		"$JS.API.CONSUMER.MSG.NEXT.FULFILLMENT_REQUESTS.purchase", "headrace.API.CONSUMER.RESET.FULFILLMENT_EVENTS.mirror-READERS", "$SYS.REQ.SERVER.PING",
	} {
		if !refused(func(nc *nats.Conn) error { return nc.Publish(subject, nil) }) {
			t.Errorf("the reader may publish %s", subject)
		}
	}
	for _, subject := range []string{">", "fulfillment.>", "$JS.>", "$SYS.>"} {
		if !refused(func(nc *nats.Conn) error { _, err := nc.SubscribeSync(subject); return err }) {
			t.Errorf("the reader may subscribe to %s", subject)
		}
	}
}

// The streams of a broker that was closed are those of the one that is open,
// and the other way round.
func TestListen_OpenedAndClosed_HasTheSameStreams(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for round := range 2 {
		b, _ := library(t, dir, 3)
		shutdown(t, b)
		b = start(t, broker.Options{Dir: dir})
		js, err := jetstream.New(connect(t, b.URL(), nats.UserInfo(b.User(), b.Password())))
		if err != nil {
			t.Fatal(err)
		}
		s, err := js.Stream(t.Context(), events)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := s.CachedInfo().State.Msgs, uint64(3*(round+1)); got != want {
			t.Errorf("round %d: %d events, want %d", round, got, want)
		}
		if _, _, ok := b.Mirror(); ok {
			t.Error("a closed broker has readers")
		}
		shutdown(t, b)
	}
}

// A file of an earlier version has no reader: it gets one, and the services
// keep their password.
func TestListen_FileOfAnEarlierVersion_GetsAReader(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "listen.json")
	if err := os.WriteFile(path, []byte(`{"url":"nats://127.0.0.1:1","user":"services","password":"old"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	b, g := library(t, dir, 1)
	if g.User != "services" || g.Password != "old" || g.Reader.User != "reader" || g.Reader.Password == "" {
		t.Errorf("listen.json has %+v", g)
	}
	shutdown(t, b)
	_, again := library(t, dir, 1)
	if again.Reader != g.Reader {
		t.Error("the reader's password changed with a restart")
	}
}
