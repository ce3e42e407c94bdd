// Package upstream keeps processes from calling an upstream (Connect, or one
// vendor endpoint with its credentials) that is down or asked to be left alone.
// Its outage is one fact, shared by all processes: after some failures in a row
// nobody calls it, then one call finds out whether it is back, and then the
// calls grow again. It makes no calls of its own, and reaches other processes
// only through a Share.
package upstream

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"sync"
	"time"

	"github.com/headrace/headrace/pkg/fulfillment"
)

// What makes an upstream pause, and for how long. The sum of patience, lastPause
// and the longest spread keeps the promise that what waited goes on within 30 s
// of a recovery.
const (
	// noteAfter and pauseAfter are failures in a row; those of one request alone
	// pause nothing, as it may be the request that is broken, and what is over
	// within noteSpan is not worth to be told.
	noteAfter  = 3
	noteSpan   = 2 * time.Second
	pauseAfter = 8
	fewest     = 2 // different requests

	firstPause = time.Second
	lastPause  = 10 * time.Second
	// flapping is how long an upstream must work after a pause for the next one
	// to begin at firstPause again.
	flapping = 30 * time.Second

	// patience is how long a call may take before it counts as a failure, if
	// nothing succeeded meanwhile. An upstream that was seen to take longer gets
	// twice of that.
	patience    = 10 * time.Second
	mostPatient = time.Minute
	// leaseMargin is added to patience for the lease of a probe: a prober that
	// dies closes the upstream no longer than that.
	leaseMargin = 2 * time.Second

	// cold is how many calls may be in flight before the first success, and
	// rampDone is how many end the ramp.
	cold     = 8
	rampDone = 64

	// roomWait is how long a call waits for room, if none hangs for longer than
	// lively.
	roomWait = 500 * time.Millisecond
	lively   = 500 * time.Millisecond

	// briefly is when to ask again for what may be free at any moment.
	briefly = 500 * time.Millisecond

	// askedMargin is added to what an upstream asked for: the calls that were under
	// way at that time ask for a moment more, which is not worth telling again.
	askedMargin = 250 * time.Millisecond

	// giveWay is how much later than others a request may probe that has probed
	// in vain, and mostTried how many of those are known.
	giveWay   = 3 * time.Second
	mostTried = 32

	leastSpread = 2 * time.Second
	mostSpread  = 8 * time.Second
	perWaiting  = 5 * time.Millisecond
)

// Options are what an Upstream is made of.
type Options struct {
	Identity
	// Share tells the other processes; nil is none.
	Share Share
	// Changed, which may be nil, is told of every change of state. It must not
	// call the Upstream.
	Changed func(v View)
	// Now is time.Now unless set.
	Now func() time.Time
}

// Upstream is what one process knows of an upstream. It is safe for concurrent
// use.
type Upstream struct {
	o  Options
	by string // this process

	mu    sync.Mutex // guards all below
	rec   fulfillment.Upstream
	seq   uint64    // of the stored record, 0: none
	until time.Time // when the pause, or the lease of the probe, ends by our clock
	// unshared says that rec is not stored yet, sharing that somebody is at it.
	unshared, sharing bool

	mine     bool  // the probe is this process's
	prober   *Pass // who makes it
	claiming bool

	opened   time.Time     // when it last opened after a pause; zero: never
	began    time.Time     // when the trouble began
	limit    int           // calls in flight while ramping; 0: no limit
	room     chan struct{} // closed when there may be some; nil: nobody waits
	passes   int
	slots    map[string]int // passes by service
	waiting  int            // how often a call was refused since the pause began
	run      run
	calls    map[*call]struct{}
	patience time.Duration
}

// run is what failed since the last success.
type run struct {
	failures int
	began    time.Time // the first failure
	who      map[string]struct{}
	success  time.Time // the last one
}

func (r *run) fail(who string, now time.Time) {
	if r.failures++; r.failures == 1 {
		r.began = now
	}
	if r.who == nil {
		r.who = map[string]struct{}{}
	}
	if len(r.who) < fewest {
		r.who[who] = struct{}{}
	}
}

// New returns an Upstream that is open.
func New(o Options) *Upstream {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Changed == nil {
		o.Changed = func(View) {}
	}
	by := make([]byte, 8)
	_, _ = rand.Read(by) // it never fails
	u := &Upstream{
		o: o, by: hex.EncodeToString(by), slots: map[string]int{}, calls: map[*call]struct{}{}, patience: patience, limit: cold,
	}
	u.rec = fulfillment.Upstream{State: fulfillment.UpstreamOpen, Since: o.Now()}
	return u
}

// Identity tells one upstream from another, and what people call it.
type Identity struct {
	Kind fulfillment.UpstreamKind
	Name string
	// Endpoint and Account, a name of the credentials and not their secret, are
	// what makes an upstream.
	Endpoint, Account string
	// Products that it serves; none is all.
	Products []string
}

// ID is the same in every process for the same kind, endpoint and account.
func (i Identity) ID() string {
	sum := sha256.Sum256([]byte(string(i.Kind) + "\x00" + i.Endpoint + "\x00" + i.Account))
	return hex.EncodeToString(sum[:8])
}

// View is how an Upstream stands.
type View struct {
	fulfillment.Upstream
	Until time.Time // of a pause or a probe
	Own   bool      // this process found it out
}

// View tells how u stands.
func (u *Upstream) View() View {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.view()
}

func (u *Upstream) view() View {
	rec := u.rec
	rec.ID, rec.Name, rec.Kind, rec.Products = u.o.ID(), u.o.Name, u.o.Kind, u.o.Products
	return View{Upstream: rec, Until: u.until, Own: u.rec.By == u.by}
}

func hashed(who string) string {
	sum := sha256.Sum256([]byte(who))
	return hex.EncodeToString(sum[:4])
}
