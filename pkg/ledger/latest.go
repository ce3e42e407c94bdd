package ledger

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/headrace/headrace/pkg/fulfillment"
)

// How far back latest looks at first, in messages of each stream, and up to how
// many requests it asks for one by one: beyond that it is cheaper to read all.
const (
	firstLook  = 200
	mostLooked = 2000
)

// latest is listAll for who wants a few: it looks at the ends of the streams, and
// further back until it has enough. It reports whether it has.
func latest(ctx context.Context, r Reader, f Filter, limit int) ([]Entry, bool, error) {
	waits, err := readWaits(ctx, r)
	if err != nil {
		return nil, false, err
	}
	if f.State == fulfillment.StateHeld || f.State == fulfillment.StateDead {
		entries, err := lettered(ctx, r, f, limit, waits)
		return entries, true, err
	}
	known := map[fulfillment.Key]Entry{}
	for back := uint64(max(firstLook, 4*limit)); ; back *= 4 {
		keys, since, err := ends(ctx, r, back)
		if err != nil || len(keys) > mostLooked {
			return nil, false, err
		}
		found := []Entry{}
		for key, at := range keys {
			if at.Before(since) {
				continue // what changed before may have been overtaken by what was not looked at
			}
			e, seen := known[key]
			if !seen {
				if e, err = one(ctx, r, key); err != nil {
					return nil, false, err
				}
				waits.explain(&e)
				known[key] = e
			}
			if f.takes(e) && !e.Updated.Before(since) {
				found = append(found, e)
			}
		}
		if len(found) >= limit || since.IsZero() {
			slices.SortFunc(found, lastFirst)
			return found[:min(limit, len(found))], true, nil
		}
		if !f.Since.IsZero() && since.Before(f.Since) {
			slices.SortFunc(found, lastFirst)
			return found, true, nil
		}
	}
}

// lettered is latest for who looks for what waits for an operator: each has a dead
// letter, and what was held last has the last.
func lettered(ctx context.Context, r Reader, f Filter, limit int, waits waits) ([]Entry, error) {
	var keys []fulfillment.Key
	for m, err := range r.ReadHeaders(ctx, fulfillment.StreamDead, "", 1) {
		if err != nil {
			return nil, fmt.Errorf("read ledger: %w", err)
		}
		if key, ok := fulfillment.ParseDeadSubject(m.Subject); ok && key.Asset != "" && key.Request != "" {
			keys = append(keys, key)
		}
	}
	found, seen := []Entry{}, map[fulfillment.Key]bool{}
	for _, key := range slices.Backward(keys) {
		if seen[key] || f.Type != "" && f.Type != key.Type || f.Product != "" && f.Product != key.Product {
			continue
		}
		seen[key] = true
		e, err := one(ctx, r, key)
		if err != nil {
			return nil, err
		}
		if waits.explain(&e); f.takes(e) {
			found = append(found, e)
		}
		if len(found) == limit || !f.Since.IsZero() && e.Updated.Before(f.Since) && e.State == f.State {
			break
		}
	}
	slices.SortFunc(found, lastFirst)
	return found, nil
}

// one is the entry of one request.
func one(ctx context.Context, r Reader, key fulfillment.Key) (Entry, error) {
	b := &book{key: key, brief: true}
	err := read(ctx, r, key, func(fulfillment.Key) *book { return b })
	return b.entry(), err
}

// ends are the requests that the last messages of the streams are about, with when
// the last came, and the time since when they are all of which there is a message;
// zero if that is always.
func ends(ctx context.Context, r Reader, back uint64) (map[fulfillment.Key]time.Time, time.Time, error) {
	keys, since := map[fulfillment.Key]time.Time{}, time.Time{}
	for _, name := range []string{
		fulfillment.StreamRequests, fulfillment.StreamResults, fulfillment.StreamDead, fulfillment.StreamEvents,
	} {
		last, err := r.LastSequence(ctx, name)
		if err != nil {
			return nil, since, fmt.Errorf("read ledger: %w", err)
		}
		from := uint64(1)
		if last > back {
			from = last - back + 1
		}
		for m, err := range r.Read(ctx, name, "", from) {
			if err != nil {
				return nil, since, fmt.Errorf("read ledger: %w", err)
			}
			if from > 1 && m.Time.After(since) {
				since = m.Time
			}
			from = 1 // the first message tells
			if key, ok := keyOf(m); ok && key.Asset != "" && key.Request != "" && m.Time.After(keys[key]) {
				keys[key] = m.Time
			}
		}
	}
	return keys, since, nil
}
