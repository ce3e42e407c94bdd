package stream

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/sirupsen/logrus"
)

// callTimeout bounds a call to the broker whose context has no deadline.
const callTimeout = 5 * time.Second

// connectedEvery is how often a call that waits for the broker looks for it.
const connectedEvery = 20 * time.Millisecond

// Client is a connection to the broker. All methods but Handle and Run may be
// called at the same time.
type Client struct {
	opts Options
	log  *logrus.Entry
	nc   *nats.Conn
	js   jetstream.JetStream
	out  *appender
	// group is nil unless Options.GroupCommit.
	group *grouper

	mu sync.Mutex
	// streamOf tells the stream of each durable that Apply has seen.
	streamOf map[string]string
	// streams are those that Apply has seen.
	streams []Stream
	// bindings is the state of the durables that are being read.
	bindings map[string]error
	handlers []handlerSpec
	// held are the slots of the durables that are bounded by such.
	held    map[string]*slots
	running bool
	// seen is the highest sequence of each stream that Tend has come across.
	seen map[string]uint64
	// missed holds one: something that should be there was not found.
	missed chan struct{}
	closed chan struct{}
	once   sync.Once
	watch  sync.WaitGroup
}

// Status says how the Client stands.
type Status struct {
	Connected bool
	// Server is the address, ServerID the identity of the connected server;
	// both empty when not connected.
	Server, ServerID string
	// Consumers has an entry for each durable given to Handle: nil when bound,
	// else why it is not.
	Consumers map[string]error
}

// Status says how the Client stands. It does not ask the broker.
func (c *Client) Status() Status {
	s := Status{Connected: c.nc.IsConnected(), Consumers: map[string]error{}}
	if s.Connected {
		s.Server, s.ServerID = c.nc.ConnectedAddr(), c.nc.ConnectedServerId()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for durable, err := range c.bindings {
		s.Consumers[durable] = err
	}
	return s
}

// Close ends the connection. Appends under way fail with ErrUnknownOutcome. It
// may be called more than once, and belongs after Run's return.
func (c *Client) Close() {
	c.once.Do(func() {
		close(c.closed)
		c.nc.Close()
		if c.group != nil {
			c.group.wg.Wait()
		}
		c.watch.Wait()
	})
}

// setBinding notes how a durable stands and says so once per change.
func (c *Client) setBinding(durable string, err error) {
	c.mu.Lock()
	before, known := c.bindings[durable]
	c.bindings[durable] = err
	c.mu.Unlock()
	entry := c.log.WithField("durable", durable)
	switch {
	case err != nil && worthSaying(err) && (before == nil || before.Error() != err.Error()):
		entry.WithError(err).Error("consumer lost; looking for it until it is back")
		c.miss()
	case err == nil && known && before != nil && worthSaying(before):
		entry.Info("consumer is back")
	}
}

// miss has Tend look at once.
func (c *Client) miss() {
	select {
	case c.missed <- struct{}{}:
	default: // it is about to
	}
}

// worthSaying is false for what the connection's own log tells.
func worthSaying(err error) bool {
	return !errors.Is(err, errBinding) && !errors.Is(err, ErrUnreachable) && !errors.Is(err, ErrClosed)
}

func (c *Client) dropBinding(durable string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.bindings, durable)
}

// awaitConnected waits until the broker is reached or ctx ends. It looks again
// and again rather than wait for nats.go's callbacks, which come a moment after
// the fact.
func (c *Client) awaitConnected(ctx context.Context) error {
	if c.nc.IsConnected() {
		return nil
	}
	tick := time.NewTicker(connectedEvery)
	defer tick.Stop()
	for !c.nc.IsConnected() {
		select {
		case <-tick.C:
		case <-c.closed:
			return ErrClosed
		case <-ctx.Done():
			return errors.Join(ErrUnreachable, context.Cause(ctx))
		}
	}
	return nil
}

// bounded gives ctx a deadline if it has none.
func bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, ok := ctx.Deadline(); ok {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, callTimeout)
}
