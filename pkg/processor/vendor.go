package processor

import (
	"context"
	"errors"
	"fmt"

	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/vendorapi"
)

// VendorFault makes of a vendor call's error what can be decided from it: a
// rejection of the order's contents fails the request with the vendor's own
// words, 404 is for a person, and an upstream's fault or our own bad
// credentials are tried again for as long as it takes.
//
// 409 is left to the caller, as its meaning depends on what was tried before,
// and comes back as an error like all that is not understood.
func VendorFault(err error) (Verdict, error) {
	var fault *vendorapi.Error
	if !errors.As(err, &fault) {
		return Verdict{}, err
	}
	switch fault.Kind {
	case vendorapi.Rejected:
		return Refusal(fault), nil
	case vendorapi.NotFound:
		return Hold(fmt.Sprintf("the vendor does not know the tenant: %v", fault)), nil
	case vendorapi.Unauthorized, vendorapi.RateLimited, vendorapi.Unavailable, vendorapi.Network:
		return Verdict{}, Transient(err, fault.RetryAfter)
	case vendorapi.Unexpected:
		if fault.NotSent { // the call itself is wrong, and would be again
			return Hold(fmt.Sprintf("the vendor cannot be called: %v", fault)), nil
		}
	case vendorapi.Conflict:
	}
	return Verdict{}, err
}

// Unfound makes of a Finder's error what can be decided from it. That a lookup is
// refused says nothing of the order: it is for a person.
func Unfound(err error) (Verdict, error) {
	v, err := VendorFault(err)
	var fault *vendorapi.Error
	switch {
	case err == nil:
		return Hold("the vendor cannot be asked for the tenant: " + v.Reason), nil
	case errors.As(err, &fault) && fault.Kind == vendorapi.Conflict:
		return Hold(fmt.Sprintf("the vendor cannot be asked for the tenant: %v", fault)), nil
	}
	return Verdict{}, err
}

// Refusal fails the request with the vendor's message: what the customer reads.
// Connect refuses a rejection without a reason.
func Refusal(fault *vendorapi.Error) Verdict {
	v := Fail(fault.Message)
	if fault.Message == "" {
		v.Reason = fmt.Sprintf("the vendor rejected the request with status %d", fault.Status)
	}
	v.Refused = true
	return v
}

// Verdict makes a decision of a vendor's answer, saving what it brought.
func (a Answer) Verdict(w *Work) Verdict {
	v := Verdict{Params: a.Params}
	switch a.State {
	case Ready:
		v.Decision, v.Reason = fulfillment.Approve, "carried out at the vendor"
	case Pending, Unfinished:
		v.Decision, v.Reason = fulfillment.Wait, fmt.Sprintf("the tenant is %s at the vendor", a.Status)
		if w.overdue() {
			v.Decision = fulfillment.Hold
			v.Reason = fmt.Sprintf("the tenant is still %s at the vendor after %s", a.Status, w.Profile.Overdue)
		}
	case Failed:
		v.Decision, v.Reason = fulfillment.Fail, a.Reason
		if a.Reason == "" {
			v.Reason = fmt.Sprintf("the vendor reports the tenant as %s", a.Status)
		}
	case Rejected:
		v.Decision, v.Reason = fulfillment.Fail, a.Reason
	case Gone:
		v.Decision, v.Reason = fulfillment.Hold, "the vendor does not know the tenant"
	case Strange:
		v.Decision, v.Reason = fulfillment.Hold, a.Reason
		if a.Reason == "" {
			v.Reason = fmt.Sprintf("the vendor reports the tenant in status %q, which is not known", a.Status)
		}
	}
	return v
}

// CallTenant carries a request out on the asset's tenant with the vendor's call
// for its type. Once the vendor has taken the call and needs time, only the
// tenant's state is asked for.
func CallTenant(ctx context.Context, w *Work) (Verdict, error) {
	tenant := w.Tenant()
	if tenant == "" {
		return Hold("the parameter " + w.Profile.TenantParam + " is empty, so the vendor's tenant is not known"), nil
	}
	call := w.Profile.Vendor.Call
	if w.Waited {
		call = w.Profile.Vendor.Continue
	}
	answer, err := call(ctx, w, tenant)
	if err != nil {
		return VendorFault(err)
	}
	return answer.Verdict(w), nil
}
