package fetcher

import (
	"context"
	"iter"
	"time"

	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/stream"
)

// Follow yields the headers of a stream's messages that match one of the filters,
// from a sequence on, also of those that are still to come, until ctx ends.
type Follow func(ctx context.Context, name string, filters []string, from uint64) iter.Seq2[*stream.Stored, error]

// wakePause lets what happens together wake the fetcher once, and gives Connect
// a moment to move the requests that waited.
const wakePause = 500 * time.Millisecond

// Watch has the next poll come early when an event makes other requests due: a
// tier configuration that sales wait for, or an asset with more requests. The
// events are no source of truth: one that is missed costs a poll interval.
func (f *Fetcher) Watch(ctx context.Context) error {
	const pause = 5 * time.Second // the stream is made anew if somebody deleted it
	for {
		err := f.follow(ctx)
		if ctx.Err() != nil {
			return nil
		}
		f.Logger.WithError(err).Warn("events can't be followed just now: what they make due waits for the next poll")
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pause):
		}
	}
}

// follow wakes the fetcher until ctx ends or the events can't be read.
func (f *Fetcher) follow(ctx context.Context) error {
	last, err := f.Log.LastSequence(ctx, fulfillment.StreamEvents)
	if err != nil {
		return err
	}
	for m, err := range f.Follow(ctx, fulfillment.StreamEvents, closings(), last+1) {
		if err != nil {
			return err
		}
		key, _, err := fulfillment.ParseEventSubject(m.Subject)
		if err != nil || !key.Type.Tier() && !f.waits(key.Asset) {
			continue
		}
		select {
		case f.wake <- struct{}{}:
		default: // it is awake already
		}
	}
	return nil
}

// closings match the events that close an episode: the others make nothing due,
// and are many.
func closings() []string {
	var filters []string
	for _, fact := range fulfillment.Facts() {
		if fact.Closes {
			filters = append(filters, fulfillment.Key{}.Filter(fulfillment.RootEvents, string(fact.Event)))
		}
	}
	return filters
}

// waits reports whether more than one request of the asset was pending.
func (f *Fetcher) waits(asset string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.queues[f.assetHash(asset)]
}

// remember notes the assets of which requests wait for others.
func (f *Fetcher) remember(l *listing) {
	queues := map[uint64]bool{}
	for group := range l.assets() {
		if len(group) > 1 {
			queues[group[0].asset] = true
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.queues = queues
}
