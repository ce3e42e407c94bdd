package processor

import (
	"errors"
	"fmt"

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
		return Rejected(fault), nil
	case vendorapi.NotFound:
		return Hold(fmt.Sprintf("the vendor does not know the tenant: %v", fault)), nil
	case vendorapi.Unauthorized, vendorapi.RateLimited, vendorapi.Unavailable, vendorapi.Network:
		return Verdict{}, Transient(err, fault.RetryAfter)
	case vendorapi.Conflict, vendorapi.Unexpected:
	}
	return Verdict{}, err
}

// Rejected fails the request with the vendor's message: what the customer
// reads. Connect refuses a rejection without a reason.
func Rejected(fault *vendorapi.Error) Verdict {
	if fault.Message != "" {
		return Fail(fault.Message)
	}
	return Fail(fmt.Sprintf("the vendor rejected the request with status %d", fault.Status))
}

// TenantVerdict makes a decision of the state that the vendor reports for a
// tenant, saving its id on the way.
func TenantVerdict(t vendorapi.Tenant) Verdict {
	id := Value(TenantParam, t.ID)
	switch t.State() {
	case vendorapi.Ready:
		return Approve(id)
	case vendorapi.Pending:
		return Wait(fmt.Sprintf("tenant %s is %s at the vendor", t.ID, t.Status), id)
	case vendorapi.Failed:
		v := Fail(fmt.Sprintf("the vendor reports the tenant as %s", t.Status))
		v.Params = append(v.Params, id)
		return v
	case vendorapi.Strange:
	}
	return Hold(fmt.Sprintf("the vendor reports tenant %s in status %q, which is not known", t.ID, t.Status))
}

// NoTenant holds a request whose asset has no tenant id: it can't be told which
// tenant is meant.
func NoTenant() Verdict {
	return Hold("the parameter " + TenantParam + " is empty, so the vendor's tenant is not known")
}

// OnTenant approves the request if call, made with the asset's tenant id, goes
// well.
func OnTenant(w *Work, call func(id string) error) (Verdict, error) {
	id := w.Tenant()
	if id == "" {
		return NoTenant(), nil
	}
	if err := call(id); err != nil {
		return VendorFault(err)
	}
	return Approve(), nil
}
