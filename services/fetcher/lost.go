package fetcher

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/headrace/headrace/pkg/connect"
	"github.com/headrace/headrace/pkg/deadletter"
	"github.com/headrace/headrace/pkg/episode"
	"github.com/headrace/headrace/pkg/facts"
	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/stream"
)

// lost is what nobody seems to have: a message that was acknowledged although
// nothing says what became of it. What it became is stored before the
// acknowledgement, so that this can't happen unless a stream was lost or
// messages were deleted by hand.
type lost struct {
	floors map[string]uint64  // of durables, as of this poll
	now    map[string]suspect // by asset
	before map[string]suspect // of the poll before, or of the last that looked
}

type suspect struct {
	durable  string // of another stream, a sequence says something else
	sequence uint64
	since    time.Time
}

// lostAfter is how long something must have looked lost: a replica of the broker
// may lag behind in what it is asked.
const lostAfter = 5 * time.Second

func (f *Fetcher) beginLost() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.lost = lost{floors: f.lost.floors, now: map[string]suspect{}, before: f.lost.now}
}

// isLost reports whether a message of an asset was acknowledged by its durable
// and has looked so for a while. It is asked where nothing came of the message.
func (f *Fetcher) isLost(ctx context.Context, asset, durable string, sequence uint64) (bool, error) {
	if f.DryRun {
		return false, nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	floor, err := f.floor(ctx, durable)
	if err != nil || floor < sequence {
		return false, err
	}
	return f.lasts(asset, durable, sequence) >= lostAfter, nil
}

// floor is up to where a durable has acknowledged, as of this poll. One that
// can't be asked fails once in a poll, and counts then as one that has
// acknowledged nothing: what it has is not taken for lost, and no other durable's
// requests wait. It needs mu.
func (f *Fetcher) floor(ctx context.Context, durable string) (uint64, error) {
	if floor, known := f.lost.floors[durable]; known {
		return floor, nil
	}
	state, err := f.Consumer(ctx, durable)
	if errors.Is(err, stream.ErrNotFound) {
		err = nil // it has acknowledged nothing
	}
	if err != nil {
		state.AckFloor = 0
	}
	if f.lost.floors == nil {
		f.lost.floors = map[string]uint64{}
	}
	f.lost.floors[durable] = state.AckFloor
	return state.AckFloor, err
}

// awaited reads the floors of the durables for which what is known waits.
func (f *Fetcher) awaited(ctx context.Context, t *tally) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.lost.floors = map[string]uint64{}
	for durable := range f.awaits {
		if _, err := f.floor(ctx, f.words.say(durable)); err != nil {
			t.fail(err)
		}
	}
}

// lasts is for how long, in each poll that looked, something has been seen of an
// asset. It needs mu.
func (f *Fetcher) lasts(asset, durable string, sequence uint64) time.Duration {
	s, seen := f.lost.before[asset]
	if !seen || s.durable != durable || s.sequence != sequence {
		s = suspect{durable, sequence, f.now()}
	}
	f.lost.now[asset] = s
	return f.now().Sub(s.since)
}

// carry keeps for the next poll what has been seen of an asset that this one does
// not look at.
func (f *Fetcher) carry(asset string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	s, seen := f.lost.before[asset]
	if _, again := f.lost.now[asset]; seen && !again {
		f.lost.now[asset] = s
	}
}

// pickUp sends on what nobody has any more: a request that was acknowledged and
// has neither result nor letter, or a result without an event or a letter. It
// tells what must not happen while things are as they are.
func (f *Fetcher) pickUp(ctx context.Context, head episode.Head, state fulfillment.State) (look, error) {
	l := look{quiet: true, state: state, head: head.Sequence}
	switch state {
	case fulfillment.StateQueued, fulfillment.StateDeciding:
		l.durable, l.awaited = stream.DurableOf(head.Key.Type), head.Sequence
		gone, err := f.isLost(ctx, head.Key.Asset, l.durable, l.awaited)
		if err != nil || !gone {
			return l, err
		}
		return l, f.sendAgain(ctx, head)
	case fulfillment.StateCommitting:
		decided, err := f.decided(ctx, head.Key)
		if err != nil || decided == nil {
			return look{state: state}, err
		}
		l.durable, l.awaited = stream.DurableCommitter, decided.sequence
		return l, f.commitAgain(ctx, decided)
	case fulfillment.StateHeld, fulfillment.StateDead:
		_, err := f.discardAgain(ctx, head)
		return l, err
	case fulfillment.StateWaiting:
		return l, nil
	case fulfillment.StateApproved, fulfillment.StateFailed, fulfillment.StateInquiring, fulfillment.StateLeft:
	}
	return look{state: state}, nil // the next poll sees more
}

