// Package purchase creates the vendor's tenant for a new subscription.
//
//	consumes   fulfillment.{requests,retries}.purchase.> (durable purchase)
//	calls      the profile's lookup, POST /tenant, then GET /tenant/{id} while the tenant is not ready
//	publishes  fulfillment.intents.purchase.… before POST /tenant,
//	           fulfillment.results.purchase.…
//
// POST /tenant is the one vendor call that is unsafe to repeat. An intent is on
// disk before it. A vendor that honours Idempotency-Key is called again with
// the same key where the outcome is unknown. One that does not is asked, before
// each call, whether it has the tenant already, where the profile has a lookup;
// else the request is held for an operator.
package purchase

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/processor"
	"github.com/headrace/headrace/pkg/vendorapi"
)

// Service carries out purchases.
type Service struct{}

// Begins reports whether Decide begins with an intent: another vendor may be
// asked what it has before that, and a tenant that is there needs none.
func (s Service) Begins(w *processor.Work) bool { return w.Profile.Idempotent && w.Tenant() == "" }

// Decide creates the tenant, or asks how the one created earlier is doing.
func (s Service) Decide(ctx context.Context, w *processor.Work) (processor.Verdict, error) {
	if id := w.Tenant(); id != "" {
		return proceed(ctx, w, id)
	}
	open, err := w.OpenCall(ctx)
	if err != nil {
		return processor.Verdict{}, err
	}
	if w.Profile.Idempotent {
		err = w.BeginCall(ctx)
	} else if v, done, failure := guard(ctx, w, open); done {
		return v, failure
	} else {
		err = failure
	}
	if err != nil {
		return processor.Verdict{}, err
	}
	answer, err := w.Profile.Vendor.Create(ctx, w)
	if err != nil {
		return failed(ctx, w, open, err)
	}
	if answer.State != processor.Unfinished {
		return answer.Verdict(w), nil
	}
	// More calls follow: first the tenant's id must be safe.
	if err := w.Save(ctx, "the tenant is created", answer.Params...); err != nil {
		return processor.Verdict{}, err
	}
	return proceed(ctx, w, w.Tenant())
}

// proceed brings a tenant that exists to readiness.
func proceed(ctx context.Context, w *processor.Work, tenant string) (processor.Verdict, error) {
	answer, err := w.Profile.Vendor.Continue(ctx, w, tenant)
	if err != nil {
		return processor.VendorFault(err)
	}
	return answer.Verdict(w), nil
}

// failed decides on an error of POST /tenant. Open is the call that was begun
// before and may have had its effect, nil for none.
func failed(ctx context.Context, w *processor.Work, open *fulfillment.Intent, err error) (processor.Verdict, error) {
	var fault *vendorapi.Error
	isFault := errors.As(err, &fault)
	if isFault && fault.Kind == vendorapi.Conflict {
		return conflict(ctx, w, open, fault)
	}
	// One that was begun again took the place of a call without effect.
	repeated := open != nil && w.Profile.Idempotent
	switch notDone := isFault && fault.Outcome() == vendorapi.NotDone; {
	case notDone && !repeated:
		if err := w.CallNotDone(ctx, err.Error()); err != nil {
			return processor.Verdict{}, err
		}
	case !notDone && !w.Profile.Idempotent && w.Profile.Finder == nil:
		return processor.Hold(fmt.Sprintf("the outcome of creating the tenant is not known: %v", err)), nil
	}
	return processor.VendorFault(err)
}

func unknownOutcome(open *fulfillment.Intent) processor.Verdict {
	return processor.Hold(fmt.Sprintf("a call to create the tenant was begun at %s and its outcome is not known", clock(open)))
}

// notYet waits until the lookup must see what the call did; nil is one of which
// the proof may be lost.
func notYet(open *fulfillment.Intent, rest time.Duration) error {
	if open == nil {
		return processor.Transient(errors.New("the streams are new: a call made before could still create a tenant that the lookup does not find yet"), rest)
	}
	return processor.Transient(fmt.Errorf("the outcome of the call begun at %s is not known, and the lookup finds no tenant yet", clock(open)), rest)
}

func clock(call *fulfillment.Intent) string { return call.Time.Format("2006-01-02 15:04:05 MST") }
