package access_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/stream"
)

func TestMirror_FollowsLive_WithSequencesTimesAndHeaders(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.publish(50)
	for _, user := range []string{"billing", "data"} {
		s.mirrored(user)
	}
	s.publish(50)
	ours, err := s.jetStream("operator").Stream(t.Context(), events)
	if err != nil {
		t.Fatal(err)
	}
	for _, user := range []string{"billing", "data"} {
		s.mirrored(user)
		theirs, err := s.jetStream(user).Stream(t.Context(), events)
		if err != nil {
			t.Fatal(err)
		}
		for seq := uint64(1); seq <= 100; seq++ {
			want, err := ours.GetMsg(t.Context(), seq)
			if err != nil {
				t.Fatal(err)
			}
			got, err := theirs.GetMsg(t.Context(), seq)
			if err != nil {
				t.Fatalf("%s, %d: %v", user, seq, err)
			}
			got.Header.Del("Nats-Stream") // of a direct get, as are the others
			if diff := cmp.Diff([]any{want.Subject, string(want.Data), want.Header.Get(fulfillment.HeaderID), want.Time},
				[]any{got.Subject, string(got.Data), got.Header.Get(fulfillment.HeaderID), got.Time}); diff != "" {
				t.Fatalf("%s, %d: %s", user, seq, diff)
			}
		}
	}
}

func TestMirror_BrokerStartsAgain_GoesOn(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.publish(20)
	s.mirrored("data")
	s.broker.Stop()
	s.broker.Start()
	s.until("the services are back", func() bool { return s.services.Status().Connected })
	s.publish(20)
	s.mirrored("data")
	s.mirrored("billing")
}

// ruin does to the mirror of DATA what its owner can think of.
func (s *site) ruin() {
	t := s.t
	t.Helper()
	data := s.jetStream("data")
	m, err := data.Stream(t.Context(), events)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Purge(t.Context()); err != nil {
		t.Fatal(err)
	}
	cfg := m.CachedInfo().Config
	cfg.MaxMsgs = 5
	if _, err := data.UpdateStream(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	c, err := m.CreateConsumer(t.Context(), jetstream.ConsumerConfig{Durable: fulfillment.MirrorDurable("DATA")})
	if err != nil {
		t.Fatal(err)
	}
	if err := data.DeleteConsumer(t.Context(), events, c.CachedInfo().Name); err != nil {
		t.Fatal(err)
	}
	if err := data.DeleteStream(t.Context(), events); err != nil {
		t.Fatal(err)
	}
	for _, subject := range []string{"fulfillment.events.purchase.approved.a.b.c", "fulfillment-mirror.DATA", "fulfillment-mirror.READERS"} {
		if err := s.connect("data").Publish(subject, []byte("forged")); err != nil {
			t.Fatal(err)
		}
	}
}

// The owner of an account may do with its mirror what it wants: ours stays.
func TestMirror_OwnerRuinsIt_OursStaysAndItCanBeMadeAnew(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.publish(20)
	s.mirrored("data")
	s.until("the mirror has said so", func() bool {
		c, err := s.jetStream("operator").PushConsumer(t.Context(), events, fulfillment.MirrorDurable("DATA"))
		return err == nil && c.CachedInfo().AckFloor.Stream == 20
	})
	before := s.ours()
	s.ruin()
	if diff := cmp.Diff(before, s.ours()); diff != "" {
		t.Errorf("ours changed: %s", diff)
	}
	if err := s.client("data").MirrorEvents(t.Context(), "DATA", 0, 0); err != nil {
		t.Fatal(err)
	}
	s.publish(10)
	s.mirrored("data")
	again, err := s.jetStream("data").Stream(t.Context(), events)
	if err != nil {
		t.Fatal(err)
	}
	if state := again.CachedInfo().State; state.FirstSeq != 1 || state.Msgs != 30 {
		t.Errorf("the new mirror has %d messages from %d on, want all 30", state.Msgs, state.FirstSeq)
	}
}

func TestMirror_NotFed_IsToldBeforeAnythingIsMade(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	if err := s.jetStream("operator").DeleteConsumer(t.Context(), events, fulfillment.MirrorDurable("DATA")); err != nil {
		t.Fatal(err)
	}
	data := s.jetStream("data")
	if err := data.DeleteStream(t.Context(), events); err != nil {
		t.Fatal(err)
	}
	if err := s.client("data").MirrorEvents(t.Context(), "DATA", 0, 0); !errors.Is(err, stream.ErrNotFed) {
		t.Errorf("MirrorEvents: %v, want ErrNotFed", err)
	}
	if _, err := data.Stream(t.Context(), events); !errors.Is(err, jetstream.ErrStreamNotFound) {
		t.Errorf("a mirror was made: %v", err)
	}
	if err := s.services.MirrorEvents(t.Context(), "HEADRACE", 0, 0); err == nil {
		t.Error("our own stream was taken for a mirror")
	}
}

func TestMirror_Again_ChangesTheBounds(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.publish(5)
	s.mirrored("data")
	if err := s.client("data").MirrorEvents(t.Context(), "DATA", time.Hour, 1<<20); err != nil {
		t.Fatal(err)
	}
	m, err := s.jetStream("data").Stream(t.Context(), events)
	if err != nil {
		t.Fatal(err)
	}
	if got := m.CachedInfo(); got.Config.MaxAge != time.Hour || got.Config.MaxBytes != 1<<20 || got.State.Msgs != 5 {
		t.Errorf("got %s, %d bytes, %d messages", got.Config.MaxAge, got.Config.MaxBytes, got.State.Msgs)
	}
}
