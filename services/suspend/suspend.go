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

// Service carries out suspensions.
type Service struct{}

// Decide makes the vendor's call for a suspend; it is repeated freely.
func (Service) Decide(ctx context.Context, w *processor.Work) (processor.Verdict, error) {
	return processor.CallTenant(ctx, w)
}
