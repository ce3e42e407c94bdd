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

// Service carries out resumptions.
type Service struct{}

// Decide makes the vendor's call for a resume; it is repeated freely.
func (Service) Decide(ctx context.Context, w *processor.Work) (processor.Verdict, error) {
	return processor.CallTenant(ctx, w)
}
