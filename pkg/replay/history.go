package replay

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/stream"
)

// past is what the streams say of one request.
type past struct {
	key fulfillment.Key
	// approved is the episode in which it was approved last, 0: it never was;
	// told is when that was said.
	approved uint64
	told     time.Time
	// decided is when our own decision to approve was made, by episode.
	decided map[uint64]time.Time
	// messages are the sequences of the last message of each episode.
	messages map[uint64]uint64
	// rounds are the episodes in which it was carried out again, by round.
	rounds map[int]uint64
}

// ours reports whether a service of ours carried the request out, and when.
func (p *past) ours() (time.Time, bool) {
	at, ours := p.decided[p.approved]
	return at, ours
}

// round returns the last round in which the request was carried out again, and
// its episode; 0 if there was none.
func (p *past) round() (n int, at uint64) {
	for round, episode := range p.rounds {
		if round > n {
			n, at = round, episode
		}
	}
	return n, at
}

// history reads what the streams say of the requests that r's type, product,
// asset and request select; its other bounds don't count.
func history(ctx context.Context, s Source, r Range) (map[fulfillment.Key]*past, error) {
	all := map[fulfillment.Key]*past{}
	of := func(key fulfillment.Key) *past {
		if all[key] == nil {
			all[key] = &past{
				key: key, decided: map[uint64]time.Time{}, messages: map[uint64]uint64{}, rounds: map[int]uint64{},
			}
		}
		return all[key]
	}
	for _, from := range []struct {
		stream, filter string
		enter          func(*stream.Stored)
	}{
		{fulfillment.StreamRequests, r.filter("fulfillment.*"), func(m *stream.Stored) { enterRequest(of, m) }},
		{fulfillment.StreamResults, r.filter(fulfillment.RootResults), func(m *stream.Stored) { enterResult(of, m) }},
		{fulfillment.StreamEvents, r.filter(fulfillment.RootEvents, string(fulfillment.EventApproved)), func(m *stream.Stored) { enterEvent(of, m) }},
	} {
		for m, err := range s.Read(ctx, from.stream, from.filter, 1) {
			if err != nil {
				return nil, fmt.Errorf("plan replay: %w", err)
			}
			from.enter(m)
		}
	}
	return all, nil
}

func enterRequest(of func(fulfillment.Key) *past, m *stream.Stored) {
	_, key, err := fulfillment.ParseSubject(m.Subject)
	if err != nil {
		return
	}
	p, at := of(key), fulfillment.Episode(m.Header, m.Sequence)
	if round := fulfillment.Number(m.Header, fulfillment.HeaderReplay); round > 0 {
		p.rounds[round] = at
		return
	}
	p.messages[at] = m.Sequence
}

func enterResult(of func(fulfillment.Key) *past, m *stream.Stored) {
	var r fulfillment.Result
	if json.Unmarshal(m.Body, &r) != nil || r.Decision != fulfillment.Approve || r.Replay > 0 {
		return
	}
	p := of(r.Key())
	if _, known := p.decided[r.Episode]; !known { // what is replayed is as old as it was
		p.decided[r.Episode] = r.Time
	}
}

func enterEvent(of func(fulfillment.Key) *past, m *stream.Stored) {
	var e fulfillment.EventBody
	key, _, err := fulfillment.ParseEventSubject(m.Subject)
	if err != nil || json.Unmarshal(m.Body, &e) != nil {
		return
	}
	p := of(key)
	p.approved, p.told = e.Episode, m.Time
}

// subscriptions are the approved requests that pick takes, by asset, each in the
// order in which they were carried out, the first asset first.
func subscriptions(all map[fulfillment.Key]*past, pick func(*past) bool) [][]*past {
	byAsset := map[string][]*past{}
	for _, p := range all {
		if p.approved != 0 && pick(p) {
			byAsset[p.key.Asset] = append(byAsset[p.key.Asset], p)
		}
	}
	groups := make([][]*past, 0, len(byAsset))
	for _, g := range byAsset {
		slices.SortFunc(g, func(a, b *past) int { return cmp.Compare(a.approved, b.approved) })
		groups = append(groups, g)
	}
	slices.SortFunc(groups, func(a, b []*past) int { return cmp.Compare(a[0].approved, b[0].approved) })
	return groups
}

// carriedOutWithin reports whether the request was carried out within the range:
// in time by when the vendor's part was done.
func (r Range) carriedOutWithin(p *past) bool {
	at, ours := p.ours()
	if !ours {
		at = p.told
	}
	return p.approved >= r.From && (r.To == 0 || p.approved <= r.To) &&
		(r.Since.IsZero() || !at.Before(r.Since)) && (r.Until.IsZero() || at.Before(r.Until))
}

// lastApproved is the key of the asset's last approved request.
func lastApproved(ctx context.Context, s Source, asset string) (fulfillment.Key, error) {
	filter := Range{Asset: asset}.filter(fulfillment.RootEvents, string(fulfillment.EventApproved))
	m, err := s.Last(ctx, fulfillment.StreamEvents, filter)
	if errors.Is(err, stream.ErrNotFound) {
		return fulfillment.Key{}, nil
	}
	if err != nil {
		return fulfillment.Key{}, fmt.Errorf("read last approval of %s: %w", asset, err)
	}
	key, _, err := fulfillment.ParseEventSubject(m.Subject)
	return key, err
}
