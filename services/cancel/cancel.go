// Package cancel deletes the vendor's tenant of a subscription that ends.
//
//	consumes   fulfillment.{requests,retries}.cancel.> (durable cancel)
//	calls      DELETE /tenant/{id}; one that is gone already is as good
//	publishes  fulfillment.results.cancel.…
package cancel

import (
	"context"

	"github.com/headrace/headrace/pkg/processor"
)

// Service carries out cancellations.
type Service struct{}

// Decide makes the vendor's call for a cancel; it is repeated freely.
func (Service) Decide(ctx context.Context, w *processor.Work) (processor.Verdict, error) {
	return processor.CallTenant(ctx, w)
}
