// Package suspend disables the vendor's tenant, as the subscription is on hold.
//
//	consumes   fulfillment.{requests,retries}.suspend.> (durable suspend)
//	calls      PUT /tenant/{id}/disable
//	publishes  fulfillment.results.suspend.…
package suspend

import (
	"context"

	"github.com/headrace/headrace/pkg/processor"
)

// Vendor is what the service calls.
type Vendor interface {
	DisableTenant(ctx context.Context, key, id string) error
}

// Service carries out suspensions.
type Service struct{ vendor Vendor }

// New returns the service.
func New(v Vendor) *Service { return &Service{vendor: v} }

// Decide disables the tenant; the call is repeated freely. Quantities in a
// suspend request mean nothing and are not read.
func (s *Service) Decide(ctx context.Context, w *processor.Work) (processor.Verdict, error) {
	return processor.OnTenant(w, func(id string) error {
		return s.vendor.DisableTenant(ctx, w.IdempotencyKey(), id)
	})
}
