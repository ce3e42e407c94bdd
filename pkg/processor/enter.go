package processor

import (
	"context"
	"math"
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

// looked is how many requests rest at least before no more are looked at while
// nobody may be called: an order that lacks something is to be sent back to the
// customer also then, but a million that wait are to be left where they are.
const looked = 1000

// Room is how many requests it is worth to have come now: where all whom they
// need are closed and enough of them rest, only one that may probe. It is for
// stream.Client.Within.
func (p *Processor) Room() int {
	room := math.MaxInt
	for i, u := range p.upstreams {
		if i == 0 {
			room = 0
		}
		room = max(room, u.Room())
	}
	if room <= 1 && p.resting.count(p.now()) < looked {
		return math.MaxInt
	}
	return room
}

// resting counts, by the second in which they come again, the requests that this
// process has put off.
type resting struct {
	mu    sync.Mutex // guards until
	until map[int64]int
}

func (r *resting) add(until time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.until == nil {
		r.until = map[int64]int{}
	}
	r.until[until.Unix()]++
}

// count is how many rest. Those that are due count for a moment more: the broker
// gives them out first.
func (r *resting) count(now time.Time) (n int) {
	const moment = 2 // seconds
	r.mu.Lock()
	defer r.mu.Unlock()
	for until, rest := range r.until {
		if until+moment < now.Unix() {
			delete(r.until, until)
			continue
		}
		n += rest
	}
	return n
}

// putOff gives a request back for which nothing could be tried. However long
// the upstream is away, that is no attempt, and no copy in the stream.
func (p *Processor) putOff(d *stream.Delivery, w *Work, err error, rest time.Duration) error {
	p.tries.refuse(d.Sequence)
	p.resting.add(p.now().Add(rest))
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
