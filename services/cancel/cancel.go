// Package cancel deletes the vendor's tenant of a subscription that ends.
//
//	consumes   fulfillment.{requests,retries}.cancel.> (durable cancel)
//	calls      DELETE /tenant/{id}
//	publishes  fulfillment.results.cancel.…
package cancel

import (
	"context"
	"errors"

	"github.com/headrace/headrace/pkg/processor"
	"github.com/headrace/headrace/pkg/vendorapi"
)

// Vendor is what the service calls.
type Vendor interface {
	DeleteTenant(ctx context.Context, key, id string) error
}

// Service carries out cancellations.
type Service struct{ vendor Vendor }

// New returns the service.
func New(v Vendor) *Service { return &Service{vendor: v} }

// Decide deletes the tenant. One that is gone already is as good.
func (s *Service) Decide(ctx context.Context, w *processor.Work) (processor.Verdict, error) {
	return processor.OnTenant(w, func(id string) error {
		err := s.vendor.DeleteTenant(ctx, w.IdempotencyKey(), id)
		var fault *vendorapi.Error
		if errors.As(err, &fault) && fault.Kind == vendorapi.NotFound {
			return nil
		}
		return err
	})
}
