// Package purchase creates the vendor's tenant for a new subscription.
//
//	consumes   fulfillment.{requests,retries}.purchase.> (durable purchase)
//	calls      POST /tenant, then GET /tenant/{id} while the tenant is not ready
//	publishes  fulfillment.intents.purchase.… before POST /tenant,
//	           fulfillment.results.purchase.…
//
// POST /tenant is the one vendor call that is unsafe to repeat. An intent is on
// disk before it. A vendor that honours Idempotency-Key is called again with
// the same key where the outcome is unknown; for one that does not, the request
// is held for an operator.
package purchase

import (
	"context"
	"errors"
	"fmt"

	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/processor"
	"github.com/headrace/headrace/pkg/vendorapi"
)

// Vendor is what the service calls.
type Vendor interface {
	CreateTenant(ctx context.Context, key string, body vendorapi.TenantBody) (vendorapi.Tenant, error)
	GetTenant(ctx context.Context, key, id string) (vendorapi.Tenant, error)
}

// Service carries out purchases.
type Service struct {
	vendor     Vendor
	idempotent bool
}

// New returns the service. Idempotent says that the vendor honours
// Idempotency-Key.
func New(v Vendor, idempotent bool) *Service {
	return &Service{vendor: v, idempotent: idempotent}
}

// Decide creates the tenant, or asks how the one created earlier is doing.
func (s *Service) Decide(ctx context.Context, w *processor.Work) (processor.Verdict, error) {
	if id := w.Tenant(); id != "" {
		tenant, err := s.vendor.GetTenant(ctx, w.IdempotencyKey(), id)
		if err != nil {
			return processor.VendorFault(err)
		}
		tenant.ID = id
		return processor.TenantVerdict(tenant), nil
	}
	open, err := w.OpenCall(ctx)
	if err != nil {
		return processor.Verdict{}, err
	}
	if open != nil && !s.idempotent {
		return unknownOutcome(open), nil
	}
	if err := w.BeginCall(ctx); err != nil {
		return processor.Verdict{}, err
	}
	tenant, err := s.vendor.CreateTenant(ctx, w.IdempotencyKey(), vendorapi.NewTenantBody(w.Request))
	if err != nil {
		return s.failed(ctx, w, open != nil, err)
	}
	if tenant.ID == "" {
		return processor.Fail("the vendor answered without a tenantId"), nil
	}
	return processor.TenantVerdict(tenant), nil
}

// failed decides on an error of POST /tenant. Repeated says that the call was
// begun before: then 409 means "perhaps done".
func (s *Service) failed(ctx context.Context, w *processor.Work, repeated bool, err error) (processor.Verdict, error) {
	var fault *vendorapi.Error
	isFault := errors.As(err, &fault)
	if isFault && fault.Kind == vendorapi.Conflict {
		if repeated {
			return processor.Hold(fmt.Sprintf("the vendor answered %v to a repeated call: the tenant may exist", err)), nil
		}
		return processor.Rejected(fault), nil
	}
	switch notDone := isFault && fault.Outcome() == vendorapi.NotDone; {
	case notDone && !repeated:
		if err := w.CallNotDone(ctx, err.Error()); err != nil {
			return processor.Verdict{}, err
		}
	case !notDone && !s.idempotent:
		return processor.Hold(fmt.Sprintf("the outcome of creating the tenant is not known: %v", err)), nil
	}
	return processor.VendorFault(err)
}

func unknownOutcome(open *fulfillment.Intent) processor.Verdict {
	return processor.Hold(fmt.Sprintf(
		"a call to create the tenant was begun at %s and its outcome is not known",
		open.Time.Format("2006-01-02 15:04:05 MST")))
}
