package access_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/stream"
	"github.com/headrace/headrace/pkg/stream/streamtest"
)

// holds fails unless the user's mirror has the n events that were sent, each
// once.
func (s *site) holds(user string, first, n uint64) {
	s.t.Helper()
	m, err := s.jetStream(user).Stream(s.t.Context(), events)
	if err != nil {
		s.t.Fatal(err)
	}
	if state := m.CachedInfo().State; state.Msgs != n || state.FirstSeq != first {
		s.t.Errorf("the mirror of %s has %d events from %d on, want %d from %d on", user, state.Msgs, state.FirstSeq, n, first)
	}
}

func TestRepair_ConsumerDeleted_ShareMendsIt(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.publish(10)
	s.mirrored("data")
	if err := s.jetStream("operator").DeleteConsumer(t.Context(), events, fulfillment.MirrorDurable("DATA")); err != nil {
		t.Fatal(err)
	}
	s.publish(10)
	if err := s.client("operator").FeedMirror(t.Context(), "DATA"); err != nil {
		t.Fatal(err)
	}
	s.mirrored("data")
	s.publish(1)
	s.mirrored("data")
	s.holds("data", 1, 21)
}

func TestRepair_StreamMadeAnew_MirrorIsMadeAnewToo(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.publish(10)
	s.mirrored("data")
	if err := s.jetStream("operator").DeleteStream(t.Context(), events); err != nil {
		t.Fatal(err)
	}
	if err := s.services.Apply(t.Context(), stream.Fulfillment(stream.Limits{})); err != nil {
		t.Fatal(err)
	}
	s.sent = 0
	s.publish(3)
	if err := s.client("operator").FeedMirror(t.Context(), "DATA"); err != nil {
		t.Fatal(err)
	}
	data := s.client("data")
	if err := data.DropMirror(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := data.MirrorEvents(t.Context(), "DATA", 0, 0); err != nil {
		t.Fatal(err)
	}
	s.mirrored("data")
	s.holds("data", 1, 3)
}

// A broker that had no accounts has its streams in an account that is called $G.
func TestRepair_StoreOfABrokerWithoutAccounts_IsTakenOver(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	old := streamtest.Server(t, func(o *server.Options) { o.StoreDir = dir })
	c, err := stream.Connect(t.Context(), stream.Options{URL: old.URL()})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Apply(t.Context(), stream.Fulfillment(stream.Limits{})); err != nil {
		t.Fatal(err)
	}
	s := &site{t: t, services: c}
	s.publish(5)
	c.Close()
	old.Stop()
	if err := os.Rename(filepath.Join(dir, "jetstream", "$G"), filepath.Join(dir, "jetstream", "HEADRACE")); err != nil {
		t.Fatal(err)
	}
	s.broker = streamtest.Server(t, func(o *server.Options) { o.StoreDir = dir }, streamtest.Config(t, configPath()))
	js := s.jetStream("services")
	m, err := js.Stream(t.Context(), events)
	if err != nil {
		t.Fatal(err)
	}
	if got := m.CachedInfo().State.Msgs; got != 5 {
		t.Errorf("%d events, want 5", got)
	}
	if _, err := js.Consumer(t.Context(), "FULFILLMENT_REQUESTS", "purchase"); err != nil {
		t.Error(err)
	}
}
