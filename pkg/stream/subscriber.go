package stream

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/nats-io/nats.go"
)

// SubscriberConfig refines a Subscriber.
type SubscriberConfig struct {
	// Concurrency is how many messages are in hand at most, per Subscribe.
	// Default 1, which keeps the order (until one is not acknowledged).
	Concurrency int
	// DrainTimeout is Options.DrainTimeout unless set.
	DrainTimeout time.Duration
	// Slots, if set, is a durable with as many messages as may be in hand over
	// all processes: a message is asked for only with one of them in hand.
	Slots string
	// Room, if set, is how many messages may be asked for at once: 0 is none for
	// now. It is asked whenever one has come or is done with, and some times a second.
	Room func() int
	// turns has the broker serve all processes in turn, however much each wants.
	turns bool
}

// Subscriber is Watermill's Subscriber over a Client: a topic is the name of a
// declared durable. It never creates or deletes one; a durable that is not
// there is looked for until it is.
//
// A message that is not acknowledged comes again after a delay that grows with
// each delivery. Its context carries the Delivery (see DeliveryOf) and ends only
// with ErrLeaseLost or ErrDrainTimeout.
type Subscriber struct {
	client *Client
	cfg    SubscriberConfig

	mu     sync.Mutex
	closed bool
	stop   chan struct{}
	wg     sync.WaitGroup
}

var _ message.Subscriber = (*Subscriber)(nil)

// NewSubscriber returns a Subscriber over c.
func NewSubscriber(c *Client, cfg SubscriberConfig) *Subscriber {
	cfg.Concurrency = max(cfg.Concurrency, 1)
	if cfg.DrainTimeout <= 0 {
		cfg.DrainTimeout = c.opts.DrainTimeout
	}
	return &Subscriber{client: c, cfg: cfg, stop: make(chan struct{})}
}

// Subscribe delivers the messages of a durable until ctx ends or Close is
// called. Both drain: nothing more is asked for, what nobody has taken from the
// channel goes back at once, what was taken is waited for up to DrainTimeout,
// and the channel is closed last.
func (s *Subscriber) Subscribe(ctx context.Context, topic string) (<-chan *message.Message, error) {
	if err := validName(topic); err != nil {
		return nil, fmt.Errorf("subscribe: %w", err)
	}
	if s.cfg.Slots != "" {
		if err := validName(s.cfg.Slots); err != nil {
			return nil, fmt.Errorf("subscribe: %w", err)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, fmt.Errorf("subscribe to %s: %w", topic, ErrClosed)
	}
	sub := newSubscription(ctx, s, topic)
	s.wg.Go(func() { sub.run(ctx) })
	return sub.out, nil
}

// Close drains every subscription and returns when all are done. It may be
// called more than once.
func (s *Subscriber) Close() error {
	s.mu.Lock()
	if !s.closed {
		s.closed = true
		close(s.stop)
	}
	s.mu.Unlock()
	s.wg.Wait()
	return nil
}

// subscription is one Subscribe: workers that take messages, ask for more, and
// hold each while a handler is busy, a loop that keeps it bound to its consumer,
// and one heartbeat for all in hand.
//
//	broker ──► inbox ──► intake ──► worker (N of them) ──► out ──► handler
//	  ▲                   │pull       │pull, ack, nak
//	  └───────────────────┴───────────┘◄── heartbeat (leases)
type subscription struct {
	client  *Client
	durable string
	cfg     SubscriberConfig
	stop    <-chan struct{}
	// base is the parent of every message's context: the values of Subscribe's
	// context without its end.
	base context.Context
	out  chan *message.Message

	puller  puller
	leases  leases
	slots   *slots        // nil: no bound over all processes
	broken  chan error    // why the binding is no longer good
	untaken chan struct{} // closed: what nobody has taken goes back
	abandon chan struct{} // closed: the drain took too long
	// stopping is when the drain began, nil before.
	stopping atomic.Pointer[time.Time]
	workers  sync.WaitGroup
	arrived  chan arrival // from intake to a worker
}

func newSubscription(ctx context.Context, s *Subscriber, durable string) *subscription {
	n := s.cfg.Concurrency
	sub := &subscription{
		client: s.client, durable: durable, cfg: s.cfg, stop: s.stop,
		base: context.WithoutCancel(ctx), out: make(chan *message.Message),
		broken: make(chan error, 1), arrived: make(chan arrival),
		untaken: make(chan struct{}), abandon: make(chan struct{}),
	}
	sub.leases = leases{nc: s.client.nc, heard: sub.heardByMost}
	sub.puller = puller{nc: s.client.nc, size: n, in: make(chan *nats.Msg, 2*n+256), longest: pullExpires, turns: s.cfg.turns, room: s.cfg.Room}
	return sub
}

// run lives as long as the subscription.
func (s *subscription) run(ctx context.Context) { //nolint:contextcheck // what is in flight goes on while ctx, the intake's, has ended
	s.client.setBinding(s.durable, errBinding)
	defer s.client.dropBinding(s.durable)
	defer close(s.out)
	if s.cfg.Slots != "" {
		if err := s.openSlots(); err != nil { //nolint:contextcheck // slots outlive the intake
			s.client.setBinding(s.durable, err)
			return
		}
		defer s.slots.close()
	}
	for range s.cfg.Concurrency {
		s.workers.Go(s.work)
	}
	s.workers.Go(s.intake)
	beat, stopBeat := context.WithCancel(s.base)
	var heart sync.WaitGroup
	heart.Go(func() { s.leases.beat(beat) })
	s.loop(ctx)
	s.drain()
	stopBeat()
	heart.Wait()
}

// drain gives back what nobody has taken, waits for the rest, and gives up on
// it after the drain timeout. What is given up is not refused: that would start
// a second copy beside the one that still runs.
func (s *subscription) drain() {
	began := time.Now()
	s.stopping.Store(&began)
	close(s.untaken)
	s.giveBack()
	s.slots.stop()
	done := make(chan struct{})
	go func() {
		s.workers.Wait()
		close(done)
	}()
	timer := time.NewTimer(s.cfg.DrainTimeout)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
		close(s.abandon)
		s.leases.loseAll()
		<-done // workers do not wait for handlers any more
	}
	// Acknowledgements lie in the connection's buffer; the process may end now.
	err := error(ErrUnreachable)
	if s.client.nc.IsConnected() {
		err = s.client.nc.FlushTimeout(flushTimeout)
	}
	if err != nil {
		s.client.log.WithError(err).WithField("durable", s.durable).
			Warn("acknowledgements not confirmed at stop; their messages may come again")
	}
}

func (s *subscription) reply(to, what string) {
	if err := s.client.nc.Publish(to, []byte(what)); err != nil {
		s.client.log.WithError(err).WithField("durable", s.durable).Debug("acknowledgement not sent; message comes again")
	}
}
