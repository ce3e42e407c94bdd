package fetcher

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/headrace/headrace/pkg/connect"
	"github.com/headrace/headrace/pkg/deadletter"
	"github.com/headrace/headrace/pkg/episode"
	"github.com/headrace/headrace/pkg/facts"
	"github.com/headrace/headrace/pkg/failpoint"
	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/stream"
)

// readable reports whether a row has what a subject is made of. All else is
// for the type's service to judge.
func readable(r connect.Row) bool {
	return r.Err == nil && r.ID != "" && r.AssetID != "" && r.ProductID != ""
}

func keyOf(r connect.Row) fulfillment.Key {
	return fulfillment.Key{
		Type: fulfillment.Type(r.Type), Product: r.ProductID, Asset: r.AssetID, Request: r.ID,
	}
}

// asset opens the oldest pending request of one asset, if it is due. The rows
// are in order.
func (f *Fetcher) asset(ctx context.Context, rows []connect.Row, horizon uint64, t *tally) (look, error) {
	head, err := episode.HeadOf(ctx, f.Log, rows[0].AssetID)
	if err != nil {
		return look{}, err
	}
	for i, row := range rows {
		closing, err := episode.ClosingOf(ctx, f.Log, keyOf(row))
		if err != nil {
			return look{}, err
		}
		if closing.Event == fulfillment.EventDiscarded {
			t.count(row.Type, row.Created, fulfillment.StateLeft) // a person's: it holds up no other
			continue
		}
		for _, later := range rows[i+1:] {
			t.count(later.Type, later.Created, fulfillment.StateQueued)
		}
		if closing.Sequence > horizon {
			t.count(row.Type, row.Created, fulfillment.StateQueued)
			return look{}, nil // the row may be older than that event: the next poll decides
		}
		l, err := f.oldest(ctx, row, closing, head, horizon, t)
		if err == nil {
			t.count(row.Type, row.Created, l.state)
		}
		l.left = i
		return l, err
	}
	return look{quiet: true, left: len(rows)}, nil
}

// oldest opens the row, or tells how the episode stands that is open.
// At is how the row's events stand.
func (f *Fetcher) oldest(
	ctx context.Context, row connect.Row, at episode.Closing, head episode.Head, horizon uint64, t *tally,
) (look, error) {
	queued := look{state: fulfillment.StateQueued}
	due, closing, err := f.due(ctx, row, at, head, horizon)
	if err != nil {
		return queued, err
	}
	if due && head.Sequence == 0 {
		decided, err := f.decided(ctx, keyOf(row))
		if err != nil {
			return queued, err
		}
		if decided != nil { // the requests were lost or are too old, what was decided was not
			return f.undone(ctx, row, decided)
		}
	}
	switch {
	case due:
		return queued, f.open(ctx, row, at, head, t)
	case head.Key.Request == row.ID:
		story := facts.Story{Key: head.Key, Episode: head.Episode, Replay: head.Replay > 0}
		about := func() facts.About { return facts.AboutBody(head.Key.Type, row.Raw) }
		if err := f.Facts.Opened(ctx, story, about, closing); err != nil {
			return queued, err
		}
		state, err := episode.StateBy(ctx, f.Log, head, closing)
		if err != nil {
			return queued, err
		}
		return f.pickUp(ctx, head, state)
	case head.Sequence != 0:
		// Another request has the asset. Should a person have finished it in
		// Connect, nobody else would notice.
		return queued, f.recheck(ctx, head)
	}
	return queued, nil
}

// due reports whether the row opens a new episode: its asset has no head, or
// the head's episode is closed by an event older than the listing. Where the
// event may be younger than the row, the next poll decides. What was approved
// or failed is final as a rule: a list may lag behind, so Connect is asked. It
// also returns how the events of the head's request stand. At is how those of the
// row do, read after the head.
func (f *Fetcher) due(
	ctx context.Context, row connect.Row, at episode.Closing, head episode.Head, horizon uint64,
) (due bool, closing episode.Closing, err error) {
	if head.Sequence == 0 {
		return true, episode.Closing{}, nil
	}
	if closing = at; head.Key != keyOf(row) {
		if closing, err = episode.ClosingOf(ctx, f.Log, head.Key); err != nil {
			return false, closing, err
		}
	}
	// Something told of a later episode than the head's: the head is not the last.
	if !closing.Covers(head.Episode) || closing.Open() > head.Episode || closing.Sequence > horizon {
		return false, closing, nil
	}
	reopens := closing.Event == fulfillment.EventInquiring || closing.Event == fulfillment.EventLeft
	if reopens || head.Key.Request != row.ID {
		return true, closing, nil
	}
	status, err := f.Status(ctx, head.Key)
	if err != nil || status != connect.StatusPending {
		return false, closing, err
	}
	f.Logger.WithFields(logrus.Fields{"request_id": row.ID, "request_type": row.Type, "asset_id": row.AssetID, "product_id": row.ProductID}).
		Warnf("request was %s and is pending in Connect again: it is processed afresh", closing.Event)
	return true, closing, nil
}

