package stream_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/headrace/headrace/pkg/stream"
	"github.com/headrace/headrace/pkg/stream/streamtest"
	"github.com/nats-io/nats.go"
	"github.com/sirupsen/logrus"
)

func TestHandle_RepeatedHeader_IsPoisonAndKillsNothing(t *testing.T) {
	t.Parallel()
	b := streamtest.Server(t)
	c := connect(t, b)
	apply(t, c, one())
	_, err := b.JetStream().PublishMsg(t.Context(), &nats.Msg{
		Subject: "work.odd", Data: []byte("body"),
		Header: nats.Header{"ce-id": {"1", "2"}, "Ce-Type": {"x"}, "Nats-Msg-Id": {"k"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	fill(t, c, 1)
	got := make(chan *stream.Delivery, 2)
	c.Handle("worker", 1, func(_ context.Context, d *stream.Delivery) error { got <- d; return nil })
	start(t, c)
	d := within(t, "poison", got)
	if !errors.Is(d.Poison, stream.ErrPoison) || d.Subject != "work.odd" || string(d.Body) != "body" {
		t.Errorf("poison = %+v", d)
	}
	if len(d.RawHeader["ce-id"]) != 2 || d.RawHeader["Nats-Msg-Id"] == nil || d.Header["ce-type"] != "x" || d.ID != "1" {
		t.Errorf("header = %v, raw = %v", d.Header, d.RawHeader)
	}
	if d := within(t, "the next", got); d.Poison != nil || d.RawHeader != nil {
		t.Errorf("healthy message = %+v", d)
	}
	if s, err := c.Get(t.Context(), "WORK", 1); err != nil || !errors.Is(s.Poison, stream.ErrPoison) {
		t.Errorf("Get = %+v, %v", s, err)
	}
}

func TestHandle_ConsumerDeletedAndMadeAgain_GoesOn(t *testing.T) {
	t.Parallel()
	b := streamtest.Server(t)
	c := connect(t, b)
	apply(t, c, one())
	got := make(chan string, 10)
	c.Handle("worker", 2, func(_ context.Context, d *stream.Delivery) error { got <- d.Subject; return nil })
	start(t, c)
	until(t, "bound", func() bool { return c.Status().Consumers["worker"] == nil })
	if err := b.JetStream().DeleteConsumer(t.Context(), "WORK", "worker"); err != nil {
		t.Fatal(err)
	}
	until(t, "the loss shows", func() bool { return c.Status().Consumers["worker"] != nil })
	fill(t, c, 1)
	apply(t, c, one())
	if s := within(t, "goes on", got); s != "work.0" {
		t.Errorf("got %s", s)
	}
	if err := c.Status().Consumers["worker"]; err != nil {
		t.Errorf("Status = %v", err)
	}
}

func TestHandle_ConsumerMissingAtStart_IsFoundLater(t *testing.T) {
	t.Parallel()
	b := streamtest.Server(t)
	c, admin := connect(t, b), connect(t, b)
	got := make(chan string, 1)
	c.Handle("worker", 1, func(_ context.Context, d *stream.Delivery) error { got <- d.Durable; return nil })
	if c.Status().Consumers["worker"] == nil {
		t.Error("bound before Run")
	}
	start(t, c)
	apply(t, admin, one())
	fill(t, admin, 1)
	within(t, "found", got)
}

func TestHandle_BrokerRestarts_GoesOn(t *testing.T) {
	t.Parallel()
	b := streamtest.Server(t)
	c := connect(t, b)
	apply(t, c, one())
	const n = 600
	fill(t, c, n)
	var mu sync.Mutex
	seen := map[uint64]bool{}
	count := func() int { mu.Lock(); defer mu.Unlock(); return len(seen) }
	gate := make(chan struct{}, n)
	c.Handle("worker", 8, func(_ context.Context, d *stream.Delivery) error {
		<-gate
		mu.Lock()
		defer mu.Unlock()
		seen[d.Sequence] = true
		return nil
	})
	start(t, c)
	for round := 1; round <= 2; round++ {
		for range n / 3 {
			gate <- struct{}{}
		}
		until(t, fmt.Sprintf("round %d", round), func() bool { return count() >= round*n/3-8 })
		b.Stop()
		b.Start()
	}
	close(gate)
	until(t, "all seen", func() bool { return count() == n })
	until(t, "all acknowledged", func() bool { return b.Pending("WORK", "worker") == 0 })
	if s := c.Status(); !s.Connected || s.Consumers["worker"] != nil {
		t.Errorf("Status = %+v", s)
	}
}

func TestHandle_ConsumerPaused_StaysBoundAndGoesOnSoon(t *testing.T) {
	t.Parallel()
	b := streamtest.Server(t)
	logs := &lines{}
	c := connect(t, b, func(o *stream.Options) { o.Logger = logs.entry() })
	apply(t, c, one())
	got := make(chan time.Time, 1)
	c.Handle("worker", 2, func(context.Context, *stream.Delivery) error { got <- time.Now(); return nil })
	start(t, c)
	until(t, "bound", func() bool { return c.Status().Consumers["worker"] == nil })
	if _, err := b.JetStream().PauseConsumer(t.Context(), "WORK", "worker", time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	fill(t, c, 1)
	select {
	case <-got:
		t.Error("delivered while paused")
	case <-time.After(6 * time.Second): // longer than the silence that counts as lost
	}
	if err := c.Status().Consumers["worker"]; err != nil {
		t.Errorf("paused consumer counts as lost: %v", err)
	}
	if s := logs.String(); strings.Contains(s, "lost") {
		t.Errorf("log:\n%s", s)
	}
	begin := time.Now()
	if _, err := b.JetStream().ResumeConsumer(t.Context(), "WORK", "worker"); err != nil {
		t.Fatal(err)
	}
	if d := within(t, "goes on", got).Sub(begin); d > 45*time.Second {
		t.Errorf("went on %s after the pause's end", d)
	}
}

// lines collects a log.
type lines struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

func (l *lines) entry() *logrus.Entry {
	log := logrus.New()
	log.SetOutput(l)
	log.SetLevel(logrus.DebugLevel)
	return logrus.NewEntry(log)
}
