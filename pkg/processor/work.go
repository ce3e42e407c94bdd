package processor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/headrace/headrace/pkg/connect"
	"github.com/headrace/headrace/pkg/episode"
	"github.com/headrace/headrace/pkg/failpoint"
	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/stream"
)

// Work is one attempt at a request. Exactly one of Request and Tier is set.
type Work struct {
	Request *connect.Request
	Tier    *connect.TierRequest
	Profile *Profile
	Key     fulfillment.Key
	Episode uint64
	// Attempt counts every try of this episode, from 1.
	Attempt int
	// Waited reports that this episode was decided Wait before.
	Waited bool

	// done are the parameters to save where an operator says that the vendor's
	// part is done; redriven is when an operator sent the request again.
	done     []fulfillment.Param
	isDone   bool
	redriven time.Time

	polls   int // how often the tenant's state was asked for
	faults  int // tries that ended in what was not understood
	publish func(ctx context.Context, w *Work, v Verdict) error
	log     Log
	now     func() time.Time
	saved   []fulfillment.Param // of the Wait
	since   time.Time           // when it was decided Wait
	fence   uint64              // last sequence on the request's result subject, before the vendor is called
	intent  *fulfillment.Intent
	intents uint64 // last sequence on the request's intent subject
}

// Params are the request's parameters, of whichever kind it is.
func (w *Work) Params() []connect.Param {
	if w.Tier != nil {
		return w.Tier.Params
	}
	return w.Request.Asset.Params
}

// Value is the value of a parameter: what this episode saved, else what the
// request has, else "".
func (w *Work) Value(id string) string {
	for _, p := range w.saved {
		if p.ID == id && p.Value != nil && *p.Value != "" {
			return *p.Value
		}
	}
	for _, p := range w.Params() {
		if p.ID == id {
			return p.Value
		}
	}
	return ""
}

// Tenant is the vendor's tenant id as far as it is known, else "".
func (w *Work) Tenant() string { return w.Value(w.Profile.TenantParam) }

// Polls counts how often this episode was decided Wait and looked at again. It
// may be short by those of a process that was killed.
func (w *Work) Polls() int { return w.polls }

func (w *Work) ifRefused() fulfillment.Decision {
	switch {
	case w.Profile != nil && w.Profile.IfRefused != "":
		return w.Profile.IfRefused
	case w.Tier != nil:
		return fulfillment.Hold
	}
	return ""
}

// overdue reports whether the tenant took longer than the profile allows.
func (w *Work) overdue() bool {
	return w.Profile.Overdue > 0 && w.Waited && w.now().Sub(w.since) > w.Profile.Overdue
}

// Save has parameters saved in Connect before the request is decided, such as
// the id of a tenant for which more calls are to be made. It may be called
// again; what was saved is saved once.
func (w *Work) Save(ctx context.Context, reason string, params ...fulfillment.Param) error {
	all := fulfillment.Merge(w.saved, params)
	if w.Waited && reflect.DeepEqual(all, w.saved) {
		return nil
	}
	if err := w.publish(ctx, w, Wait(reason, all...)); err != nil {
		return err
	}
	if !w.Waited {
		w.since = w.now()
	}
	w.Waited, w.saved = true, all
	return nil
}

// scrub takes the values of password parameters out of a text that people read:
// vendors like to repeat what they were sent.
func (w *Work) scrub(text string) string {
	const short = 4 // what is shorter stands in too many words
	for _, p := range w.Params() {
		if p.Type == "password" && len(p.Value) >= short {
			text = strings.ReplaceAll(text, p.Value, "•••")
		}
	}
	return text
}

// IdempotencyKey is the key of the request's vendor calls: its id, so that the
// call of a later episode is the same call.
func (w *Work) IdempotencyKey() string {
	if failpoint.Off(failpoint.NoKey) {
		return fmt.Sprintf("%s-%d", w.Key.Request, w.now().UnixNano())
	}
	return w.Key.Request
}

// OpenCall returns the intent of a call that may have taken effect, in this or
// an earlier episode of the request; nil if there is none.
func (w *Work) OpenCall(ctx context.Context) (*fulfillment.Intent, error) {
	m, err := w.log.Last(ctx, fulfillment.StreamResults, w.Key.Subject(fulfillment.RootIntents))
	if errors.Is(err, stream.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read intent of %s: %w", w.Key.Request, err)
	}
	var in fulfillment.Intent
	if err := json.Unmarshal(m.Body, &in); err != nil {
		return nil, fmt.Errorf("read intent of %s: sequence %d: %w", w.Key.Request, m.Sequence, err)
	}
	w.intents = m.Sequence
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
	if err := w.putIntent(ctx, fulfillment.IntentCalling, ""); err != nil {
		return err
	}
	failpoint.Here(failpoint.IntentStored, w.Key.Request)
	return nil
}

// RenewCall stores the open intent again, once in each episode, so that it does
// not expire before the request does.
func (w *Work) RenewCall(ctx context.Context) error {
	if w.intent == nil || w.intent.Episode == w.Episode {
		return nil
	}
	return w.putIntent(ctx, fulfillment.IntentCalling, w.intent.Reason)
}

// CallNotDone records that the call begun had no effect for certain. It does so
// also when ctx has ended, by a stop for one: a call cut off before it left
// would be held for an operator otherwise.
func (w *Work) CallNotDone(ctx context.Context, reason string) error {
	const patience = 2 * time.Second
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	return w.putIntent(ctx, fulfillment.IntentNotDone, reason)
}

func (w *Work) putIntent(ctx context.Context, state fulfillment.IntentState, reason string) error {
	in := fulfillment.Intent{
		RequestID: w.Key.Request, AssetID: w.Key.Asset, ProductID: w.Key.Product, Type: w.Key.Type,
		Episode: w.Episode, Attempt: w.Attempt, State: state, Reason: reason,
		IdempotencyKey: w.IdempotencyKey(), Idempotent: w.Profile.Idempotent, Time: w.now().UTC(),
	}
	seq, err := episode.PutIntent(ctx, w.log, in, fmt.Sprintf("%s-%d", state, w.Attempt), w.intents)
	if err != nil {
		return err
	}
	w.intents = seq
	if w.intent = &in; state == fulfillment.IntentNotDone {
		w.intent = nil
	}
	return nil
}
