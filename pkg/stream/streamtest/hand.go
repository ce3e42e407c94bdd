package streamtest

import (
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Hand does to streams and consumers what somebody may do to them by hand.
type Hand struct {
	t  testing.TB
	js jetstream.JetStream
}

// NewHand reaches the broker at url, which may hold credentials.
func NewHand(t testing.TB, url string) *Hand {
	t.Helper()
	nc, err := nats.Connect(url)
	if err != nil {
		t.Fatalf("connect: %v", err)
	}
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatalf("JetStream: %v", err)
	}
	return &Hand{t: t, js: js}
}

// DeleteStream deletes a stream with all that is in it, once it is there.
func (h *Hand) DeleteStream(name string) {
	h.t.Helper()
	h.once(func() error { return h.js.DeleteStream(h.t.Context(), name) })
}

// Purge deletes what is in a stream, and leaves the stream.
func (h *Hand) Purge(name string) {
	h.t.Helper()
	s, err := h.js.Stream(h.t.Context(), name)
	h.must(err)
	h.must(s.Purge(h.t.Context()))
}

// DeleteMessage deletes one message.
func (h *Hand) DeleteMessage(name string, sequence uint64) {
	h.t.Helper()
	s, err := h.js.Stream(h.t.Context(), name)
	h.must(err)
	h.must(s.DeleteMsg(h.t.Context(), sequence))
}

// DeleteConsumer deletes a durable, once it is there.
func (h *Hand) DeleteConsumer(stream, durable string) {
	h.t.Helper()
	h.once(func() error { return h.js.DeleteConsumer(h.t.Context(), stream, durable) })
}

// Pause pauses a durable for a while.
func (h *Hand) Pause(stream, durable string, d time.Duration) {
	h.t.Helper()
	_, err := h.js.PauseConsumer(h.t.Context(), stream, durable, time.Now().Add(d))
	h.must(err)
}

// ChangeStream changes a stream's settings.
func (h *Hand) ChangeStream(name string, change func(*jetstream.StreamConfig)) {
	h.t.Helper()
	s, err := h.js.Stream(h.t.Context(), name)
	h.must(err)
	cfg := s.CachedInfo().Config
	change(&cfg)
	_, err = h.js.UpdateStream(h.t.Context(), cfg)
	h.must(err)
}

// NarrowConsumer has a durable read what nobody writes.
func (h *Hand) NarrowConsumer(stream, durable string) {
	h.t.Helper()
	c, err := h.js.Consumer(h.t.Context(), stream, durable)
	h.must(err)
	cfg := c.CachedInfo().Config
	cfg.FilterSubject, cfg.FilterSubjects = "fulfillment.requests.nothing.>", nil
	_, err = h.js.UpdateConsumer(h.t.Context(), stream, cfg)
	h.must(err)
}

// MakeMemoryStream makes a stream of that name that the server's end empties.
func (h *Hand) MakeMemoryStream(name, subjects string) {
	h.t.Helper()
	_, err := h.js.CreateStream(h.t.Context(), jetstream.StreamConfig{
		Name: name, Subjects: []string{subjects}, Storage: jetstream.MemoryStorage,
	})
	h.must(err)
}

// once does something to what may be about to be made again.
func (h *Hand) once(do func() error) {
	h.t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	err := do()
	for deadline := time.Now().Add(time.Minute); err != nil && time.Now().Before(deadline); err = do() {
		<-tick.C
	}
	h.must(err)
}

func (h *Hand) must(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}
