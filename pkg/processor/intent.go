package processor

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/headrace/headrace/pkg/episode"
	"github.com/headrace/headrace/pkg/failpoint"
	"github.com/headrace/headrace/pkg/fulfillment"
)

// IdempotencyKey is the key of the request's vendor calls: its id, so that the
// call of a later episode is the same call; of a replay its round's, as its
// calls are to have their effect once more.
func (w *Work) IdempotencyKey() string {
	if failpoint.Off(failpoint.NoKey) {
		return fmt.Sprintf("%s-%d", w.Key.Request, w.now().UnixNano())
	}
	if w.Replay > 0 {
		return fulfillment.ReplayID(w.Key.Request, w.Replay)
	}
	return w.Key.Request
}

// OpenCall returns the intent of a call that may have taken effect, in this or
// an earlier episode of the request; nil if there is none.
func (w *Work) OpenCall(ctx context.Context) (*fulfillment.Intent, error) {
	if w.untouched && w.intents == 0 {
		return nil, nil // and should there be one by now, no other takes its place
	}
	var in fulfillment.Intent
	last, err := episode.LastBody(ctx, w.log, fulfillment.StreamResults, w.Key.Subject(fulfillment.RootIntents), &in)
	if err != nil || last == 0 {
		return nil, err
	}
	w.intents = last
	if w.Replay > 0 && in.IdempotencyKey != w.IdempotencyKey() {
		return nil, nil // a call that the vendor has lost
	}
	if in.State == fulfillment.IntentNotDone || failpoint.Off(failpoint.NoIntent) {
		return nil, nil
	}
	w.intent = &in
	return w.intent, nil
}

// BeginCall puts on disk that an unsafe call is about to be made. It must
// follow OpenCall. Where an intent is open already it says so, and nothing is
// written. Of two workers that begin at once, one fails.
func (w *Work) BeginCall(ctx context.Context) error {
	if w.intent != nil {
		return nil
	}
	return w.begin(ctx, "")
}

// BeginAgain puts a call on disk in the place of the one that is open, of which
// it is known that it had no effect: the reason says how.
func (w *Work) BeginAgain(ctx context.Context, reason string) error {
	return w.begin(ctx, reason)
}

func (w *Work) begin(ctx context.Context, reason string) error {
	err := w.putIntent(ctx, fulfillment.Intent{State: fulfillment.IntentCalling, Reason: reason, Time: w.now()})
	if err == nil {
		failpoint.Here(failpoint.IntentStored, w.Key.Request)
	}
	return err
}

// RenewCall stores the open intent again, once in each episode, so that it does
// not expire before the request does. Its time stays that of the call.
func (w *Work) RenewCall(ctx context.Context) error {
	if w.intent == nil || w.intent.Episode == w.Episode {
		return nil
	}
	return w.putIntent(ctx, fulfillment.Intent{State: fulfillment.IntentCalling, Reason: w.intent.Reason, Time: w.intent.Time})
}

// CallNotDone records that the call begun had no effect for certain. It does so
// also when ctx has ended, by a stop for one: a call cut off before it left
// would be held for an operator otherwise.
func (w *Work) CallNotDone(ctx context.Context, reason string) error {
	const patience = 2 * time.Second
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	return w.putIntent(ctx, fulfillment.Intent{State: fulfillment.IntentNotDone, Reason: reason, Time: w.now()})
}

// putIntent stores in, of which state, reason and time are set.
func (w *Work) putIntent(ctx context.Context, in fulfillment.Intent) error {
	in.RequestID, in.AssetID, in.ProductID, in.Type = w.Key.Request, w.Key.Asset, w.Key.Product, w.Key.Type
	in.Episode, in.Attempt, in.Time = w.Episode, w.Attempt, in.Time.UTC()
	in.IdempotencyKey, in.Idempotent, in.Lookup = w.IdempotencyKey(), w.Profile.Idempotent, w.Profile.Finder != nil
	step := string(in.State) + "-" + strconv.Itoa(w.Attempt)
	var seq uint64
	var err error
	if w.presumed {
		seq, err = episode.PutFirstIntent(ctx, w.log, in, step)
	} else {
		seq, err = episode.PutIntent(ctx, w.log, in, step, w.intents)
	}
	if err != nil {
		return err
	}
	w.intents, w.presumed = seq, false
	if w.intent = &in; in.State == fulfillment.IntentNotDone {
		w.intent = nil
	}
	return nil
}