// open publishes the row as the asset's new head. At is how its events stand.
func (f *Fetcher) open(ctx context.Context, row connect.Row, at episode.Closing, head episode.Head, t *tally) error {
	key := keyOf(row)
	// The head that it follows makes the id unique, and the same for all
	// fetchers that see the same.
	id := fulfillment.StepID(row.ID, head.Sequence, "requested")
	opts := []stream.AppendOption{episode.Expect(row.AssetID, head.Sequence)}
	if head.Root == fulfillment.RootSchedules {
		// Its episode is closed. Fired, it would take the new head's place.
		opts = append(opts, stream.CancelSchedule(head.Key.Subject(fulfillment.RootSchedules)))
	}
	failpoint.Here(failpoint.Listed, row.ID)
	seq, err := f.Log.Append(ctx, stream.Message{
		Subject: key.Subject(fulfillment.RootRequests), ID: id, Body: row.Raw,
		Header: fulfillment.Envelope{
			ID: id, Kind: "requested", Schema: fulfillment.RequestSchema(key.Type), Key: key, Attempt: 1, Time: f.now(),
		}.Header(),
	}, opts...)
	if errors.Is(err, stream.ErrConflict) {
		return nil // another fetcher was first
	}
	if errors.Is(err, stream.ErrTooLarge) {
		row.Err = fmt.Errorf("its %d bytes are more than the broker takes", len(row.Raw))
		t.dead()
		return f.unreadable(ctx, row)
	}
	if err != nil {
		return fmt.Errorf("publish request %s: %w", row.ID, err)
	}
	failpoint.Here(failpoint.Requested, row.ID)
	t.published()
	f.Logger.WithFields(map[string]any{
		"request_id": row.ID, "request_type": row.Type, "asset_id": row.AssetID, "product_id": row.ProductID,
	}).Debug("request published")
	story := facts.Story{Key: key, Episode: seq, About: facts.AboutBody(key.Type, row.Raw), At: &at}
	if _, err := f.Facts.Tell(ctx, story); err != nil {
		return fmt.Errorf("tell that %s was received: %w", row.ID, err)
	}
	return nil
}

// unreadable puts a row that has not even an id or an asset where an operator
// finds it, once however often it is listed.
func (f *Fetcher) unreadable(ctx context.Context, row connect.Row) error {
	reason := reasonOf(row)
	return f.Dead.Write(ctx, fulfillment.Letter{
		RequestID: row.ID, AssetID: row.AssetID, ProductID: row.ProductID, Type: fulfillment.Type(row.Type),
		Stage: fulfillment.StageDecode, Attempts: 1, Reason: "a row of Connect's list can't be read: " + reason,
		Body: row.Raw, Digest: deadletter.Digest(identity(row, reason)),
	})
}

func reasonOf(row connect.Row) string {
	if row.Err != nil {
		return row.Err.Error()
	}
	return "the row has no id, no asset or no product"
}

// identity tells one unreadable row from another. One that has an id is the
// same row although its other fields move.
func identity(row connect.Row, reason string) []byte {
	if row.ID == "" {
		return row.Raw
	}
	return []byte(row.ID + "\n" + reason)
}

// tally counts what a poll sees, from several goroutines.
type tally struct {
	mu     sync.Mutex
	poll   Poll
	errs   []error
	states map[string]map[string]int
	oldest map[string]time.Time
}

func newTally() *tally {
	return &tally{states: map[string]map[string]int{}, oldest: map[string]time.Time{}}
}

func (t *tally) published() { t.mu.Lock(); defer t.mu.Unlock(); t.poll.Published++ }
func (t *tally) dead()      { t.mu.Lock(); defer t.mu.Unlock(); t.poll.Dead++ }

func (t *tally) fail(err error) {
	if err == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.errs = append(t.errs, err)
}

// err joins the first few: an outage need not be told a thousand times.
func (t *tally) err() error {
	const most = 3
	if len(t.errs) > most {
		return errors.Join(append(t.errs[:most:most], fmt.Errorf("and %d more", len(t.errs)-most))...)
	}
	return errors.Join(t.errs...)
}

func (t *tally) count(kind string, created time.Time, state fulfillment.State) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.states[kind] == nil {
		t.states[kind] = map[string]int{}
	}
	t.states[kind][string(state)]++
	if created.IsZero() {
		return
	}
	if old, seen := t.oldest[kind]; !seen || created.Before(old) {
		t.oldest[kind] = created
	}
}
