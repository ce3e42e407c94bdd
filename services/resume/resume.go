// Package resume enables the vendor's tenant, as the subscription goes on.
//
//	consumes   fulfillment.{requests,retries}.resume.> (durable resume)
//	calls      PUT /tenant/{id}/enable
//	publishes  fulfillment.results.resume.…
package resume

import (
	"context"

	"github.com/headrace/headrace/pkg/processor"
)

// Vendor is what the service calls.
type Vendor interface {
	EnableTenant(ctx context.Context, key, id string) error
}

// Service carries out resumptions.
type Service struct{ vendor Vendor }

// New returns the service.
func New(v Vendor) *Service { return &Service{vendor: v} }

// Decide enables the tenant; the call is repeated freely. Quantities in a
// resume request mean nothing and are not read.
func (s *Service) Decide(ctx context.Context, w *processor.Work) (processor.Verdict, error) {
	return processor.OnTenant(w, func(id string) error {
		return s.vendor.EnableTenant(ctx, w.IdempotencyKey(), id)
	})
}
