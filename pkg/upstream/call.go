package upstream

import (
	"fmt"
	"net/http"
	"time"

	"github.com/headrace/headrace/pkg/fulfillment"
)

// call is one call under way.
type call struct {
	pass    *Pass
	began   time.Time
	counted bool // as a failure, while it was under way
}

// begin notes a call, or refuses it where the upstream has closed since the pass
// was given.
func (u *Upstream) begin(p *Pass) (*call, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	now := u.o.Now()
	if u.rec.State.Closed() && u.prober != p {
		until, why := u.until, u.rec.Reason
		if u.rec.State == fulfillment.UpstreamProbing || !now.Before(until) {
			until = now.Add(briefly)
		}
		u.waiting++
		return nil, &ClosedError{Name: u.o.Name, Reason: why, Until: until, Spread: leastSpread}
	}
	c := &call{pass: p, began: now}
	u.calls[c] = struct{}{}
	return c, nil
}

// outcome is what became of a call.
type outcome struct {
	status int           // 0: no answer
	reason string        // of a failure
	asked  time.Duration // Retry-After
	// void says that nothing is learnt from it: the caller gave up.
	void bool
}

// failed reports whether the upstream, and not the request, is at fault.
func (o outcome) failed() bool {
	return o.status == 0 || o.status >= 500 || o.status == http.StatusUnauthorized || o.status == http.StatusForbidden
}

// slowdown reports whether the upstream asks for a pause.
func (o outcome) slowdown() bool {
	return o.status == http.StatusTooManyRequests || o.status == http.StatusServiceUnavailable && o.asked > 0
}

func (o outcome) String() string {
	switch {
	case o.reason != "":
		return o.reason
	case o.status == http.StatusUnauthorized || o.status == http.StatusForbidden:
		return fmt.Sprintf("it refuses our credentials (%d)", o.status)
	case o.asked > 0:
		return fmt.Sprintf("it answered %d and asked for a pause of %s", o.status, o.asked)
	}
	return fmt.Sprintf("it answers %d", o.status)
}

// end notes what became of a call.
func (u *Upstream) end(c *call, o outcome) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if _, under := u.calls[c]; !under {
		return
	}
	delete(u.calls, c)
	switch {
	case o.void:
	case o.slowdown():
		u.slowDown(c, o)
	case o.failed():
		u.fail(c, o)
	default:
		u.succeed(c)
	}
}

// sweep counts as failures the calls that are under way for too long.
func (u *Upstream) sweep() {
	now := u.o.Now()
	for c := range u.calls {
		if !c.counted && now.Sub(c.began) > u.patience && !u.run.success.After(c.began) {
			u.fail(c, outcome{reason: fmt.Sprintf("it does not answer within %s", u.patience)})
			c.counted = true
		}
	}
}

func (u *Upstream) fail(c *call, o outcome) {
	if c.counted {
		return
	}
	now := u.o.Now()
	u.run.fail(c.pass.who, now)
	switch {
	case u.rec.State == fulfillment.UpstreamPaused:
	case u.rec.State == fulfillment.UpstreamProbing:
		if u.prober == c.pass {
			u.tried(c.pass.who)
			u.pause(0, o)
		}
	case u.run.failures >= pauseAfter && len(u.run.who) >= fewest:
		u.pause(0, o)
	case u.rec.State == fulfillment.UpstreamOpen && u.run.failures >= noteAfter && now.Sub(u.run.began) >= noteSpan:
		u.change(fulfillment.UpstreamFailing, o)
	default:
		u.limit = (u.limit + 1) / 2
	}
}

func (u *Upstream) slowDown(c *call, o outcome) {
	asked := o.asked
	switch {
	case asked > 0:
		if !u.rec.State.Closed() || u.prober == c.pass || u.o.Now().Add(asked).After(u.until) {
			u.pause(asked, o)
		}
	case !u.rec.State.Closed() || u.prober == c.pass:
		u.pause(0, o)
	}
}

func (u *Upstream) succeed(c *call) {
	now := u.o.Now()
	took := now.Sub(c.began)
	u.run = run{success: now}
	u.patience = min(max(patience, 2*took, u.patience*9/10), mostPatient)
	switch u.rec.State {
	case fulfillment.UpstreamPaused:
		if u.rec.Asked && now.Before(u.until) {
			return // it was asked for, whoever still gets an answer
		}
		u.open()
	case fulfillment.UpstreamProbing:
		u.open()
	case fulfillment.UpstreamFailing:
		u.change(fulfillment.UpstreamOpen, outcome{})
	case fulfillment.UpstreamOpen:
	}
	if u.limit *= 2; u.limit >= rampDone {
		u.limit = 0
	}
	u.wake()
}

// tried notes that a request probed in vain: others go first.
func (u *Upstream) tried(who string) {
	u.rec.Tried = append(append([]string(nil), u.rec.Tried...), hashed(who))
	if n := len(u.rec.Tried); n > mostTried {
		u.rec.Tried = u.rec.Tried[n-mostTried:]
	}
}

// pause closes the upstream for as long as it asked, or for longer than the last
// time.
func (u *Upstream) pause(asked time.Duration, o outcome) {
	now := u.o.Now()
	switch {
	case u.rec.State == fulfillment.UpstreamPaused: // it is only made longer
	case u.rec.State.Closed(), !u.opened.IsZero() && now.Sub(u.opened) < flapping:
		u.rec.Pauses++
	default:
		u.rec.Pauses, u.rec.Tried, u.began = 1, nil, now
	}
	length := asked + askedMargin
	if asked == 0 {
		length = min(firstPause<<min(u.rec.Pauses-1, 10), lastPause)
	}
	u.rec.Asked, u.until, u.waiting = asked > 0, now.Add(length), 0
	u.mine, u.prober, u.limit = false, nil, 0
	u.change(fulfillment.UpstreamPaused, o)
}

// open lets calls through, first a few.
func (u *Upstream) open() {
	u.opened = u.o.Now()
	u.mine, u.prober, u.limit, u.waiting = false, nil, 1, 0
	u.change(fulfillment.UpstreamOpen, outcome{})
}

// change is a state that this process found out.
func (u *Upstream) change(state fulfillment.UpstreamState, o outcome) {
	now := u.o.Now().UTC()
	u.rec.State, u.rec.By, u.rec.Time = state, u.by, now
	switch state {
	case fulfillment.UpstreamOpen:
		u.rec.Since, u.rec.Reason, u.rec.Status = now, "", 0
	case fulfillment.UpstreamFailing:
		u.rec.Since, u.rec.Reason, u.rec.Status = now, o.String(), o.status
	case fulfillment.UpstreamPaused:
		u.rec.Since, u.rec.Reason, u.rec.Status = u.began.UTC(), o.String(), o.status
	case fulfillment.UpstreamProbing:
	}
	u.unshared = true
	u.wake()
	u.o.Changed(u.view())
}