// sendAgain makes a retry of the head: its service decides afresh. What an
// operator has discarded stays so.
func (f *Fetcher) sendAgain(ctx context.Context, head episode.Head) error {
	key := head.Key
	entry := f.Logger.WithFields(map[string]any{
		"request_id": key.Request, "request_type": key.Type, "asset_id": key.Asset, "product_id": key.Product,
	})
	restored, err := f.discardAgain(ctx, head)
	if err != nil || restored {
		return err
	}
	id := fulfillment.StepID(key.Request, head.Episode, fmt.Sprintf("again-%d", head.Sequence))
	header := fulfillment.Envelope{
		ID: id, Kind: "requested", Schema: fulfillment.RequestSchema(key.Type), Key: key,
		Episode: head.Episode, Attempt: head.Attempt + 1, Time: f.now(),
	}.Header()
	for name, value := range head.Stored.Header { // what others added stays
		if _, ours := header[name]; !ours {
			header[name] = value
		}
	}
	_, err = f.Log.Append(ctx, stream.Message{
		Subject: key.Subject(fulfillment.RootRetries), ID: id, Header: header, Body: head.Stored.Body,
	}, episode.Expect(key.Asset, head.Sequence))
	if errors.Is(err, stream.ErrConflict) {
		return nil // somebody has it after all
	}
	if err != nil {
		return fmt.Errorf("send %s again: %w", key.Request, err)
	}
	entry.Warn("nothing says what became of the request, though its service was done with it: results or dead letters were deleted; it is sent to its service again")
	return nil
}

// discardAgain publishes the event of a discard that is known from the audit
// trail alone, and reports whether there was one.
func (f *Fetcher) discardAgain(ctx context.Context, head episode.Head) (bool, error) {
	body, ok, err := deadletter.DiscardOf(ctx, f.Log, head)
	if err != nil || !ok {
		return false, err
	}
	told, err := f.Facts.Tell(ctx, facts.Story{
		Key: head.Key, Episode: head.Episode, Replay: head.Replay > 0, Events: []fulfillment.Event{body.Event},
		Status: body.Status, Reason: body.Reason, Plain: true, About: facts.AboutBody(head.Key.Type, head.Stored.Body), Time: body.Time,
	})
	if err != nil && !errors.Is(err, stream.ErrConflict) {
		return false, err
	}
	if !told {
		return true, nil
	}
	f.Logger.WithField("request_id", head.Key.Request).Warn("the event of a discarded request was deleted; it is published again")
	return true, nil
}

// decision is a final result for which there is no closing event.
type decision struct {
	fulfillment.Result
	sequence uint64
}

// decided returns the last result of a request if it waits for an event, else
// nil.
func (f *Fetcher) decided(ctx context.Context, key fulfillment.Key) (*decision, error) {
	m, err := f.Log.Last(ctx, fulfillment.StreamResults, key.Subject(fulfillment.RootResults))
	if errors.Is(err, stream.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read last result of %s: %w", key.Request, err)
	}
	d := &decision{sequence: m.Sequence}
	if json.Unmarshal(m.Body, &d.Result) != nil || d.Key() != key || !d.Decision.Final() {
		return nil, nil // scribbled by somebody else, or not the end
	}
	closing, err := episode.ClosingOf(ctx, f.Log, key)
	if err != nil || closing.Covers(d.Episode) {
		return nil, err
	}
	return d, nil
}

// undone goes on with a decision whose request has no message any more. One that
// is held gets its place in the stream back, by which an operator can redrive or
// discard it; its service has nothing to do with it.
func (f *Fetcher) undone(ctx context.Context, row connect.Row, d *decision) (look, error) {
	held, err := f.Dead.Has(ctx, d.Key(), fulfillment.StreamResults, d.sequence)
	if err != nil {
		return look{}, err
	}
	if !held {
		return look{state: fulfillment.StateCommitting}, f.commitAgain(ctx, d)
	}
	l, key := look{state: fulfillment.StateHeld}, d.Key()
	id := fulfillment.StepID(key.Request, d.Episode, fmt.Sprintf("held-%d", d.sequence))
	header := fulfillment.Envelope{
		ID: id, Kind: "requested", Schema: fulfillment.RequestSchema(key.Type), Key: key,
		Episode: d.Episode, Attempt: d.Attempt, Time: f.now(),
	}.Header()
	if d.Replay > 0 {
		header[fulfillment.HeaderReplay] = strconv.Itoa(d.Replay)
	}
	_, err = f.Log.Append(ctx, stream.Message{
		Subject: key.Subject(fulfillment.RootRetries), ID: id, Header: header, Body: row.Raw,
	}, episode.Expect(key.Asset, 0))
	if err != nil && !errors.Is(err, stream.ErrConflict) {
		return l, fmt.Errorf("keep %s: %w", key.Request, err)
	}
	return l, nil
}

// commitAgain gives the committer a result again that it was done with although
// no event says so. What is not pending any more, and what had asked the
// customer, who has answered since, is only to be closed.
func (f *Fetcher) commitAgain(ctx context.Context, d *decision) error {
	gone, err := f.isLost(ctx, d.AssetID, stream.DurableCommitter, d.sequence)
	if err != nil || !gone {
		return err
	}
	key := d.Key()
	status, err := f.Status(ctx, key)
	if err != nil {
		return fmt.Errorf("check status of %s: %w", key.Request, err)
	}
	if status == "" {
		return nil
	}
	f.Logger.WithFields(map[string]any{"request_id": key.Request, "asset_id": key.Asset, "status": status}).
		Warn("a result was committed and there is no event of it: events or dead letters were deleted; it is committed again")
	if status != expected(d.Replay) || d.Decision == fulfillment.Inquire || d.Decision == fulfillment.Recheck {
		return f.close(ctx, d.Result, status, d.sequence)
	}
	d.Time = f.now().UTC()
	_, err = episode.PutResult(ctx, f.Log, d.Result, fmt.Sprintf("again-%d", d.sequence), d.sequence)
	if errors.Is(err, stream.ErrConflict) {
		return nil
	}
	return err
}
