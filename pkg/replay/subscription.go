package replay

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/headrace/headrace/pkg/episode"
	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/stream"
)

// parallel is how many subscriptions are carried out again at a time.
const parallel = 16

// runAgain carries out the subscriptions beside each other, and the calls of
// each one after the other.
func (p *Plan) runAgain(ctx context.Context, o Options) error {
	pace := newPacer(o.Rate)
	var g errgroup.Group
	g.SetLimit(parallel)
	for _, sub := range p.again {
		g.Go(func() error { return sub.run(ctx, o, pace) })
	}
	err := g.Wait()
	p.Steps = p.Steps[:0]
	for _, sub := range p.again {
		for _, c := range sub.calls {
			p.Steps = append(p.Steps, c.step)
		}
	}
	return err
}

// run carries out the calls in order, and then what overtook them.
func (u *subscription) run(ctx context.Context, o Options, pace *pacer) error {
	if !u.begins() {
		return nil
	}
	for from := 0; from < len(u.calls); {
		known := len(u.calls)
		if goesOn, err := u.runFrom(ctx, from, o, pace); err != nil || !goesOn {
			return err
		}
		if err := u.extend(ctx); err != nil {
			return err
		}
		from = known
	}
	return nil
}

// runFrom carries out the calls from i on, in order; the first that does not come
// to its end stops the rest, and false is returned.
func (u *subscription) runFrom(ctx context.Context, i int, o Options, pace *pacer) (bool, error) {
	for ; i < len(u.calls); i++ {
		c := u.calls[i]
		if !c.step.todo {
			c.step.Done = DoneNothing
			continue
		}
		if err := u.call(ctx, c, o, pace); err != nil {
			return false, err
		}
		if o.Told != nil {
			o.Told(c.step)
		}
		if c.step.Done != DoneReplayed && c.step.Done != DoneNothing {
			u.stop(i+1, c)
			return false, nil
		}
	}
	return true, nil
}

// begins reports whether there is anything to do, and marks what there is not.
func (u *subscription) begins() bool {
	todo := false
	for _, c := range u.calls {
		todo = todo || c.step.todo
	}
	for _, c := range u.calls {
		if !todo {
			c.step.Done = DoneNothing
		}
	}
	return todo
}

// stop leaves the calls from i on for later.
func (u *subscription) stop(i int, at *call) {
	for _, c := range u.calls[i:] {
		if !c.step.todo {
			c.step.Done = DoneNothing
			continue
		}
		c.step.Done, c.step.Reason = DoneLater, fmt.Sprintf("it comes after %s, which is %s", at.past.key.Request, at.step.Done)
	}
}

// extend adds what was carried out for the first time while the round was under
// way, between two of its calls.
func (u *subscription) extend(ctx context.Context) error {
	all, err := history(ctx, u.source, Range{Asset: u.asset})
	if err != nil {
		return err
	}
	group := make([]*past, 0, len(u.calls))
	for _, c := range u.calls {
		if p := all[c.past.key]; p != nil {
			group = append(group, p)
		}
	}
	if len(group) == 0 {
		return nil
	}
	return u.plan(ctx, withOvertaken(group, all, u.round)[len(group):])
}

// call does one step: it appends the request as the asset's new head, unless
// that was done before, and waits until its episode is closed or left to a
// person.
func (u *subscription) call(ctx context.Context, c *call, o Options, pace *pacer) error {
	if c.under == 0 {
		if err := pace.wait(ctx); err != nil {
			return err
		}
		if err := u.begin(ctx, c, o.By); err != nil || c.step.Done != "" {
			return err
		}
	}
	for !u.ended(ctx, c) {
		if pause(ctx); ctx.Err() != nil {
			c.step.Done, c.step.Reason = DoneSent, "under way; the same command waits for it"
			return ctx.Err()
		}
	}
	return nil
}

// begin appends the request, as soon as the asset is free. What fails is told in
// the step; an error is the context's.
func (u *subscription) begin(ctx context.Context, c *call, by string) error {
	for {
		err := u.tryBegin(ctx, c, by)
		switch {
		case ctx.Err() != nil && c.under == 0:
			return ctx.Err()
		case err != nil && !errors.Is(err, stream.ErrConflict) && !errors.Is(err, stream.ErrUnknownOutcome):
			c.step.Done, c.step.Reason = DoneFailed, err.Error()
		}
		if c.under != 0 || c.step.Done != "" {
			return nil
		}
		pause(ctx)
	}
}

// tryBegin looks at the asset once, and appends the request if it is free.
func (u *subscription) tryBegin(ctx context.Context, c *call, by string) error {
	head, err := episode.HeadOf(ctx, u.source, u.asset)
	if err != nil {
		return err
	}
	// After the head: what is begun later, another run of this command may do
	// that, moves it.
	if c.under, err = u.begun(ctx, c.past.key); err != nil || c.under != 0 {
		return err
	}
	free, err := u.free(ctx, c, head)
	if err != nil || !free || c.step.Done != "" {
		return err
	}
	c.under, err = u.open(ctx, c, head, by)
	return err
}

