// Package renew prolongs the vendor's tenant for another term.
//
//	consumes   fulfillment.{requests,retries}.renew.> (durable renew)
//	calls      what the product's profile says, if anything
//	publishes  fulfillment.results.renew.…
package renew

import (
	"context"

	"github.com/headrace/headrace/pkg/processor"
)

// Service carries out renewals.
type Service struct{}

// Decide makes the vendor's call for a renew; it is repeated freely.
func (Service) Decide(ctx context.Context, w *processor.Work) (processor.Verdict, error) {
	return processor.CallTenant(ctx, w)
}
