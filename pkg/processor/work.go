package processor

import (
	"context"
	"reflect"
	"time"

	"github.com/headrace/headrace/pkg/connect"
	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/redact"
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
	// Replay is the round of a request that is carried out again although it was
	// approved; 0 is none.
	Replay int
	// Waited reports that this episode was decided Wait before.
	Waited bool

	// done are the parameters to save where an operator says that the vendor's
	// part is done; redriven is when an operator sent the request again.
	done     []fulfillment.Param
	isDone   bool
	redriven time.Time
	opened   time.Time // when the episode was; zero: not known yet

	untouched bool // neither a result nor an intent of the request was stored before
	presumed  bool // that was not read: what is stored first proves it
	doubted   bool // it was presumed, and is not so

	untried bool  // all earlier deliveries were put off before anything was done
	closed  error // the upstream may not be called

	polls   int // how often the tenant's state was asked for
	faults  int // tries that ended in what was not understood
	publish func(ctx context.Context, w *Work, v Verdict) error
	log     Log
	now     func() time.Time
	saved   []fulfillment.Param // of the Wait
	since   time.Time           // when it was decided Wait
	kept    time.Time           // when that was stored last
	renew   time.Duration       // how long that is good for
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
// again; what was saved is saved once, and stored again from time to time: a
// request that waits for long must not outlive it.
func (w *Work) Save(ctx context.Context, reason string, params ...fulfillment.Param) error {
	all := fulfillment.Merge(w.saved, params)
	if w.Waited && reflect.DeepEqual(all, w.saved) && w.now().Sub(w.kept) < w.renew {
		return nil
	}
	if err := w.publish(ctx, w, Wait(reason, all...)); err != nil {
		return err
	}
	if !w.Waited {
		w.since = w.now()
	}
	w.Waited, w.saved, w.kept = true, all, w.now()
	return nil
}

// scrub takes the values of password parameters out of a text that people read:
// vendors like to repeat what they were sent.
func (w *Work) scrub(text string) string {
	var secrets redact.Secrets
	for _, p := range w.Params() {
		secrets.Param(p.ID, p.Type, p.Value)
	}
	return secrets.Values(text)
}
