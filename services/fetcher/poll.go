package fetcher

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/headrace/headrace/pkg/connect"
	"github.com/headrace/headrace/pkg/fulfillment"
)

// Poll lists what is pending and opens the episodes that are due. It reads the
// whole list before it acts; an error of one request does not keep it from the
// others. What it costs the broker depends on what is new since the last poll, not
// on how much is pending.
func (f *Fetcher) Poll(ctx context.Context) (Poll, error) {
	f.polling.Lock()
	defer f.polling.Unlock()
	began := f.now()
	f.poll, f.at = f.poll+1, began
	// Before the listing: an event after this sequence may be younger than the row
	// it is compared with.
	horizon, err := f.news(ctx)
	if err != nil {
		return Poll{}, fmt.Errorf("poll: %w", err)
	}
	t := newTally()
	f.awaited(ctx, t)
	l, err := f.list(ctx, t)
	if err != nil {
		return Poll{}, fmt.Errorf("poll: %w", err)
	}
	f.remember(l)
	f.beginLost()
	f.each(ctx, t, f.jobs(ctx, l, horizon, t))
	f.prune()
	f.bad = l.bad
	f.Metrics.SetRequests(t.states)
	f.Metrics.SetOldest(t.oldest)
	t.fail(f.closeDead(ctx, l))
	t.poll.Listed, t.poll.Duration = len(l.sights)+len(l.bad), f.now().Sub(began)
	return t.poll, t.err()
}

// list reads both lists, tier configuration requests first: asset requests wait
// for them.
func (f *Fetcher) list(ctx context.Context, t *tally) (*listing, error) {
	l := newListing(f.room)
	q := connect.RequestQuery{Products: f.Products, Statuses: []string{connect.StatusPending}}
	if err := f.TierRequests(ctx, q, asTiers(func(rows []connect.Row, total int) error { return f.see(ctx, l, rows, total, t) })); err != nil {
		return nil, err
	}
	if err := f.Requests(ctx, q, func(rows []connect.Row, total int) error { return f.see(ctx, l, rows, total, t) }); err != nil {
		return nil, err
	}
	l.sort()
	return l, nil
}

// asTiers gives tier configuration requests the types that we have for them.
func asTiers(take connect.Take) connect.Take {
	return func(rows []connect.Row, total int) error {
		for i := range rows {
			rows[i].Type = string(fulfillment.TierType(rows[i].Type))
		}
		return take(rows, total)
	}
}

// see takes in a page.
func (f *Fetcher) see(ctx context.Context, l *listing, rows []connect.Row, total int, t *tally) error {
	l.grow(total)
	for _, row := range rows {
		if !readable(row) {
			f.seeBad(ctx, l, row, t)
			continue
		}
		s := f.sightOf(row)
		s.place = uint32(len(l.sights))
		l.sights = append(l.sights, s)
		if k, found := f.known[s.asset]; !found || k.rows != s.row || !f.rests(k) {
			l.keep(s, row)
		}
	}
	return ctx.Err()
}

// seeBad puts a row that can't be read where an operator finds it.
func (f *Fetcher) seeBad(ctx context.Context, l *listing, row connect.Row, t *tally) {
	id := f.rawHash(row)
	if l.bad[id] {
		return // pages overlap
	}
	t.dead()
	if !f.bad[id] {
		if err := f.unreadable(ctx, row); err != nil {
			t.fail(err)
			return
		}
	}
	l.bad[id] = true
}

// unfamiliar are the assets of which it is not known that nothing is to be done,
// tier configurations first, then whose request waits for longest.
func (f *Fetcher) unfamiliar(l *listing, t *tally) [][]sight {
	var open [][]sight
	for group := range l.assets() {
		if !f.familiar(group, t) {
			open = append(open, group)
		}
	}
	rank := func(g []sight) int {
		if f.tier(g[0]) {
			return 0
		}
		return 1
	}
	// What is of one age comes in the order of the lists: it is about the order of
	// the streams, of which the broker reads what lies together at once.
	slices.SortFunc(open, func(a, b []sight) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), byAge(a[0], b[0]), cmp.Compare(a[0].place, b[0].place))
	})
	return open
}

