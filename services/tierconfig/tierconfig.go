// Package tierconfig configures resellers at the vendor.
//
//	consumes   fulfillment.{requests,retries}.tier-{setup,update,adjustment}.> (durable tierconfig)
//	calls      what the product's profile says; without one, nobody
//	publishes  fulfillment.results.tier-….…
//
// Requests of the product wait in Connect for the tier configuration requests
// they depend on, and come as pending when those are approved.
package tierconfig

import (
	"context"

	"github.com/headrace/headrace/pkg/processor"
)

// Service carries out tier configuration requests.
type Service struct{}

// Decide makes the vendor's call for the tier; it is repeated freely.
func (Service) Decide(ctx context.Context, w *processor.Work) (processor.Verdict, error) {
	answer, err := w.Profile.Vendor.Call(ctx, w, "")
	if err != nil {
		return processor.VendorFault(err)
	}
	return answer.Verdict(w), nil
}
