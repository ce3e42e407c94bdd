package stream

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
)

const (
	// groupMin is where a batch begins to pay, measured: it costs the broker 2 ms
	// and more, a plain append with its own sync 0.25 ms.
	groupMin = 12
	// singlesMax are under way one by one; what comes then waits until a batch of
	// it pays, or until one of those is answered. More would wait no less, and
	// leave less for a batch.
	singlesMax = 4
	groupMax   = 128
	// groupLinger is how long is waited, after a batch, for those who were in it:
	// they are likely to come again, and are many.
	groupLinger = 400 * time.Microsecond
)

// grouper lets appends to one stream that wait at the same time share one
// atomic batch, and so one sync to disk.
type grouper struct {
	client *Client
	mu     sync.Mutex
	queues map[string]*queue
	wg     sync.WaitGroup
}

// queue is what goes to one stream, which the broker stores one by one.
type queue struct {
	group   *grouper
	batches chan []*member

	mu      sync.Mutex
	singles int // under way by themselves
	// busy: a batch is under way, or those of the last one are waited for.
	busy    bool
	waiting []*member
	size    int         // messages of waiting
	enough  int         // ends the linger
	linger  *time.Timer // nil unless lingering
}

// member is an append, or a chain of them, that waits for its turn.
type member struct {
	msgs   []*nats.Msg
	guard  string // the filter of its expectation
	result chan outcome
	gone   bool // nobody waits any more; belongs to the queue's lock
}

type outcome struct {
	// alone: it was sent in no batch, and the caller is to send it.
	alone bool
	last  verdict // of the last message
	err   error
}

// commit has msgs stored by way of a batch where that pays; where it does not,
// alone is called to store them one by one. It returns what the broker says of
// the last message.
func (g *grouper) commit(ctx context.Context, msgs []*nats.Msg, alone func() (verdict, error)) (verdict, error) {
	stream := g.client.streamFor(msgs[0].Subject)
	guard, ok := groupable(msgs)
	if stream == "" || !ok {
		return alone()
	}
	q := g.queue(stream)
	if q.enter(len(msgs)) {
		defer q.leave(len(msgs))
		return alone()
	}
	w := &member{msgs: msgs, guard: guard, result: make(chan outcome, 1)}
	q.wait(w)
	ctx, cancel := bounded(ctx)
	defer cancel()
	var o outcome
	select {
	case o = <-w.result:
	case <-g.client.closed:
		o.err = q.withdraw(w, ErrClosed)
	case <-ctx.Done():
		o.err = q.withdraw(w, context.Cause(ctx))
	}
	if o.alone {
		defer q.leave(len(msgs))
		return alone()
	}
	return o.last, o.err
}

// groupable tells what guards msgs, and whether they may be in a batch at all:
// one repeated Nats-Msg-Id refuses a whole batch, and what says nothing of what
// it expects could not be told apart from its own copy.
func groupable(msgs []*nats.Msg) (guard string, ok bool) {
	for _, m := range msgs {
		for k := range m.Header {
			if strings.HasPrefix(k, brokerPrefix) && k != hdrExpectSeq && k != hdrExpectFilter {
				return "", false
			}
		}
	}
	guard = msgs[0].Header.Get(hdrExpectFilter)
	return guard, guard != ""
}

// streamFor is the declared stream that takes subject, "" if none is known.
func (c *Client) streamFor(subject string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.streams {
		for _, f := range s.Subjects {
			if matches(f, subject) {
				return s.Name
			}
		}
	}
	return ""
}

func (g *grouper) queue(stream string) *queue {
	g.mu.Lock()
	defer g.mu.Unlock()
	q := g.queues[stream]
	if q == nil {
		q = &queue{group: g, batches: make(chan []*member, 1)}
		g.queues[stream] = q
		g.wg.Go(q.run)
	}
	return q
}

// enter reports whether the caller may send by itself, now; it must leave then.
func (q *queue) enter(n int) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.busy || len(q.waiting) > 0 || q.singles >= singlesMax {
		return false
	}
	q.singles += n
	return true
}

func (q *queue) leave(n int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.singles -= n
	q.advance()
}

func (q *queue) wait(w *member) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.waiting = append(q.waiting, w)
	q.size += len(w.msgs)
	if q.linger != nil && q.size >= q.enough && q.linger.Stop() {
		q.linger, q.busy = nil, false
	}
	q.advance()
}

// withdraw ends the wait of a caller for this reason, and tells whether
// anything was sent.
func (q *queue) withdraw(w *member, why error) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	w.gone = true
	if i := slices.Index(q.waiting, w); i >= 0 {
		q.waiting = slices.Delete(q.waiting, i, i+1)
		q.size -= len(w.msgs)
		return fmt.Errorf("wait for turn: %w", why)
	}
	select {
	case o := <-w.result: // in the same moment
		if o.alone {
			q.singles -= len(w.msgs)
			q.advance()
			return fmt.Errorf("wait for turn: %w", why)
		}
	default:
	}
	return errors.Join(ErrUnknownOutcome, why)
}

// advance sends what waits: together if that pays, else alone as far as there
// is room. The caller holds the lock.
func (q *queue) advance() {
	if q.busy {
		return
	}
	if q.size >= groupMin {
		if q.singles > 1 {
			return // the broker is at work, and the batch grows meanwhile
		}
		batch := q.take()
		if size(batch) >= groupMin {
			q.busy = true
			q.batches <- batch // there is room: it is the only one
			return
		}
		// They stand in each other's way.
		q.waiting, q.size = append(batch, q.waiting...), q.size+size(batch)
	}
	for q.singles < singlesMax && len(q.waiting) > 0 {
		w := q.waiting[0]
		q.waiting, q.size = q.waiting[1:], q.size-len(w.msgs)
		q.alone(w)
	}
}

// alone has the caller send its messages by itself.
func (q *queue) alone(w *member) {
	if w.gone {
		return
	}
	q.singles += len(w.msgs)
	w.result <- outcome{alone: true}
}

func size(batch []*member) (n int) {
	for _, w := range batch {
		n += len(w.msgs)
	}
	return n
}

// take takes from what waits as much as may be in one batch, in which an
// expectation sees only what was stored before the batch.
func (q *queue) take() (batch []*member) {
	var later []*member
	n := 0
	for _, w := range q.waiting {
		if n+len(w.msgs) > groupMax || clash(batch, w) {
			later = append(later, w)
			continue
		}
		batch, n = append(batch, w), n+len(w.msgs)
	}
	q.waiting, q.size = later, q.size-n
	return batch
}

// run sends one batch after the other until the Client is closed.
func (q *queue) run() {
	for {
		select {
		case batch := <-q.batches:
			q.send(batch)
		case <-q.group.client.closed:
			return
		}
	}
}

// send sends a batch, and then waits a moment for those who were in it.
func (q *queue) send(batch []*member) {
	refused := q.group.send(batch)
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, w := range refused {
		q.alone(w)
	}
	q.enough = min(q.size+size(batch), groupMax)
	q.linger = time.AfterFunc(groupLinger, func() {
		q.mu.Lock()
		defer q.mu.Unlock()
		q.linger, q.busy = nil, false
		q.advance()
	})
}
