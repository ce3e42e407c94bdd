// Package adjustment carries out corrections that the vendor itself asked for.
//
//	consumes   fulfillment.{requests,retries}.adjustment.> (durable adjustment)
//	calls      what the product's profile says, if anything
//	publishes  fulfillment.results.adjustment.…
package adjustment

import (
	"context"

	"github.com/headrace/headrace/pkg/processor"
)

// Service carries out adjustments.
type Service struct{}

// Decide makes the vendor's call for a adjustment; it is repeated freely.
func (Service) Decide(ctx context.Context, w *processor.Work) (processor.Verdict, error) {
	return processor.CallTenant(ctx, w)
}
