package fetcher

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/headrace/headrace/pkg/connect"
	"github.com/headrace/headrace/pkg/deadletter"
	"github.com/headrace/headrace/pkg/episode"
	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/stream"
)

// rechecks is how many dead letters a poll looks into whose requests are not
// listed. Those that Connect does not know stay, and must not hold up the next
// poll.
const rechecks = 200

// closeDead looks for requests that an operator was to look at and that a
// person has finished in Connect meanwhile. Those that are listed are pending.
func (f *Fetcher) closeDead(ctx context.Context, l *listing) error {
	err := f.unsettled.Update(ctx, f.Log)
	seen, over := map[string]bool{}, map[uint64]bool{}
	from, looked, more := f.turn, 0, false
	for _, d := range f.unsettled.Letters() {
		asset := d.Key.Asset
		if asset == "" || seen[asset] || d.Stage == fulfillment.StageDecode || l.has(f.assetHash(asset), f.keyHash(d.Key)) {
			continue // what nobody could read is an operator's, whatever it was about
		}
		if later := d.Sequence > from; !later || looked == f.looks || err != nil {
			more = more || later // the next poll goes on after the last
			f.carry(asset)
			continue
		}
		looked++
		f.turn = d.Sequence
		if seen[asset], err = f.closeLetter(ctx, d, over); err != nil {
			f.carry(asset)
		}
	}
	if !more {
		f.turn = 0
	}
	f.unsettled.Drop(func(d deadletter.Mark) bool { return over[d.Sequence] })
	return err
}

// closeLetter looks into the request of one letter, and reports whether that may
// still be open. What is history for good is put into over.
func (f *Fetcher) closeLetter(ctx context.Context, d deadletter.Mark, over map[uint64]bool) (bool, error) {
	closing, err := episode.ClosingOf(ctx, f.Log, d.Key)
	if err != nil {
		return false, err
	}
	if closing.Covers(d.Episode) {
		over[d.Sequence] = true
		return false, nil
	}
	head, err := episode.HeadOf(ctx, f.Log, d.Key.Asset)
	if err != nil {
		return false, err
	}
	if head.Key.Request != d.Key.Request || head.Episode != d.Episode {
		over[d.Sequence] = head.Episode > d.Episode // the asset has moved on
		return true, nil
	}
	return true, f.recheck(ctx, head)
}

// recheck closes the episode of a head whose request is not pending in Connect
// any more: it stores a result that has the committer name what Connect says.
// Where a service or the committer is about to do so itself, nothing is done, nor
// while a service may be in the middle of a call.
func (f *Fetcher) recheck(ctx context.Context, head episode.Head) error {
	if !head.Key.Type.Known() {
		return nil // no service would: an operator decides
	}
	key := head.Key
	// Read before what it goes by: what is decided meanwhile must refuse it.
	last, err := episode.LastSequence(ctx, f.Log, fulfillment.StreamResults, key.Subject(fulfillment.RootResults))
	if err != nil {
		return err
	}
	state, err := episode.StateOf(ctx, f.Log, head)
	if err != nil {
		return err
	}
	switch state {
	case fulfillment.StateQueued, fulfillment.StateDeciding, fulfillment.StateWaiting, fulfillment.StateHeld, fulfillment.StateDead:
	case fulfillment.StateCommitting:
		_, err := f.pickUp(ctx, head, state)
		return err
	case fulfillment.StateApproved, fulfillment.StateFailed, fulfillment.StateInquiring, fulfillment.StateLeft:
		return nil
	}
	status, err := f.Status(ctx, key)
	if err != nil {
		return fmt.Errorf("check status of %s: %w", key.Request, err)
	}
	if status == expected(head.Replay) || status == "" {
		return nil // what Connect does not know was finished by nobody
	}
	if busy, err := f.atWork(ctx, head, state); err != nil || busy {
		return err
	}
	return f.close(ctx, fulfillment.Result{
		RequestID: key.Request, AssetID: key.Asset, ProductID: key.Product, Type: key.Type,
		Episode: head.Episode, Attempt: head.Attempt, Replay: head.Replay,
	}, status, last)
}

// longestWork is how long a call to the vendor may take that was begun before
// the request was finished in Connect; what is tried later looks there first.
const longestWork = 2 * time.Minute

// atWork reports whether the service of a head whose request was finished in
// Connect may be in the middle of a call for it: closed, the next request of the
// asset would be carried out beside that.
func (f *Fetcher) atWork(ctx context.Context, head episode.Head, state fulfillment.State) (bool, error) {
	if state != fulfillment.StateQueued && state != fulfillment.StateDeciding {
		return false, nil
	}
	durable := stream.DurableOf(head.Key.Type)
	at, err := f.Consumer(ctx, durable)
	if errors.Is(err, stream.ErrNotFound) {
		return false, nil
	}
	if err != nil || at.Delivered < head.Sequence || at.AckFloor >= head.Sequence {
		return false, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.lasts(head.Key.Asset, "recheck/"+durable, head.Sequence) < longestWork, nil
}

// expected is the status in Connect with which there is something to do: what is
// to be carried out again is approved.
func expected(round int) string {
	if round > 0 {
		return connect.StatusApproved
	}
	return connect.StatusPending
}

// close has the committer name what Connect says of the request of r, in its
// episode, unless there is a result after the one of sequence last.
func (f *Fetcher) close(ctx context.Context, r fulfillment.Result, status string, last uint64) error {
	key := r.Key()
	_, err := episode.PutResult(ctx, f.Log, fulfillment.Result{
		RequestID: key.Request, AssetID: key.Asset, ProductID: key.Product, Type: key.Type,
		Episode: r.Episode, Attempt: r.Attempt, Replay: r.Replay, Decision: fulfillment.Recheck,
		Reason: "found " + status + " in Connect", Time: f.now().UTC(),
	}, "rechecked", last)
	if errors.Is(err, stream.ErrConflict) {
		return nil // somebody else decided just now
	}
	return err
}
