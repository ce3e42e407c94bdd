package model

import (
	"context"
	"fmt"
	"runtime"
	"time"
)

// run is something under way: a delivery in a handler, a poll, an operator's
// command. It stops before each I/O, until it is told to go on; so only one
// goes on at a time, and which is next is for rapid to draw.
type run struct {
	name    string
	request string   // that it is about; "" is a poll
	msg     *message // that it has in hand; nil if none
	stale   bool     // from the beginning: superseded, or of a closed episode
	cancel  context.CancelCauseFunc

	at       string // the I/O that it stopped before
	resume   chan order
	stopped  chan struct{}
	dead     bool // its process was killed
	lost     bool // its message was given to another
	finished bool
	err      error
}

// order is how a run goes on.
type order struct {
	crash bool  // not at all: its process dies here
	fault fault // of the I/O
}

type runKey struct{}

// launch begins a run, and returns it before its first I/O.
func (w *world) launch(r *run, do func(context.Context) error) *run {
	ctx, cancel := context.WithCancelCause(context.WithValue(w.ctx, runKey{}, r))
	r.cancel, r.resume, r.stopped = cancel, make(chan order), make(chan struct{})
	w.runs = append(w.runs, r)
	go func() {
		defer func() {
			r.finished = true
			r.stopped <- struct{}{}
		}()
		err := do(ctx)
		stop(ctx, "end") // what was done is on disk, and not acknowledged
		r.err = err
		if r.msg != nil && err == nil && !r.lost {
			r.msg.acked = true
		}
	}()
	w.await(r)
	return r
}

// stop waits for the order to go on with what the run is about to do.
func stop(ctx context.Context, at string) fault {
	r, ok := ctx.Value(runKey{}).(*run)
	if !ok {
		return none // not of a run
	}
	if r.dead {
		runtime.Goexit() // another goroutine of a process that died
	}
	r.at = at
	r.stopped <- struct{}{}
	o := <-r.resume
	if o.crash {
		r.dead = true
		runtime.Goexit()
	}
	return o.fault
}

// step lets a run go on to its next I/O, or to its end.
func (w *world) step(r *run, o order) {
	if o.crash || o.fault != none {
		w.disturb(r)
		w.t.Logf("%s: %s %q", r.name, o, r.at)
	}
	r.resume <- o
	w.await(r)
}

func (w *world) await(r *run) {
	patience := time.NewTimer(5 * time.Minute)
	defer patience.Stop()
	select {
	case <-r.stopped:
	case <-patience.C:
		panic(fmt.Sprintf("%s hangs after %q", r.name, r.at))
	}
	if !r.finished {
		return
	}
	r.cancel(nil)
	if r.err != nil {
		w.t.Logf("%s: ends with: %v", r.name, r.err)
	}
	for i, other := range w.runs {
		if other == r {
			w.runs = append(w.runs[:i:i], w.runs[i+1:]...)
		}
	}
}

func (w *world) finish(r *run) {
	for !r.finished {
		w.step(r, order{})
	}
}

// abandon kills what is under way.
func (w *world) abandon() {
	for len(w.runs) > 0 {
		w.step(w.runs[0], order{crash: true})
	}
}

func (o order) String() string {
	if o.crash {
		return "killed before"
	}
	return o.fault.String() + " at"
}
