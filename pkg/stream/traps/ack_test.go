package traps

import (
	"context"
	"os"
	"sync/atomic"
	"testing"
	"time"

	wmnats "github.com/ThreeDotsLabs/watermill-nats/v2/pkg/nats"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// A handler that takes longer than the ack wait and then fails.
func TestT2_SlowHandlerFails_MessageComesAgain(t *testing.T) {
	t.Parallel()
	const ackWait = 300 * time.Millisecond
	scenario := func(t *testing.T, s *site, sub message.Subscriber) (lost bool) {
		l := newLog()
		serve(t, sub, func(m *message.Message) error {
			defer l.begin(m)()
			if l.of(m.UUID) == 1 {
				hold(2 * ackWait)
				return errHandler
			}
			return nil
		})
		s.publish(t, in, 0, 1)
		l.awaitStart(t)
		// Acknowledged by nobody, the message must run again before it is settled.
		if !within(t, patience, func() bool { return l.count() > 1 || s.settled(t) }) {
			t.Fatal("the message is neither settled nor delivered again")
		}
		return l.count() == 1
	}
	t.Run("stock", func(t *testing.T) {
		t.Parallel()
		s := newSite(t)
		// With a margin on the broker's side, so that it isn't a question of
		// which of the two clocks is first.
		s.push(t, jetstream.ConsumerConfig{AckWait: 10 * ackWait})
		cfg := s.stockConfig()
		cfg.AckWaitTimeout = ackWait
		cfg.JetStream.SubscribeOptions = []nats.SubOpt{nats.Bind(theStream, theDurable)}
		stillThere(t, "T2", scenario(t, s, stockNATS(t, cfg)))
	})
	t.Run("ours", func(t *testing.T) {
		t.Parallel()
		s := newSite(t)
		s.pull(t, jetstream.ConsumerConfig{AckWait: ackWait})
		if scenario(t, s, s.ours(t, 1)) {
			t.Error("the failed message is lost")
		}
	})
}

func TestT12_HandlerFails_ComesAgainAfterADelay(t *testing.T) {
	t.Parallel()
	t.Run("stock", func(t *testing.T) {
		t.Parallel()
		s := newSite(t)
		s.push(t, jetstream.ConsumerConfig{})
		s.publish(t, in, 0, 1)
		// In a process of its own: closing the stock subscriber in the middle of
		// the storm is a data race of its own.
		status, text := child(t, "T12 stock", s.url, t.Context().Done())
		if status == 1 {
			t.Fatalf("the child has a fault of its own: %s", text)
		}
		stillThere(t, "T12", status == stormStatus)
	})
	t.Run("ours", func(t *testing.T) {
		t.Parallel()
		s := newSite(t)
		s.pull(t, jetstream.ConsumerConfig{})
		l := newLog()
		stop := serve(t, s.ours(t, 1), func(m *message.Message) error {
			l.begin(m)()
			return errHandler
		})
		defer stop()
		s.publish(t, in, 0, 1)
		l.awaitStart(t)
		within(t, stormWindow, func() bool { return l.count() > 2 })
		if runs := l.count(); runs > 2 { // 1, unless this machine dozes
			t.Errorf("a handler that always fails ran %d times in %s", runs, stormWindow)
		}
	})
}

const (
	stormWindow = 500 * time.Millisecond
	stormRuns   = 100
	stormStatus = 12 // the exit status of a child that saw a storm
)

// failAlways is T12's child: a stock subscriber whose handler always fails.
func failAlways(ctx context.Context, url string) error {
	sub, err := wmnats.NewSubscriber((&site{url: url}).stockConfig(), nil)
	if err != nil {
		return err
	}
	messages, err := sub.Subscribe(ctx, in)
	if err != nil {
		return err
	}
	(<-messages).Nack()
	calm := time.After(stormWindow)
	for runs := 1; ; runs++ {
		select {
		case m := <-messages:
			m.Nack()
		case <-calm:
			return nil
		}
		if runs > stormRuns {
			os.Exit(stormStatus) // without closing anything
		}
	}
}

// BackOff isn't what it seems: a refused message comes again at once, and the
// first value takes AckWait's place.
func TestT14_HandlerFails_DelayIsHonoured(t *testing.T) {
	t.Parallel()
	const delay = 10 * time.Second
	t.Run("stock", func(t *testing.T) {
		t.Parallel()
		s := newSite(t)
		s.push(t, jetstream.ConsumerConfig{AckWait: time.Minute, BackOff: []time.Duration{delay}})
		l := newLog()
		serve(t, stockNATS(t, s.stockConfig()), func(m *message.Message) error {
			defer l.begin(m)()
			if l.of(m.UUID) < 3 {
				return errHandler
			}
			return nil
		})
		s.publish(t, in, 0, 1)
		atOnce := within(t, delay/5, func() bool { return l.count() == 3 })
		stillThere(t, "T14", atOnce && s.info(t).Config.AckWait == delay)
	})
	t.Run("ours", func(t *testing.T) {
		t.Parallel()
		s := newSite(t)
		c := s.client(t)
		const short = 400 * time.Millisecond
		if err := c.Apply(t.Context(), topology(0)); err != nil {
			t.Fatal(err)
		}
		if got := s.info(t).Config.BackOff; len(got) != 0 {
			t.Errorf("our durable has BackOff %v", got)
		}
		var times [2]atomic.Int64
		done := make(chan struct{})
		handle(t, c, func(d attempt) error {
			if d > 2 {
				return nil
			}
			times[d-1].Store(time.Now().UnixNano())
			if d == 1 {
				return retryAfter(short)
			}
			close(done)
			return nil
		})
		s.publish(t, in, 0, 1)
		select {
		case <-done:
		case <-time.After(patience):
			t.Fatal("the message didn't come again")
		}
		if got := time.Duration(times[1].Load() - times[0].Load()); got < short*9/10 {
			t.Errorf("it came again after %s, asked for %s", got, short)
		}
	})
}
