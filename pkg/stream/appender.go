package stream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
)

const (
	noStreamTries = 3
	noStreamWait  = 250 * time.Millisecond
	// answerTimeout bounds the wait for an answer whatever the context allows:
	// one that was lost with a connection never comes.
	answerTimeout = 10 * time.Second
)

// appender sends messages to JetStream without waiting for one before it sends
// the next: one inbox takes all answers, and a window bounds what is under way.
type appender struct {
	client *Client
	inbox  string // with the final dot
	window chan struct{}

	mu      sync.Mutex
	next    uint64
	waiting map[string]chan *nats.Msg
}

func newAppender(c *Client) (*appender, error) {
	a := &appender{
		client: c, inbox: c.nc.NewInbox() + ".",
		window: make(chan struct{}, c.opts.Window), waiting: map[string]chan *nats.Msg{},
	}
	sub, err := c.nc.Subscribe(a.inbox+"*", a.receive)
	if err != nil {
		return nil, fmt.Errorf("subscribe to answers: %w", err)
	}
	// Answers are small and at most a window of them is outstanding.
	if err := sub.SetPendingLimits(-1, -1); err != nil {
		return nil, fmt.Errorf("subscribe to answers: %w", err)
	}
	return a, nil
}

func (a *appender) receive(m *nats.Msg) {
	if answer := a.take(strings.TrimPrefix(m.Subject, a.inbox)); answer != nil {
		answer <- m // it has room for one
	}
}

// take ends the wait of token and gives its room in the window back; nil if it
// was ended before.
func (a *appender) take(token string) chan *nats.Msg {
	a.mu.Lock()
	answer := a.waiting[token]
	delete(a.waiting, token)
	a.mu.Unlock()
	if answer != nil {
		<-a.window
	}
	return answer
}

// append sends m and waits for the broker's verdict.
func (a *appender) append(ctx context.Context, m *nats.Msg) (verdict, error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	for try := 1; ; try++ {
		p, err := a.send(ctx, m)
		if err != nil {
			return verdict{}, err
		}
		v, err := p.wait(ctx)
		if !errors.Is(err, ErrNoStream) {
			return v, err
		}
		if try == noStreamTries {
			a.client.miss()
			return v, err
		}
		// A cluster that is choosing a leader does not answer for a moment;
		// nothing was stored.
		select {
		case <-time.After(noStreamWait):
		case <-ctx.Done():
			return v, errors.Join(err, context.Cause(ctx))
		}
	}
}

// pending is an append under way.
type pending struct {
	from   *appender
	token  string
	answer chan *nats.Msg
}

// send puts m on its way. It waits for the broker and for room in the window,
// as long as ctx allows; an error means that nothing was sent. Whoever sends
// must wait, or the room is lost.
func (a *appender) send(ctx context.Context, m *nats.Msg) (*pending, error) {
	if err := a.client.awaitConnected(ctx); err != nil {
		return nil, fmt.Errorf("wait for broker: %w", err)
	}
	select {
	case a.window <- struct{}{}:
	case <-a.client.closed:
		return nil, ErrClosed
	case <-ctx.Done():
		return nil, fmt.Errorf("wait for room: %w", context.Cause(ctx))
	}
	p := &pending{from: a, answer: make(chan *nats.Msg, 1)}
	a.mu.Lock()
	a.next++
	p.token = strconv.FormatUint(a.next, 36)
	a.waiting[p.token] = p.answer
	a.mu.Unlock()

	m.Reply = a.inbox + p.token
	if err := a.client.nc.PublishMsg(m); err != nil {
		a.take(p.token)
		if errors.Is(err, nats.ErrMaxPayload) {
			err = errors.Join(ErrTooLarge, err)
		}
		return nil, err
	}
	return p, nil
}

// wait returns what the broker says of the message.
func (p *pending) wait(ctx context.Context) (verdict, error) {
	defer p.from.take(p.token)
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	var v verdict
	select {
	case m := <-p.answer:
		if len(m.Data) == 0 && m.Header.Get("Status") == "503" {
			return v, ErrNoStream
		}
		if err := json.Unmarshal(m.Data, &v); err != nil {
			return v, errors.Join(ErrUnknownOutcome, err)
		}
		return v, v.err()
	case <-p.from.client.closed:
		return v, errors.Join(ErrUnknownOutcome, ErrClosed)
	case <-ctx.Done():
		return v, errors.Join(ErrUnknownOutcome, context.Cause(ctx))
	}
}
