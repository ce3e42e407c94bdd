// Package change sets the items and parameters of the vendor's tenant to what
// the customer changed them to.
//
//	consumes   fulfillment.{requests,retries}.change.> (durable change)
//	calls      PUT /tenant/{id}, then GET /tenant/{id} while the tenant is not ready
//	publishes  fulfillment.results.change.…
package change

import (
	"context"

	"github.com/headrace/headrace/pkg/processor"
	"github.com/headrace/headrace/pkg/vendorapi"
)

// Vendor is what the service calls.
type Vendor interface {
	UpdateTenant(ctx context.Context, key, id string, body vendorapi.TenantBody) (vendorapi.Tenant, error)
	GetTenant(ctx context.Context, key, id string) (vendorapi.Tenant, error)
}

// Service carries out changes.
type Service struct{ vendor Vendor }

// New returns the service.
func New(v Vendor) *Service { return &Service{vendor: v} }

// Decide updates the tenant; PUT is repeated freely. Once the vendor has taken
// the change and needs time for it, only its status is asked for.
func (s *Service) Decide(ctx context.Context, w *processor.Work) (processor.Verdict, error) {
	id := w.Tenant()
	if id == "" {
		return processor.NoTenant(), nil
	}
	tenant, err := s.call(ctx, w, id)
	if err != nil {
		return processor.VendorFault(err)
	}
	tenant.ID = id
	return processor.TenantVerdict(tenant), nil
}

func (s *Service) call(ctx context.Context, w *processor.Work, id string) (vendorapi.Tenant, error) {
	if w.Waited {
		return s.vendor.GetTenant(ctx, w.IdempotencyKey(), id)
	}
	return s.vendor.UpdateTenant(ctx, w.IdempotencyKey(), id, vendorapi.NewTenantBody(w.Request))
}
