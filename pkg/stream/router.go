package stream

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/sirupsen/logrus"
)

// closeMargin is what the Router waits for beyond our own drain timeout. The
// drain has then cancelled the handlers; those that take no notice are left.
const closeMargin = 500 * time.Millisecond

type handlerSpec struct {
	durable     string
	concurrency int
	handle      Handler
	slots       string
	room        func() int
}

// Handle makes h carry out the messages of a durable, at most concurrency at a
// time in this process. It must be called before Run, once for each durable.
// The durable need not be there: it is looked for until it is, see Status.
func (c *Client) Handle(durable string, concurrency int, h Handler) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.handlers = append(c.handlers, handlerSpec{durable: durable, concurrency: max(concurrency, 1), handle: h})
	c.bindings[durable] = errBinding
}

// Bound has the messages of a durable be in hand only with a message of another,
// slots, in hand: as many of those as there are bound it over all processes. It
// comes after Handle and before Run.
func (c *Client) Bound(durable, slots string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range c.handlers {
		if c.handlers[i].durable == durable {
			c.handlers[i].slots = slots
		}
	}
}

// Within has no more messages of a durable asked for at once than there is room
// for; see SubscriberConfig. What the handler could only put off stays with the
// broker then, where it costs nothing. It comes after Handle and before Run.
func (c *Client) Within(durable string, room func() int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range c.handlers {
		if c.handlers[i].durable == durable {
			c.handlers[i].room = room
		}
	}
}

// Held is how many messages of a durable may be in hand in this process, as far as
// it is Bound; false if it is not.
func (c *Client) Held(durable string) (int, bool) {
	c.mu.Lock()
	s := c.held[durable]
	c.mu.Unlock()
	if s == nil {
		return 0, false
	}
	return s.held(), true
}

func (c *Client) hold(durable string, s *slots) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.held == nil {
		c.held = map[string]*slots{}
	}
	c.held[durable] = s
}

// Run delivers to the handlers, each through Watermill's Router, until ctx
// ends. Then it drains: it takes no more, waits up to DrainTimeout for what is
// in flight, and returns nil. It returns an error that is ErrDrainTimeout if
// something still ran then; its messages will be delivered again. Run may be
// called once; the connection stays open until Close.
func (c *Client) Run(ctx context.Context) error {
	c.mu.Lock()
	specs, ran := c.handlers, c.running
	c.running = true
	c.mu.Unlock()
	if ran {
		return errors.New("run: called twice")
	}
	seen := map[string]bool{}
	for _, h := range specs {
		if err := validName(h.durable); err != nil {
			return fmt.Errorf("run: %w", err)
		}
		if seen[h.durable] {
			return fmt.Errorf("run: durable %s has two handlers", h.durable)
		}
		seen[h.durable] = true
	}
	if len(specs) == 0 {
		<-ctx.Done()
		return nil
	}
	router, err := message.NewRouter(message.RouterConfig{CloseTimeout: c.opts.DrainTimeout + closeMargin}, newWatermillLog(c.log))
	if err != nil {
		return fmt.Errorf("run: %w", err)
	}
	var inFlight atomic.Int64
	for _, h := range specs {
		sub := NewSubscriber(c, SubscriberConfig{Concurrency: h.concurrency, Slots: h.slots, Room: h.room})
		router.AddConsumerHandler(h.durable, h.durable, sub, c.consume(h.handle, &inFlight)) //nolint:contextcheck // it comes in the message
	}
	if err := router.Run(ctx); err != nil {
		return fmt.Errorf("run: %w", err)
	}
	if n := inFlight.Load(); n > 0 {
		return fmt.Errorf("stop: %d messages left to redelivery: %w", n, ErrDrainTimeout)
	}
	if ctx.Err() == nil {
		return fmt.Errorf("run: %w", ErrClosed)
	}
	return nil
}

// consume makes a handler of Watermill's of one of ours. What ours returns is
// logged here, once; Watermill is told of the verdict only.
func (c *Client) consume(h Handler, inFlight *atomic.Int64) message.NoPublishHandlerFunc {
	return func(msg *message.Message) error {
		inFlight.Add(1)
		defer inFlight.Add(-1)
		ctx := msg.Context()
		d := DeliveryOf(ctx)
		err := recovered(ctx, d, h)
		if err == nil {
			return nil // the Router acknowledges
		}
		if after, said := RetryDelay(err); said {
			d.after = &after
		}
		c.logRetry(ctx, d, err)
		msg.Nack() // the Router's own acknowledgement comes too late then
		return nil
	}
}

func (c *Client) logRetry(ctx context.Context, d *Delivery, err error) {
	entry := c.log.WithFields(logrus.Fields{
		"durable": d.Durable, "subject": d.Subject, "sequence": d.Sequence, "attempt": d.Attempt,
	}).WithError(err)
	var p *panicError
	switch {
	case errors.As(err, &p):
		entry.WithField("stack", string(p.stack)).Error("handler panicked; message comes again")
	case ctx.Err() != nil:
		entry.WithField("cause", context.Cause(ctx)).Warn("handler was cancelled; message comes again")
	case errors.As(err, new(*retryError)):
		entry.Debug("message comes again") // the handler chose when, and said why
	default:
		entry.Warn("message comes again")
	}
}

// panicError is a handler's panic.
type panicError struct {
	value any
	stack []byte
}

func (e *panicError) Error() string { return fmt.Sprintf("handler panicked: %v", e.value) }

func recovered(ctx context.Context, d *Delivery, h Handler) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &panicError{value: v, stack: debug.Stack()}
		}
	}()
	return h(ctx, d)
}

// delay is how long a refused message rests: what its handler said, else
// RetryMin doubled with each attempt up to RetryMax, spread by a fifth so that
// those which failed together do not come together.
func (c *Client) delay(d *Delivery) time.Duration {
	if d.after != nil {
		return *d.after
	}
	wait := c.opts.RetryMax
	if n := d.Attempt - 1; n < 20 {
		wait = min(c.opts.RetryMin<<max(n, 0), c.opts.RetryMax)
	}
	return time.Duration(float64(wait) * (0.8 + 0.4*rand.Float64()))
}
