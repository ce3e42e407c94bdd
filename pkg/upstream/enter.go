package upstream

import (
	"context"
	"errors"
	"math"
	"slices"
	"time"

	"github.com/headrace/headrace/pkg/fulfillment"
)

// Pass is the permission to call an upstream, for one call or for all that one
// attempt at a request makes.
type Pass struct {
	of      *Upstream
	service string
	who     string
	left    bool
}

// Entry says who wants to call.
type Entry struct {
	Who string // the request
	// Service, of which at most Most, if not 0, may be in flight at this upstream.
	Service string
	Most    int
}

// Enter asks whether the upstream may be called. It fails with *ClosedError.
// Where the upstream has paused, the Pass may be the one of the whole fleet with
// which it is probed: use it, or leave. Where it has just opened, Enter waits
// for room for a moment. Leave must be called.
func (u *Upstream) Enter(ctx context.Context, e Entry) (*Pass, error) {
	began := time.Now()
	for {
		p, err, room := u.try(ctx, e)
		if err == nil {
			return p, nil
		}
		if room == nil || !wait(ctx, room, err.room-time.Since(began)) {
			u.share(ctx)
			return nil, u.refused(err)
		}
	}
}

// wait reports whether room was closed in time.
func wait(ctx context.Context, room <-chan struct{}, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-room:
		return true
	case <-timer.C:
	case <-ctx.Done():
	}
	return false
}

// try is Enter without patience; room, if not nil, is closed when it is worth
// another try.
func (u *Upstream) try(ctx context.Context, e Entry) (p *Pass, err *ClosedError, room <-chan struct{}) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.sweep()
	now := u.o.Now()
	if err := u.refuse(now, e); err != nil {
		if err.room > 0 {
			if u.room == nil {
				u.room = make(chan struct{})
			}
			room = u.room
		}
		return nil, err, room
	}
	if u.rec.State.Closed() && !(u.mine && now.Before(u.until)) {
		if err := u.claim(ctx); err != nil {
			return nil, err, nil
		}
	}
	p = &Pass{of: u, service: e.Service, who: e.Who}
	if u.rec.State.Closed() {
		u.prober = p
	}
	u.passes++
	u.slots[e.Service]++
	return p, nil, nil
}

// wake has those who wait for room try again.
func (u *Upstream) wake() {
	if u.room != nil {
		close(u.room)
		u.room = nil
	}
}

// Closed is what Enter would say now, without a claim to the probe.
func (u *Upstream) Closed(who string) error {
	u.mu.Lock()
	err := u.refuse(u.o.Now(), Entry{Who: who})
	u.mu.Unlock()
	if err == nil || err.room > 0 {
		return nil
	}
	return u.refused(err)
}

// Room is how many requests it is worth to have come for the upstream: none while
// nobody calls it, one when that one may probe it, else as many as there are.
func (u *Upstream) Room() int {
	u.mu.Lock()
	defer u.mu.Unlock()
	switch {
	case !u.rec.State.Closed():
		return math.MaxInt
	case u.refuse(u.o.Now(), Entry{}) != nil:
		return 0
	}
	return 1
}

// refuse returns why the caller may not go on, or nil; it may be to a probe.
func (u *Upstream) refuse(now time.Time, e Entry) *ClosedError {
	switch {
	case u.rec.State == fulfillment.UpstreamPaused && now.Before(u.until):
		return u.closed(u.until, u.rec.Reason)
	case u.rec.State == fulfillment.UpstreamProbing && now.Before(u.until) && !(u.mine && u.prober == nil), u.claiming:
		return u.closed(now.Add(briefly), "it is being probed; "+u.rec.Reason)
	case u.rec.State.Closed():
		if first := u.until.Add(giveWay); !u.mine && now.Before(first) && slices.Contains(u.rec.Tried, hashed(e.Who)) {
			return u.closed(first, u.rec.Reason)
		}
		return nil
	case e.Most > 0 && u.slots[e.Service] >= e.Most:
		return u.crowded(now, "it has its share of what may be in flight")
	case u.limit > 0 && u.passes >= u.limit:
		return u.crowded(now, "it has just been opened, and gets more calls little by little")
	}
	return nil
}

// crowded refuses for lack of room. That is worth waiting for, unless calls hang:
// then others need the place of who waits.
func (u *Upstream) crowded(now time.Time, reason string) *ClosedError {
	err := u.closed(now.Add(briefly), reason)
	err.room = roomWait
	for c := range u.calls {
		if now.Sub(c.began) > lively && !u.run.success.After(c.began) {
			err.room = 0
		}
	}
	return err
}

func (u *Upstream) closed(until time.Time, reason string) *ClosedError {
	return &ClosedError{Name: u.o.Name, Reason: reason, Until: until}
}

// refused counts those who wait, so that more of them come back over more time.
func (u *Upstream) refused(err *ClosedError) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.rec.State.Closed() {
		u.waiting++
	}
	own := *err
	own.Spread = min(max(time.Duration(u.waiting)*perWaiting, leastSpread), mostSpread)
	return &own
}

// claim wins the probe for this process, or fails with *ClosedError. It gives mu
// up while the broker is asked. Without a broker, each process probes.
func (u *Upstream) claim(ctx context.Context) *ClosedError {
	rec, seq := u.rec, u.seq
	lease := u.patience + leaseMargin
	rec.State, rec.PauseMS, rec.By, rec.Time = fulfillment.UpstreamProbing, lease.Milliseconds(), u.by, u.o.Now().UTC()
	u.claiming = true
	was := u.rec
	u.mu.Unlock()
	stored, err := u.put(ctx, rec, seq)
	if errors.Is(err, ErrTaken) {
		_ = u.resync(ctx) // else the news comes by itself
	}
	u.mu.Lock()
	u.claiming = false
	switch {
	case errors.Is(err, ErrTaken), u.seq > max(seq, stored): // or news came meanwhile
		return u.closed(u.o.Now().Add(briefly), "it is being probed; "+rec.Reason)
	case err == nil:
		u.seq = max(u.seq, stored)
	}
	if u.rec.State != was.State || !u.rec.Time.Equal(was.Time) { // a call that was still under way asked for a pause, or was answered
		return u.closed(u.o.Now().Add(briefly), u.rec.Reason)
	}
	u.rec, u.mine, u.prober = rec, true, nil
	u.until = u.o.Now().Add(lease)
	u.unshared = err != nil
	u.o.Changed(u.view())
	return nil
}

// Leave ends the pass. It may be called again.
func (p *Pass) Leave() {
	if p == nil {
		return
	}
	u := p.of
	u.mu.Lock()
	defer u.mu.Unlock()
	if p.left {
		return
	}
	p.left = true
	u.passes--
	u.wake()
	if u.slots[p.service]--; u.slots[p.service] == 0 {
		delete(u.slots, p.service)
	}
	if u.prober == p { // not used: the next of this process may
		u.prober = nil
	}
}

type passKey struct{}

// With gives the pass to the calls made under ctx.
func (p *Pass) With(ctx context.Context) context.Context {
	if p == nil {
		return ctx
	}
	return context.WithValue(ctx, passKey{}, p)
}
