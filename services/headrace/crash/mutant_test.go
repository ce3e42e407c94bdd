package crash

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/headrace/headrace/pkg/failpoint"
	"github.com/headrace/headrace/pkg/vendorsim"
)

// mutant is a Headrace with a protection switched off, and the vendor with which
// that is to be seen.
type mutant struct {
	off   failpoint.Mutant
	mode  mode
	focus string // the failpoint that shows it best
	short bool   // caught so soon that it is part of the short form
	// shielded is by what else, where the harness sees no difference.
	shielded string
}

func mutants() []mutant {
	key, none := modes()[0], mode{name: "none", idempotency: vendorsim.IdempotencyNone}
	return []mutant{
		{off: failpoint.NoIntent, mode: none, short: true},
		{off: failpoint.NoKey, mode: key, short: true},
		{off: failpoint.NoEvent, mode: key},
		{off: failpoint.NoHead, mode: none, focus: "listed=stop"},
		{off: failpoint.NoLease, mode: none, focus: "delivered=stop"},
		{off: failpoint.NoClaim, mode: none, focus: "result-published=kill", shielded: "the look at Connect when a message comes again, most of the time"},
		{off: failpoint.NoFence, mode: none, focus: "call-answered=stop", shielded: "the lease, which ends before another has the message, and what was begun under it with it"},
		{off: failpoint.NoRead, mode: key, focus: "approved=kill", shielded: "Connect, which refuses what was done already, whereupon the request is read"},
		{off: failpoint.EarlyAck, mode: key, focus: "delivered=kill"},
		// A service looks for the letter, too, when a message comes again.
		{off: failpoint.NoLetters + "," + failpoint.NoClaim, mode: key, focus: "dead-written=kill"},
	}
}

// A harness that finds nothing proves nothing unless it finds what is there.
// CRASH_MUTANTS=all tries all of them, and names those that it does not tell
// from Headrace; else the names of some, with commas.
func TestMutants_ProtectionOff_IsCaught(t *testing.T) {
	wanted := os.Getenv("CRASH_MUTANTS")
	for _, m := range mutants() {
		if wanted == "" && !m.short || wanted != "" && wanted != "all" && !strings.Contains(","+wanted+",", ","+string(m.off)+",") {
			continue
		}
		t.Run(string(m.off), func(t *testing.T) {
			t.Parallel()
			p := ordered(t)
			p.off, p.focus, p.kills, p.atMost, p.settle = string(m.off), m.focus, 1_000_000, 80*time.Second, 30*time.Second
			if m.shielded == "" { // it ends when it is caught, and a busy machine is given the time
				p.atMost = 5 * time.Minute
			}
			w := newWorld(t, m.mode, p)
			began := time.Now()
			a := w.run(w.seesHarm())
			switch {
			case len(a.found) > 0:
				t.Logf("CAUGHT %s with vendor %s after %s and %d harms: %s",
					m.off, m.mode.name, time.Since(began).Round(time.Second), len(w.book.all()), a.found[0])
			case m.shielded == "":
				t.Errorf("NOT CAUGHT: %s with vendor %s, in %d harms", m.off, m.mode.name, len(w.book.all()))
			default:
				t.Logf("NOT CAUGHT, shielded by %s: %s with vendor %s, in %d harms", m.shielded, m.off, m.mode.name, len(w.book.all()))
			}
		})
	}
}

// seesHarm looks now and then whether something has happened that may never,
// and returns the books then.
func (w *world) seesHarm() func() *audit {
	next := time.Now()
	return func() *audit {
		if time.Now().Before(next) {
			return nil
		}
		next = time.Now().Add(2 * time.Second)
		ctx, cancel := context.WithTimeout(w.t.Context(), 2*time.Second)
		defer cancel()
		r, err := w.read(ctx)
		if err != nil {
			return nil // the broker was killed just now
		}
		if a := w.audit(r).effects().twice(); len(a.found) > 0 {
			return a
		}
		return nil
	}
}