// jobs yields what is to be done about the assets that are not familiar.
func (f *Fetcher) jobs(ctx context.Context, l *listing, horizon uint64, t *tally) iter.Seq[func(context.Context) error] {
	open := f.unfamiliar(l, t)
	return func(yield func(func(context.Context) error) bool) {
		batches := map[bool][]string{}
		ask := func(tier bool) bool {
			assets := batches[tier]
			batches[tier] = nil
			return len(assets) == 0 || yield(func(ctx context.Context) error { return f.once(ctx, tier, assets, horizon, t) })
		}
		var pack [][]connect.Row
		asking := true // until the broker does not answer: each question may take long then
		judge := func() bool {
			all := pack
			pack = nil
			unheard := false
			if asking {
				var err error
				unheard, err = f.unheard(ctx, all)
				asking = err == nil // asset by asset it is asked again, and an error told
			}
			return !slices.ContainsFunc(all, func(rows []connect.Row) bool {
				isNew := unheard && begins(rows)
				return !yield(func(ctx context.Context) error { return f.judge(ctx, rows, isNew, horizon, t) })
			})
		}
		for _, group := range open {
			if rows, all := l.rows(group); all {
				for _, s := range group {
					delete(l.kept, s.row)
				}
				if pack = append(pack, rows); len(pack) == assetsAtOnce && !judge() {
					return
				}
				continue
			}
			tier := f.tier(group[0])
			if batches[tier] = append(batches[tier], l.name(group)); len(batches[tier]) == assetsAtOnce && !ask(tier) {
				return
			}
		}
		_ = judge() && ask(true) && ask(false)
	}
}

// assetsAtOnce is how many assets a list is asked for, whose ids stand in its
// address, and a stream.
const assetsAtOnce = 50

// once lists assets of which there was no room to keep all rows, and judges them.
func (f *Fetcher) once(ctx context.Context, tier bool, assets []string, horizon uint64, t *tally) error {
	groups := map[string]map[string]connect.Row{}
	take := func(rows []connect.Row, _ int) error {
		for _, row := range rows {
			if groups[row.AssetID] == nil {
				groups[row.AssetID] = map[string]connect.Row{}
			}
			if readable(row) { // the others are dealt with
				groups[row.AssetID][row.ID] = row
			}
		}
		return nil
	}
	walk := f.Requests
	if tier {
		walk, take = f.TierRequests, asTiers(take)
	}
	q := connect.RequestQuery{Products: f.Products, Statuses: []string{connect.StatusPending}, Assets: assets}
	if err := walk(ctx, q, take); err != nil {
		return err
	}
	for _, asset := range assets { // one that is not there any more waits for nothing
		rows := make([]connect.Row, 0, len(groups[asset]))
		for _, row := range groups[asset] {
			rows = append(rows, row)
		}
		if len(rows) == 0 {
			continue
		}
		slices.SortFunc(rows, inOrder)
		t.fail(f.judge(ctx, rows, false, horizon, t))
	}
	return nil
}

// judge does what is due about one asset, and learns where nothing is. Of one that
// is new nothing is in the streams.
func (f *Fetcher) judge(ctx context.Context, rows []connect.Row, isNew bool, horizon uint64, t *tally) error {
	if isNew {
		return f.first(ctx, rows, t)
	}
	l, err := f.asset(ctx, rows, horizon, t)
	if err != nil {
		l.quiet = false
	}
	f.learn(f.assetHash(rows[0].AssetID), rows, l)
	return err
}

// each does the jobs, some at a time. What has begun when ctx ends is finished,
// within the drain timeout.
func (f *Fetcher) each(ctx context.Context, t *tally, jobs iter.Seq[func(context.Context) error]) {
	work, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(f.Drain, cancel) })()
	var g errgroup.Group
	g.SetLimit(f.Concurrency)
	for job := range jobs {
		if ctx.Err() != nil {
			break
		}
		g.Go(func() error {
			t.fail(job(work))
			return nil
		})
	}
	_ = g.Wait() // its functions return nil: errors are in the tally
}
