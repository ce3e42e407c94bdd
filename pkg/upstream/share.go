package upstream

import (
	"context"
	"errors"
	"time"

	"github.com/headrace/headrace/pkg/fulfillment"
)

// Share keeps the last word on each upstream for all processes.
type Share interface {
	// Put stores a record in the place of the one at sequence replaces, 0 for
	// none, and returns its own. It fails with ErrTaken if another has been stored
	// since; any other error leaves the processes to themselves.
	Put(ctx context.Context, rec fulfillment.Upstream, replaces uint64) (sequence uint64, err error)
	// Last returns the last record of an upstream and its sequence, 0 if there is
	// none.
	Last(ctx context.Context, id string) (rec fulfillment.Upstream, sequence uint64, err error)
}

// ErrTaken is returned by Share.Put for a record that another process replaced.
var ErrTaken = errors.New("another process was faster")

// shareTimeout bounds what a call may wait for the broker: it is about to fail,
// or its upstream has just come back.
const shareTimeout = time.Second

// Tick counts calls that take too long, and tells the others what they do not
// know yet. It is to be called about once a second.
func (u *Upstream) Tick(ctx context.Context) {
	u.mu.Lock()
	u.sweep()
	u.mu.Unlock()
	u.share(ctx)
}

// share stores what this process has found out. Where another process was
// faster, whatever closes the upstream for longer stays.
func (u *Upstream) share(ctx context.Context) {
	for range 5 {
		u.mu.Lock()
		if !u.unshared || u.sharing || u.o.Share == nil {
			u.mu.Unlock()
			return
		}
		rec, seq := u.rec, u.seq
		rec.PauseMS = 0
		if rec.State.Closed() {
			rec.PauseMS = max(u.until.Sub(u.o.Now()), 0).Milliseconds()
		}
		u.sharing = true
		u.mu.Unlock()

		stored, err := u.put(ctx, rec, seq)
		if errors.Is(err, ErrTaken) {
			err = u.resync(ctx)
		} else if err == nil {
			u.stored(rec, stored)
		}
		u.mu.Lock()
		u.sharing = false
		u.mu.Unlock()
		if err != nil {
			return // the broker is away; the next Tick tries again
		}
	}
}

// stored notes that rec is at sequence. What changed meanwhile stays unshared.
func (u *Upstream) stored(rec fulfillment.Upstream, sequence uint64) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.seq > sequence {
		return // another process has replaced it already
	}
	u.seq = sequence
	if u.rec.By == u.by && u.rec.State == rec.State && u.rec.Time.Equal(rec.Time) {
		u.unshared = false
	}
}

// resync reads what another process has stored.
func (u *Upstream) resync(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), shareTimeout)
	defer cancel()
	rec, sequence, err := u.o.Share.Last(ctx, u.o.ID())
	if err != nil {
		return err
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if sequence < u.seq { // the stream was made anew
		u.seq, u.unshared = sequence, u.rec.State != fulfillment.UpstreamOpen
		return nil
	}
	u.adopt(rec, sequence, 0)
	return nil
}

func (u *Upstream) put(ctx context.Context, rec fulfillment.Upstream, replaces uint64) (uint64, error) {
	if u.o.Share == nil {
		return 0, errors.New("nobody to share with")
	}
	rec.ID, rec.Name, rec.Kind, rec.Products = u.o.ID(), u.o.Name, u.o.Kind, u.o.Products
	// The call's own end must not keep the others from knowing.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), shareTimeout)
	defer cancel()
	return u.o.Share.Put(ctx, rec, replaces)
}

// Adopt takes over what the record at sequence says. Age is how long ago it was
// stored, as far as that is known: the clocks of machines differ.
func (u *Upstream) Adopt(rec fulfillment.Upstream, sequence uint64, age time.Duration) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.adopt(rec, sequence, age)
}

func (u *Upstream) adopt(rec fulfillment.Upstream, sequence uint64, age time.Duration) {
	if sequence <= u.seq {
		return
	}
	u.seq = sequence
	if rec.By == u.by {
		return // our own
	}
	now := u.o.Now()
	until := now.Add(max(time.Duration(rec.PauseMS)*time.Millisecond-max(age, 0), 0))
	if u.unshared && u.keeps(rec.State, until) {
		return // it is told to the others next
	}
	u.unshared = false
	before := u.rec.State
	u.rec = rec
	u.mine, u.prober = false, nil
	switch {
	case rec.State.Closed():
		u.until, u.limit, u.began = until, 0, rec.Since
		if rec.State == fulfillment.UpstreamPaused {
			u.waiting = 0
		}
	case before.Closed():
		u.opened, u.limit, u.waiting = now, 1, 0
		u.run = run{}
	}
	u.wake()
	u.o.Changed(u.view())
}

// keeps reports whether what this process has found out, and could not tell,
// outweighs what another says.
func (u *Upstream) keeps(other fulfillment.UpstreamState, until time.Time) bool {
	if u.rec.State != fulfillment.UpstreamPaused {
		return false
	}
	switch other {
	case fulfillment.UpstreamPaused:
		return u.until.After(until)
	case fulfillment.UpstreamProbing:
		return u.rec.Asked
	case fulfillment.UpstreamOpen, fulfillment.UpstreamFailing:
	}
	return true
}
