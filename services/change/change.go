// Package change sets the items and parameters of the vendor's tenant to whatn// the customer changed them to.
//
//	consumes   fulfillment.{requests,retries}.change.> (durable change)
//	calls      PUT /tenant/{id}, then GET /tenant/{id} while the tenant is not ready
//	publishes  fulfillment.results.change.…
package change

import (
	"context"

	"github.com/headrace/headrace/pkg/processor"
)

// Service carries out changes.
type Service struct{}

// Decide makes the vendor's call for a change; it is repeated freely.
func (Service) Decide(ctx context.Context, w *processor.Work) (processor.Verdict, error) {
	return processor.CallTenant(ctx, w)
}