// begun is the episode in which the request was carried out again in this round
// or a later one, 0 if there is none.
func (u *subscription) begun(ctx context.Context, key fulfillment.Key) (uint64, error) {
	m, err := u.source.Last(ctx, fulfillment.StreamRequests, key.RequestFilter())
	if errors.Is(err, stream.ErrNotFound) || err == nil && fulfillment.Number(m.Header, fulfillment.HeaderReplay) < u.round {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return fulfillment.Episode(m.Header, m.Sequence), nil
}

// free reports whether the asset's head may be followed by a replay: its episode
// is closed, or its service has left it to a person, as it does with what comes
// for a tenant that the vendor has lost. That one is opened again by the fetcher
// afterwards. A purchase that is held may have made a tenant, and a result that
// is held must not be lost.
func (u *subscription) free(ctx context.Context, c *call, head episode.Head) (bool, error) {
	if head.Sequence == 0 {
		return true, nil
	}
	closing, err := episode.ClosingOf(ctx, u.source, head.Key)
	if err != nil {
		return false, err
	}
	if closing.Covers(head.Episode) {
		if head.Key.Type == fulfillment.Cancel && closing.Event == fulfillment.EventApproved && c.past.key != head.Key {
			c.step.Done, c.step.Reason = DoneNothing, fmt.Sprintf("%s has cancelled the subscription meanwhile", head.Key.Request)
		}
		return true, nil
	}
	state, err := episode.StateOf(ctx, u.source, head)
	if err != nil || state != fulfillment.StateHeld && state != fulfillment.StateDead {
		return false, err
	}
	decided, err := finalResult(ctx, u.source, head)
	if err != nil {
		return false, err
	}
	if !decided && state == fulfillment.StateHeld && head.Replay == 0 && head.Key.Type != fulfillment.Purchase {
		return true, nil
	}
	c.step.Done, c.step.Reason = DoneLater, fmt.Sprintf("%s of the same subscription is %s: settle that first", head.Key.Request, state)
	return false, nil
}

// open appends the request, as it was when it was carried out, as the new head
// of its asset, and returns its episode. It is not cut off by a stop.
func (u *subscription) open(ctx context.Context, c *call, head episode.Head, by string) (uint64, error) {
	const patience = 10 * time.Second
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	m, err := u.source.Get(ctx, fulfillment.StreamRequests, c.step.Sequence)
	if err != nil {
		return 0, fmt.Errorf("read request %s: %w", c.past.key.Request, err)
	}
	key, id := c.past.key, fulfillment.ReplayID(c.past.key.Request, u.round)
	h := fulfillment.Envelope{
		ID: id, Kind: "requested", Schema: fulfillment.RequestSchema(key.Type), Key: key, Attempt: 1, Time: time.Now(),
	}.Header()
	h[fulfillment.HeaderReplay] = fmt.Sprint(u.round)
	stamp(h, by, time.Now())
	opts := []stream.AppendOption{episode.Expect(u.asset, head.Sequence)}
	if head.Root == fulfillment.RootSchedules {
		// Its episode is closed. Fired, it would take the replay's place.
		opts = append(opts, stream.CancelSchedule(head.Key.Subject(fulfillment.RootSchedules)))
	}
	return u.source.Append(ctx, stream.Message{
		Subject: key.Subject(fulfillment.RootRequests), ID: id, Header: h, Body: m.Body,
	}, opts...)
}

// ended reports whether the call's episode is closed or left to a person, and
// says so in the step.
func (u *subscription) ended(ctx context.Context, c *call) bool {
	closing, err := episode.ClosingOf(ctx, u.source, c.past.key)
	if err == nil && closing.Covers(c.under) {
		c.step.Done, c.step.Reason = DoneReplayed, ""
		if closing.Event != fulfillment.EventReplayed {
			c.step.Done, c.step.Reason = DoneNothing, "it is "+closing.Word()
		}
		return true
	}
	var head episode.Head
	var state fulfillment.State
	if err == nil {
		head, err = episode.HeadOf(ctx, u.source, u.asset)
	}
	if err == nil {
		state, err = episode.StateOf(ctx, u.source, head)
	}
	switch {
	case ctx.Err() != nil:
		return false
	case err != nil:
		c.step.Done, c.step.Reason = DoneFailed, err.Error()
		return true
	case head.Episode == c.under && (state == fulfillment.StateHeld || state == fulfillment.StateDead):
		c.step.Done, c.step.Reason = string(state), u.reason(ctx, c.past.key)
		return true
	}
	return false
}

// reason is that of the request's last dead letter.
func (u *subscription) reason(ctx context.Context, key fulfillment.Key) string {
	l, sequence, err := lastLetter(ctx, u.source, key)
	if err != nil || l == nil {
		return ""
	}
	return fmt.Sprintf("dead letter %d: %s", sequence, l.Reason)
}
