package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/headrace/headrace/pkg/broker"
	"github.com/headrace/headrace/pkg/config"
	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/stream"
)

// tail prints what there is and, if asked to, what comes.
func (p *Program) tail(cmd *cobra.Command, t *tailed) error {
	ctx := cmd.Context()
	cfg, err := p.settings(config.Need{Broker: true})
	if err != nil {
		return err
	}
	c, err := p.reach(ctx, cfg)
	if err != nil {
		return err
	}
	next, err := p.printLast(ctx, c, t)
	for t.follow && err == nil {
		next, err = p.follow(ctx, c, t, next)
		c.Close()
		if err == nil || !awayForNow(err) {
			break
		}
		c, err = p.again(ctx, cfg, err)
		if err == nil {
			next, err = place(ctx, c, next)
		}
	}
	if c != nil {
		c.Close()
	}
	if t.follow && ctx.Err() != nil {
		return nil // Ctrl-C is how it ends
	}
	return err
}

// printLast prints the last events that there are, and returns the sequence to
// go on from.
func (p *Program) printLast(ctx context.Context, c *stream.Client, t *tailed) (uint64, error) {
	first, err := uint64(1), error(nil)
	if !t.since.at.IsZero() {
		if first, err = c.SequenceAt(ctx, fulfillment.StreamEvents, t.since.at); err != nil {
			return 0, err
		}
	}
	if t.limit == 0 {
		return t.read(ctx, c, first, func(m *stream.Stored) error { return p.printEvent(t, m) })
	}
	end, err := c.LastSequence(ctx, fulfillment.StreamEvents)
	if err != nil {
		return 0, err
	}
	for look := uint64(firstLook); ; look *= 10 {
		from := first
		if end >= first+look {
			from = end - look + 1
		}
		var last []*stream.Stored
		next, err := t.read(ctx, c, from, func(m *stream.Stored) error {
			last = append(last[max(0, len(last)+1-t.limit):], m)
			return nil
		})
		if err != nil {
			return 0, err
		}
		if len(last) == t.limit || from == first {
			return next, p.printEvents(t, last)
		}
	}
}

// firstLook is how far back the last events are looked for at first: who asks
// for a few need not have all read that there are.
const firstLook = 1000

// read gives each event that there is from a sequence on to do, and returns the
// one to go on from.
func (t *tailed) read(ctx context.Context, c *stream.Client, from uint64, do func(*stream.Stored) error) (uint64, error) {
	next := from
	for m, err := range c.Read(ctx, fulfillment.StreamEvents, t.filter(), from) {
		if err != nil {
			return 0, err
		}
		if !t.until.at.IsZero() && !m.Time.Before(t.until.at) {
			break
		}
		if err := do(m); err != nil {
			return 0, err
		}
		next = m.Sequence + 1
	}
	return next, nil
}

func (p *Program) printEvents(t *tailed, all []*stream.Stored) error {
	for _, m := range all {
		if err := p.printEvent(t, m); err != nil {
			return err
		}
	}
	return nil
}

// follow prints what is stored from next on until ctx ends or the broker is
// lost, and returns the sequence to go on from.
func (p *Program) follow(ctx context.Context, c *stream.Client, t *tailed, next uint64) (uint64, error) {
	for m, err := range c.Follow(ctx, fulfillment.StreamEvents, t.filter(), next) {
		if err != nil {
			return next, err
		}
		if err := p.printEvent(t, m); err != nil {
			return next, err
		}
		next = m.Sequence + 1
	}
	return next, nil
}

// awayForNow tells a broker that may come back from what stays wrong.
func awayForNow(err error) bool {
	return errors.Is(err, stream.ErrUnreachable) || errors.Is(err, broker.ErrNotRunning) || errors.Is(err, stream.ErrCredentials) ||
		errors.Is(err, stream.ErrNoJetStream) || errors.Is(err, context.DeadlineExceeded)
}

// again looks for the broker until it is back. One of headrace up's own has
// another address and password with each start.
func (p *Program) again(ctx context.Context, cfg *config.Config, lost error) (*stream.Client, error) {
	p.errorf("headrace: %s; waiting for it\n", clean(lost.Error()))
	tick := time.NewTicker(retryEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-tick.C:
		}
		c, err := p.reach(ctx, cfg)
		if err == nil {
			p.errorf("headrace: the broker is back\n")
			return c, nil
		}
		if !awayForNow(err) {
			return nil, err
		}
	}
}

// place is where to go on in a stream that may have been made anew.
func place(ctx context.Context, c *stream.Client, next uint64) (uint64, error) {
	last, err := c.LastSequence(ctx, fulfillment.StreamEvents)
	if err != nil {
		return 0, fmt.Errorf("go on: %w", err)
	}
	if last+1 < next {
		return 1, nil
	}
	return next, nil
}
