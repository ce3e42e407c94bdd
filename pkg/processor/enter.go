package processor

import (
	"context"
	"sync"
	"time"

	"github.com/headrace/headrace/pkg/stream"
	"github.com/headrace/headrace/pkg/upstream"
)

// enter asks whether those whom the request needs may be called. It is the first
// thing done with a delivery and asks nobody outside this process, so that
// thousands that wait for an upstream cost next to nothing. A request that comes
// for the first time goes on all the same, up to the call: there may be none.
func (p *Processor) enter(ctx context.Context, d *stream.Delivery, w *Work) (context.Context, func(), error) {
	nothing := func() {}
	w.untried = w.Attempt == d.Attempt && p.tries.putOff(d.Sequence) == d.Attempt-1
	if w.Attempt > 1 && !w.untried && p.connect != nil {
		if err := p.connect.Closed(w.Key.Request); err != nil { // its status could not be read
			return ctx, nothing, err
		}
	}
	u := p.upstreamOf(w)
	if u == nil {
		return ctx, nothing, nil
	}
	pass, err := u.Enter(ctx, upstream.Entry{Who: w.Key.Request, Service: p.service, Most: p.most()})
	switch {
	case err == nil:
		return pass.With(ctx), pass.Leave, nil
	case w.Attempt > 1:
		return ctx, nothing, err
	}
	w.closed = err
	return ctx, nothing, nil
}

// upstreamOf is whom the request's service will call, nil if nobody.
func (p *Processor) upstreamOf(w *Work) *upstream.Upstream {
	profile, err := p.profiles(w)
	if err != nil || w.isDone {
		return nil
	}
	return profile.upstream(w.Key.Type)
}

// Room is how many requests it is worth to have come now; see upstream.Resting.
func (p *Processor) Room() int { return p.resting.Room(p.now(), p.upstreams...) }

// putOff gives a request back for which nothing could be tried. However long
// the upstream is away, that is no attempt, and no copy in the stream.
func (p *Processor) putOff(d *stream.Delivery, w *Work, err error, rest time.Duration) error {
	p.tries.refuse(d.Sequence)
	p.resting.Add(p.now().Add(rest))
	p.metrics.Retry(p.service, string(w.Key.Type), "paused")
	p.entry(w).WithError(err).WithField("pause", rest.Round(time.Millisecond)).Debug("request put off")
	return stream.RetryAfter(err, rest)
}

// tries remembers of the messages that come again what this process made of
// them: the broker counts deliveries, whatever became of them. What is forgotten
// at a restart makes a pause shorter, and no more.
type tries struct {
	mu sync.Mutex // guards of
	of map[uint64]tally
}

type tally struct{ failures, refusals int }

// mostTries bounds the memory; what waits is seldom more.
const mostTries = 200_000

func newTries() *tries { return &tries{of: map[uint64]tally{}} }

// failed counts a try that failed, and returns how many have.
func (t *tries) failed(sequence uint64) int {
	return t.note(sequence, func(n *tally) { n.failures++ }).failures
}

func (t *tries) refuse(sequence uint64) { t.note(sequence, func(n *tally) { n.refusals++ }) }

// putOff returns how often a message was refused.
func (t *tries) putOff(sequence uint64) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.of[sequence].refusals
}

func (t *tries) note(sequence uint64, change func(*tally)) tally {
	t.mu.Lock()
	defer t.mu.Unlock()
	n, known := t.of[sequence]
	if !known && len(t.of) >= mostTries {
		clear(t.of)
	}
	change(&n)
	t.of[sequence] = n
	return n
}

func (t *tries) forget(sequence uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.of, sequence)
}
