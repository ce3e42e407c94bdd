package fetcher

import (
	"context"

	"github.com/headrace/headrace/pkg/connect"
	"github.com/headrace/headrace/pkg/episode"
	"github.com/headrace/headrace/pkg/fulfillment"
)

// begins reports whether the oldest of an asset's rows is its purchase: then most
// likely nothing is in the streams about the asset yet.
func begins(rows []connect.Row) bool { return rows[0].Type == string(fulfillment.Purchase) }

// unheard reports whether nothing is in the streams about any of the assets that
// begin: no head, no event of its purchase and no result. One question to each stream
// spares asking for each asset; the answer holds for as long as the head does that
// is expected as the asset is opened.
func (f *Fetcher) unheard(ctx context.Context, assets [][]connect.Row) (bool, error) {
	var heads, events, results []string
	for _, rows := range assets {
		if begins(rows) {
			key := keyOf(rows[0])
			heads = append(heads, fulfillment.HeadFilter(key.Asset))
			events = append(events, key.EventFilter())
			results = append(results, key.Subject(fulfillment.RootResults))
		}
	}
	if len(heads) == 0 {
		return false, nil
	}
	for _, of := range []struct {
		stream  string
		filters []string
	}{{fulfillment.StreamRequests, heads}, {fulfillment.StreamEvents, events}, {fulfillment.StreamResults, results}} {
		if none, err := f.Log.None(ctx, of.stream, of.filters); err != nil || !none {
			return false, err
		}
	}
	return true, nil
}

// first opens the oldest row of an asset that is new to the streams.
func (f *Fetcher) first(ctx context.Context, rows []connect.Row, t *tally) error {
	f.learn(f.assetHash(rows[0].AssetID), rows, look{})
	for _, later := range rows[1:] {
		t.count(later.Type, later.Created, fulfillment.StateQueued)
	}
	if err := f.open(ctx, rows[0], episode.Closing{}, episode.Head{}, t); err != nil {
		return err
	}
	t.count(rows[0].Type, rows[0].Created, fulfillment.StateQueued)
	return nil
}
