package stream

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
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
	waiting map[uint64]chan *nats.Msg
}

func newAppender(c *Client) (*appender, error) {
	a := &appender{
		client: c, inbox: c.nc.NewInbox() + ".",
		window: make(chan struct{}, c.opts.Window), waiting: map[uint64]chan *nats.Msg{},
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
	token, err := strconv.ParseUint(m.Subject[len(a.inbox):], 36, 64)
	if err != nil {
		return
	}
	if answer := a.take(token); answer != nil {
		answer <- m // it has room for one
	}
}

// take ends the wait of token and gives its room in the window back; nil if it
// was ended before.
func (a *appender) take(token uint64) chan *nats.Msg {
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
	token  uint64
	answer chan *nats.Msg
}

// send puts m on its way. It waits for the broker and for room in the window,
// as long as ctx allows; an error means that nothing was sent. Whoever sends
// must wait, or the room is lost.
func (a *appender) send(ctx context.Context, m *nats.Msg) (pending, error) {
	if err := a.room(ctx); err != nil {
		return pending{}, err
	}
	p := pending{from: a, answer: make(chan *nats.Msg, 1)}
	a.mu.Lock()
	a.next++
	p.token = a.next
	a.waiting[p.token] = p.answer
	a.mu.Unlock()

	m.Reply = a.inbox + strconv.FormatUint(p.token, 36)
	if err := a.client.nc.PublishMsg(m); err != nil {
		a.take(p.token)
		if errors.Is(err, nats.ErrMaxPayload) {
			err = errors.Join(ErrTooLarge, err)
		}
		return pending{}, err
	}
	return p, nil
}

// room waits for the broker and takes room in the window.
func (a *appender) room(ctx context.Context) error {
	if ctx.Err() == nil && a.client.nc.IsConnected() {
		select {
		case a.window <- struct{}{}:
			return nil
		default:
		}
	}
	ctx, cancel := bounded(ctx)
	defer cancel()
	if err := a.client.awaitConnected(ctx); err != nil {
		return fmt.Errorf("wait for broker: %w", err)
	}
	select {
	case a.window <- struct{}{}:
		return nil
	case <-a.client.closed:
		return ErrClosed
	case <-ctx.Done():
		return fmt.Errorf("wait for room: %w", context.Cause(ctx))
	}
}

// wait returns what the broker says of the message.
func (p pending) wait(ctx context.Context) (verdict, error) {
	defer p.from.take(p.token)
	patience := answerTimeout
	if _, ok := ctx.Deadline(); !ok {
		patience = callTimeout
	}
	// A timer costs less than a context of its own.
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case m := <-p.answer:
		return read(m)
	case <-p.from.client.closed:
		return verdict{}, errors.Join(ErrUnknownOutcome, ErrClosed)
	case <-timer.C:
		return verdict{}, errors.Join(ErrUnknownOutcome, context.DeadlineExceeded)
	case <-ctx.Done():
		return verdict{}, errors.Join(ErrUnknownOutcome, context.Cause(ctx))
	}
}

func read(m *nats.Msg) (v verdict, err error) {
	if len(m.Data) == 0 && m.Header.Get("Status") == "503" {
		return v, ErrNoStream
	}
	if stream, seq, ok := plain(m.Data); ok {
		return verdict{Stream: stream, Sequence: seq}, nil
	}
	if err := json.Unmarshal(m.Data, &v); err != nil {
		return v, errors.Join(ErrUnknownOutcome, err)
	}
	return v, v.err()
}

// plain reads the answer that nearly all appends get, {"stream":"NAME","seq":1},
// for a tenth of what encoding/json takes. Anything else is left to that.
func plain(data []byte) (stream string, seq uint64, ok bool) {
	rest, ok := bytes.CutPrefix(data, []byte(`{"stream":"`))
	if !ok {
		return "", 0, false
	}
	name, rest, ok := bytes.Cut(rest, []byte(`","seq":`))
	number, closed := bytes.CutSuffix(rest, []byte(`}`))
	if !ok || !closed || bytes.ContainsAny(name, `"\`) {
		return "", 0, false
	}
	seq, err := strconv.ParseUint(string(number), 10, 64)
	return string(name), seq, err == nil
}
