package purchase

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/headrace/headrace/pkg/failpoint"
	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/processor"
	"github.com/headrace/headrace/pkg/vendorapi"
)

// guard keeps the tenant of a vendor that honours no key from being created
// twice. Done says that the request is decided; else the call is begun.
func guard(ctx context.Context, w *processor.Work, open *fulfillment.Intent) (v processor.Verdict, done bool, err error) {
	if w.Profile.Finder == nil {
		if open == nil {
			return begin(ctx, w)
		}
		// The proof of the call must outlive the episodes that are held for it.
		return unknownOutcome(open), true, w.RenewCall(ctx)
	}
	// Also without an intent, which may be lost. How long the lookup may miss a
	// tenant is found before it is made: else a call could settle in between.
	rest, err := w.Unsettled(ctx, open)
	if err != nil {
		return processor.Verdict{}, false, err
	}
	if v, done, err = found(ctx, w); done || err != nil {
		return v, done, err
	}
	switch {
	case rest > 0:
		return processor.Verdict{}, false, notYet(open, rest)
	case open == nil:
		return processor.Verdict{}, false, w.BeginCall(ctx)
	}
	return processor.Verdict{}, false, w.BeginAgain(ctx, fmt.Sprintf("the call begun at %s created no tenant that the lookup finds", clock(open)))
}

// begin begins the first call, unless there may have been one of which nothing
// is known any more.
func begin(ctx context.Context, w *processor.Work) (v processor.Verdict, done bool, err error) {
	lost, err := w.LostProof(ctx)
	if err != nil {
		return processor.Verdict{}, false, err
	}
	if lost != "" {
		return processor.Hold("it is not known whether the tenant was created before: " + lost), true, nil
	}
	return processor.Verdict{}, false, w.BeginCall(ctx)
}

// found looks for the asset's tenant, and goes on with it. Done says that the
// request is decided by that; else the vendor has no tenant for it.
func found(ctx context.Context, w *processor.Work) (v processor.Verdict, done bool, err error) {
	f, err := w.Profile.Finder.Find(ctx, w)
	failpoint.Here(failpoint.LookedUp, w.Key.Request)
	switch {
	case err != nil:
		v, err = processor.Unfound(err)
		return v, err == nil, err
	case f.Reason != "":
		return processor.Hold("the answer to the lookup makes no sense: " + f.Reason), true, nil
	case len(f.Tenants) == 0:
		return processor.Verdict{}, false, nil
	case len(f.Tenants) > 1:
		return processor.Hold(several(f.Tenants)), true, nil
	}
	id := f.Tenants[0]
	if err := w.Save(ctx, "the tenant was found at the vendor", processor.Value(w.Profile.TenantParam, id)); err != nil {
		return processor.Verdict{}, false, err
	}
	v, err = proceed(ctx, w, id)
	return v, err == nil, err
}

// conflict decides on 409. Where the call may have been made before, in the
// intent open, it means "perhaps done"; else it is a refusal.
func conflict(ctx context.Context, w *processor.Work, open *fulfillment.Intent, refused *vendorapi.Error) (processor.Verdict, error) {
	var rest time.Duration
	if w.Profile.Finder != nil {
		var err error
		if open != nil {
			rest, err = w.Unsettled(ctx, open)
		}
		if err != nil {
			return processor.Verdict{}, err
		}
		if v, done, err := found(ctx, w); done || err != nil {
			return v, err
		}
	}
	switch {
	case open == nil:
		return processor.Refusal(refused), nil
	case rest > 0:
		return processor.Verdict{}, notYet(open, rest)
	case w.Profile.Finder != nil:
		return processor.Hold(fmt.Sprintf("the vendor answered %v to a repeated call, and the lookup finds no tenant", refused)), nil
	}
	return processor.Hold(fmt.Sprintf("the vendor answered %v to a repeated call: the tenant may exist", refused)), nil
}

func several(tenants []string) string {
	const most = 10
	more := ""
	if n := len(tenants); n > most {
		tenants, more = tenants[:most], fmt.Sprintf(" and %d more", n-most)
	}
	return fmt.Sprintf("the vendor has several tenants for the asset: %s%s", strings.Join(tenants, ", "), more)
}
