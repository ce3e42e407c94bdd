// Package transfer moves the vendor's tenant to another account.
//
//	consumes   fulfillment.{requests,retries}.transfer.> (durable transfer)
//	calls      what the product's profile says, if anything
//	publishes  fulfillment.results.transfer.…
package transfer

import (
	"context"

	"github.com/headrace/headrace/pkg/processor"
)

// Service carries out transfers.
type Service struct{}

// Decide makes the vendor's call for a transfer; it is repeated freely.
func (Service) Decide(ctx context.Context, w *processor.Work) (processor.Verdict, error) {
	return processor.CallTenant(ctx, w)
}
