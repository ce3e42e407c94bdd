package stream

import (
	"context"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/headrace/headrace/pkg/failpoint"
)

const inProgress = "+WPI"

// leases keeps the messages in hand alive at the broker. Every third of the ack
// wait it says of all of them that they are in progress; only when the broker
// has confirmed that it read so do they count as renewed. The broker does not
// say who holds a message now, so a lease is judged by our own clock: one that
// was not renewed for five sixths of the ack wait is lost.
type leases struct {
	nc *nats.Conn
	// heard asks whether what the consumer's leader was told by then is known to
	// most of its replicas.
	heard func(ctx context.Context, by time.Time, patience time.Duration) bool

	mu   sync.Mutex
	wait time.Duration
	held []*lease
}

// lease is our hold on one message.
type lease struct {
	reply   string
	renewed time.Time
	lost    chan struct{} // told when it is lost; has room for that
	wait    time.Duration
	at      int // its place in held, -1 if it is not held
}

// limit is when the lease is lost unless it is renewed.
func (h *lease) limit() time.Time { return h.renewed.Add(h.wait * 5 / 6) }

func (l *leases) setWait(d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.wait = d
}

// take begins a lease on the message that came; false if that was sent so long
// before that it may be in other hands.
func (l *leases) take(h *lease, a arrival) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	h.reply, h.renewed, h.wait, h.at = a.msg.Reply, a.since, l.wait, len(l.held)
	if !h.good(time.Now()) {
		h.at = -1
		return false
	}
	l.held = append(l.held, h)
	return true
}

// drop reports whether the lease was held, and holds it no more. It is called
// under the lock.
func (l *leases) drop(h *lease) bool {
	if h.at < 0 {
		return false
	}
	last := len(l.held) - 1
	l.held[h.at] = l.held[last]
	l.held[h.at].at = h.at
	l.held[last] = nil
	l.held = l.held[:last]
	h.at = -1
	return true
}

// release ends a lease and reports whether it was good to the end: if not, the
// message may be in other hands and must not be answered.
func (l *leases) release(h *lease) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.drop(h) && time.Since(h.renewed) < h.wait
}

// good reports whether the lease is good. One that is not never is again.
func (l *leases) good(h *lease, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return h.good(now)
}

func (h *lease) good(now time.Time) bool {
	return h.at >= 0 && (now.Before(h.limit()) || failpoint.Off(failpoint.NoLease)) // by the monotonic clock, which goes on while a process is stopped
}

// beat renews until ctx ends.
func (l *leases) beat(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(l.step()):
		}
		l.expire()
		if due := l.due(); len(due) > 0 && l.nc.IsConnected() {
			l.renew(ctx, due, l.step())
		}
	}
}

// step is how long nothing need be done: a twelfth of the ack wait, or less if
// a lease is about to be lost. A handler must know before the broker acts.
func (l *leases) step() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.wait == 0 { // not bound yet
		return lookupEvery
	}
	step, now := l.wait/12, time.Now()
	for _, h := range l.held {
		step = min(step, h.limit().Sub(now))
	}
	return max(step, time.Millisecond)
}

// expire gives up the leases that were not renewed in time.
func (l *leases) expire() {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	for i := len(l.held) - 1; i >= 0; i-- { // backwards, as drop moves the last
		h := l.held[i]
		if !now.Before(h.limit()) && !failpoint.Off(failpoint.NoLease) {
			l.lose(h)
		}
	}
}

// lose drops a lease and tells who holds it. It is called under the lock.
func (l *leases) lose(h *lease) {
	l.drop(h)
	select {
	case h.lost <- struct{}{}:
	default: // nobody listens
	}
}

// loseAll gives up every lease.
func (l *leases) loseAll() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(l.held) > 0 {
		l.lose(l.held[0])
	}
}

// due lists the leases that are a third of the ack wait old.
func (l *leases) due() []*lease {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	var due []*lease
	for _, h := range l.held {
		if now.Sub(h.renewed) >= h.wait/3-h.wait/24 {
			due = append(due, h)
		}
	}
	return due
}

// renew tells the broker and, once it has confirmed, notes the time before it
// was told. The last one is asked for an answer, which only the consumer itself
// gives: where that was deleted no lease is good any longer than its time, and
// whoever makes it anew waits for as long. In a cluster the other replicas must
// have heard of it, too: one of them may be the consumer's leader next.
func (l *leases) renew(ctx context.Context, due []*lease, patience time.Duration) {
	before := time.Now()
	last := len(due) - 1
	for _, h := range due[:last] {
		if l.nc.Publish(h.reply, []byte(inProgress)) != nil {
			return
		}
	}
	if _, err := l.nc.Request(due[last].reply, []byte(inProgress), patience); err != nil {
		return // again at the next step
	}
	if !l.known(ctx, due[last], patience) {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, h := range due {
		h.renewed = before
	}
}

// known reports whether what was just told is known to most replicas. Once more
// the same makes the leader speak to them at once, and they answer.
func (l *leases) known(ctx context.Context, h *lease, patience time.Duration) bool {
	told := time.Now()
	if l.nc.ConnectedClusterName() != "" && l.nc.Publish(h.reply, []byte(inProgress)) != nil {
		return false
	}
	return l.heard(ctx, told, patience)
}
