package replay

import (
	"context"
	"fmt"
	"slices"

	"github.com/headrace/headrace/pkg/episode"
	"github.com/headrace/headrace/pkg/fulfillment"
)

// Again plans to carry out at the vendor once more what was approved in the
// range, as when the vendor has lost data: subscription by subscription, each in
// Connect's order, each call under a key of its own, <request>/replay-<round>.
// A request is carried out once in a round: to run the plan again goes on where
// it was, and round says that it is to be done once more. Round 0 is the last
// that was begun of the subscription, at least 1.
//
// In time the range bounds when the vendor's part was done; its sequences are
// those of FULFILLMENT_REQUESTS, of the message that opened the episode.
func Again(ctx context.Context, s Source, r Range, round int) (*Plan, error) {
	all, err := history(ctx, s, r)
	if err != nil {
		return nil, err
	}
	p := &Plan{source: s}
	for _, group := range subscriptions(all, r.carriedOutWithin) {
		sub := &subscription{source: s, asset: group[0].key.Asset, round: roundOf(group, round)}
		if err := sub.plan(ctx, withOvertaken(group, all, sub.round)); err != nil {
			return nil, err
		}
		p.again = append(p.again, sub)
		for _, c := range sub.calls {
			p.Steps = append(p.Steps, c.step)
		}
	}
	return p, nil
}

// roundOf is the round of a subscription: the one asked for, else the last that
// was begun.
func roundOf(group []*past, asked int) int {
	if asked > 0 {
		return asked
	}
	last := 1
	for _, p := range group {
		n, _ := p.round()
		last = max(last, n)
	}
	return last
}

// withOvertaken adds what was carried out for the first time between two calls
// of this round: what is older came after it at the vendor, so that it must be
// carried out once more at the end.
func withOvertaken(group []*past, all map[fulfillment.Key]*past, round int) []*past {
	first, last := uint64(0), uint64(0)
	for _, p := range all {
		if at, begun := p.rounds[round]; begun && p.key.Asset == group[0].key.Asset {
			if first == 0 || at < first {
				first = at
			}
			last = max(last, at)
		}
	}
	between := subscriptions(all, func(p *past) bool {
		return p.key.Asset == group[0].key.Asset && p.approved > first && p.approved < last && !slices.Contains(group, p)
	})
	return append(group, slices.Concat(between...)...)
}

// subscription is what is carried out again of one asset.
type subscription struct {
	source Source
	asset  string
	round  int
	calls  []*call
}

// call is one step of a subscription.
type call struct {
	step Step
	past *past
	// under is the episode that was begun for it, 0: none was.
	under uint64
}

func (u *subscription) plan(ctx context.Context, group []*past) error {
	last, err := lastApproved(ctx, u.source, u.asset)
	if err != nil {
		return err
	}
	remade := slices.ContainsFunc(group, func(p *past) bool { return p.key.Type == fulfillment.Purchase })
	for _, p := range group {
		c := &call{past: p, step: stepOf(p.key, p.approved, p.messages[p.approved])}
		if err := u.would(ctx, c, last, remade); err != nil {
			return fmt.Errorf("plan replay of %s: %w", p.key.Request, err)
		}
		u.calls = append(u.calls, c)
	}
	return nil
}

// would says what becomes of a call. Last is the asset's last approved request;
// remade says that its purchase is among what is carried out again.
func (u *subscription) would(ctx context.Context, c *call, last fulfillment.Key, remade bool) error {
	_, ours := c.past.ours()
	cancelled := last.Type == fulfillment.Cancel
	switch {
	case c.past.key.Type.Tier():
		c.step = c.step.nothing("requests of tiers are not carried out again")
	case !ours:
		c.step = c.step.nothing("not a service of ours carried it out, but somebody in Connect")
	case c.step.Sequence == 0:
		c.step = c.step.nothing("its message is no longer kept")
	case cancelled && remade:
		c.step = c.step.nothing("left out, since the subscription is cancelled")
	case cancelled && c.past.key != last:
		c.step = c.step.nothing("left out, since %s cancelled the subscription", last.Request)
	default:
		return u.wouldCall(ctx, c)
	}
	return nil
}

func (u *subscription) wouldCall(ctx context.Context, c *call) error {
	n, at := c.past.round()
	if n < u.round {
		c.step.todo = true
		c.step.Would = fmt.Sprintf("round %d: %s; key %s", u.round, callOf(c.past.key.Type), fulfillment.ReplayID(c.past.key.Request, u.round))
		return nil
	}
	closing, err := episode.ClosingOf(ctx, u.source, c.past.key)
	if err != nil {
		return err
	}
	if closing.Covers(at) {
		c.step = c.step.nothing("%s in round %d; --round %d does it once more", closing.Word(), n, n+1)
		return nil
	}
	c.under, c.step.todo = at, true
	c.step.Would = fmt.Sprintf("round %d has begun and is waited for", n)
	return nil
}

// callOf names the call, as far as it can be told without the product's profile.
func callOf(t fulfillment.Type) string {
	switch t {
	case fulfillment.Purchase:
		return "the vendor creates the tenant"
	case fulfillment.Change:
		return "the vendor changes the tenant"
	case fulfillment.Cancel:
		return "the vendor deletes the tenant"
	case fulfillment.Suspend:
		return "the vendor suspends the tenant"
	case fulfillment.Resume:
		return "the vendor resumes the tenant"
	default:
		return "its service carries it out"
	}
}
