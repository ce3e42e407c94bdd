package crash

import (
	"net/http"
	"time"

	"github.com/headrace/headrace/pkg/simfault"
	"github.com/headrace/headrace/pkg/stream/streamtest"
	"github.com/headrace/headrace/pkg/vendorsim"
)

// chaos does harm until enough is done, or enough is known and all is over, beside
// the failpoints.
func (w *world) chaos(known func() bool) (over bool) {
	w.trouble()
	began := time.Now()
	lastBroker := began
	for {
		took := time.Since(began)
		if took > w.plan.atMost || took > w.plan.atLeast && w.book.kills() >= w.plan.kills && len(w.untried()) == 0 {
			break
		}
		if known() {
			return true
		}
		switch n := w.roll(100); {
		case n < 55:
			w.killOne()
		case n < 62:
			w.stopOne()
		case n < 68:
			if time.Since(lastBroker) > 5*time.Second {
				w.killBroker()
				lastBroker = time.Now()
			}
		default:
			w.spoil()
		}
		if !pause(w.done, time.Duration(50+w.roll(200))*time.Millisecond) {
			return false
		}
	}
	close(w.quiet)
	w.peace()
	return false
}

func (w *world) roll(n int) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.random.IntN(n)
}

// worker is one of the processes beside the broker.
func (w *world) worker() *slot { return w.slots[1+w.roll(len(w.slots)-1)] }

func (w *world) killOne() {
	w.within(time.Second, func() bool { return w.worker().kill(atRandom) })
}

func (w *world) stopOne() {
	w.within(time.Second, func() bool { return w.worker().stop() })
}

func (w *world) killBroker() {
	w.within(time.Second, func() bool { return w.broker.kill(brokerDies) })
}

// spoil harms one line for a while. Without keys and lookup the vendor's is
// left alone: a purchase whose answer is cut off must be held then, and what
// is counted here is that this happens to no other. With a lookup it does not
// stall: a call that was given up, and that the line delivers all the same when
// the next is under way, nobody can take back but a vendor with keys. Nor does
// the broker's where purchases are held: a worker that is cut off for longer
// than the ack wait leaves the outcome of its call behind, too.
func (w *world) spoil() {
	s := w.worker()
	which := []*streamtest.Proxy{s.lines.broker, s.lines.connect, s.lines.vendor}
	if w.mode.holds() {
		which = which[:2]
	}
	line, c := which[w.roll(len(which))], &crash{slot: s, at: time.Now(), requests: s.inFlight()}
	wait := w.plan.ackWait
	switch n := w.roll(10); {
	case n < 4:
		c.what = cut
		line.Cut()
	case n < 7:
		c.what = delayed
		d := time.Duration(20+w.roll(100)) * time.Millisecond
		w.during(wait, func(on bool) { line.Delay(map[bool]time.Duration{true: d}[on]) })
	case line == s.lines.vendor && w.mode.lookup, line == s.lines.broker && w.mode.holds():
		c.what = cut
		line.Cut()
	default:
		c.what = stalled
		w.during(wait+wait/4, line.Stall)
	}
	w.book.add(c)
}

// during does something to a line and undoes it after d.
func (w *world) during(d time.Duration, do func(on bool)) {
	do(true)
	w.wg.Go(func() {
		pause(w.done, d)
		do(false)
	})
}

// trouble has answers get lost after the effect, and takes the time that
// answers take.
func (w *world) trouble() {
	seldom := 0.01
	lost := simfault.Fault{Drop: simfault.DropAfter, Probability: &seldom}
	slow := simfault.Fault{Latency: connectLatency, Jitter: connectLatency}
	vendor := []simfault.Fault{{Drop: simfault.DropAfter, Probability: &seldom}}
	if w.mode.holds() {
		vendor = nil
		for _, method := range []string{http.MethodPut, http.MethodDelete, http.MethodGet} {
			vendor = append(vendor, simfault.Fault{Method: method, Drop: simfault.DropAfter, Probability: &seldom})
		}
	}
	if err := w.connect.Faults().Set([]simfault.Fault{lost, slow}); err != nil {
		w.t.Error(err)
	}
	if err := w.vendor.Faults().Set(vendor); err != nil {
		w.t.Error(err)
	}
}

func (w *world) peace() {
	_ = w.connect.Faults().Set(nil)
	_ = w.vendor.Faults().Set(nil)
}

// holds reports whether a purchase with an unknown outcome must be held.
func (m mode) holds() bool { return m.idempotency == vendorsim.IdempotencyNone && !m.lookup }
