// Package crash is the proof of what Headrace promises about crashes: real
// processes die by kill -9 at every window and at random, sleep, lose their
// broker and their connections, and afterwards the books of both upstreams are
// looked at. It is nothing but tests; make crash runs the long form.
package crash

import (
	"context"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/headrace/headrace/pkg/vendorsim"
)

// modes are the vendors that are met.
func modes() []mode {
	return []mode{
		{name: "key", idempotency: vendorsim.IdempotencyKey},
		{name: "lookup", idempotency: vendorsim.IdempotencyNone, lookup: true},
		{name: "none", idempotency: vendorsim.IdempotencyNone},
	}
}

// ordered is the plan that the environment asks for: the short form where it
// says nothing.
//
//	CRASH_KILLS=500      so many processes are killed at random, with each vendor
//	CRASH_FOR=10m        and so long it goes on
//	CRASH_SEED=1         what is rolled (the machine still does as it likes)
//	CRASH_ACK_WAIT=30s   as in production; 3s to get more done
//	CRASH_MODES=key      with these vendors only
//	CRASH_OFF=head       with a protection switched off
//	CRASH_KEEP=dir       logs and streams stay
//	CRASH_DOCS=1         the figures are written to docs/reference/crash-safety.md
func ordered(t *testing.T) plan {
	t.Helper()
	p := plan{kills: 25, atMost: time.Minute, ackWait: 3 * time.Second, seed: rand.Uint64N(1e6), off: os.Getenv("CRASH_OFF")}
	number := func(name string, to *int) bool {
		text := os.Getenv(name)
		if text == "" {
			return false
		}
		n, err := strconv.Atoi(text)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		*to = n
		return true
	}
	length := func(name string, to *time.Duration) {
		if text := os.Getenv(name); text != "" {
			d, err := time.ParseDuration(text)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			*to = d
		}
	}
	seed := int(p.seed)
	number("CRASH_SEED", &seed)
	p.seed = uint64(seed)
	length("CRASH_FOR", &p.atLeast)
	length("CRASH_ACK_WAIT", &p.ackWait)
	if number("CRASH_KILLS", &p.kills) || p.atLeast > 0 {
		p.atMost = p.atLeast + time.Duration(p.kills)*10*time.Second
	}
	p.settle = 5*time.Minute + 4*p.ackWait
	return p
}

func TestCrash_ProcessesDie_NothingIsLostOrDoneTwice(t *testing.T) {
	p := ordered(t)
	wanted := os.Getenv("CRASH_MODES")
	var mu sync.Mutex
	var audits []*audit
	t.Run("with", func(t *testing.T) {
		for _, m := range modes() {
			if wanted != "" && !strings.Contains(","+wanted+",", ","+m.name+",") {
				continue
			}
			t.Run(m.name, func(t *testing.T) {
				t.Parallel()
				a := crashed(t, m, p)
				mu.Lock()
				defer mu.Unlock()
				audits = append(audits, a)
			})
		}
	})
	figures := report(p, audits)
	t.Log("\n" + figures)
	if os.Getenv("CRASH_DOCS") != "" && !t.Failed() {
		if err := publish(figures); err != nil {
			t.Error(err)
		}
	}
}

// crashed is one run, with all that was found told as failures.
func crashed(t *testing.T, m mode, p plan) *audit {
	t.Helper()
	t.Logf("seed %d, ack wait %s, at least %d random kills", p.seed, p.ackWait, p.kills)
	w := newWorld(t, m, p)
	a := w.run(func() *audit { return nil })
	for _, v := range a.found {
		t.Error(v)
	}
	for _, f := range w.faults {
		t.Error(f)
	}
	if left := w.untried(); len(left) > 0 {
		t.Logf("NOT TRIED: %v", left)
	}
	return a
}

// run does the harm, waits until all has ended, and looks at the books. It ends
// at once where watch has found something.
func (w *world) run(watch func() *audit) *audit {
	w.t.Helper()
	var found *audit
	c, err := w.client(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	defer c.Close()
	w.wg.Go(func() {
		for n := 0; pause(w.done, 50*time.Millisecond); n++ {
			if n%40 == 0 {
				w.release(w.t.Context(), c)
			}
			w.load.drive()
		}
	})
	began := time.Now()
	if w.chaos(func() bool { found = watch(); return found != nil }) {
		return found
	}
	w.load.close()
	calm := time.Now()
	defer func() {
		w.t.Logf("%s of chaos, %s until all had ended", calm.Sub(began).Round(time.Second), time.Since(calm).Round(time.Second))
	}()
	ctx, cancel := context.WithTimeout(w.t.Context(), w.plan.settle)
	defer cancel()
	var last *records
	w.within(w.plan.settle, func() bool {
		r, err := w.read(ctx)
		if err != nil {
			return false
		}
		last = r
		return w.settled(r) || !pause(w.done, 300*time.Millisecond)
	})
	if last == nil {
		w.t.Fatal("the streams could not be read")
	}
	return w.audit(last).effects().ends()
}
