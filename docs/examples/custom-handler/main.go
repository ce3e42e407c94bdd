// Command custom-handler is Headrace with one handler in Go: purchases of one
// product, whose seats are sold by the hundred. All else is as ever.
package main

import (
	"context"
	"fmt"
	"log"
	"os"

	"github.com/headrace/headrace/pkg/connect"
	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/headrace"
	"github.com/headrace/headrace/pkg/processor"
	"github.com/headrace/headrace/pkg/vendorapi"
)

const product = "PRD-620-114-337"

func main() {
	api, err := vendorapi.New(os.Getenv("MERIDIAN_API"))
	if err != nil {
		log.Fatal(err)
	}
	headrace.Main(headrace.Handle(product, fulfillment.Purchase, purchases{api}))
}

type purchases struct{ api *vendorapi.Client }

// Decide may be called again at any time: the vendor honours the idempotency
// key, so that a second call creates no second tenant.
func (p purchases) Decide(ctx context.Context, w *processor.Work) (processor.Verdict, error) {
	for _, item := range w.Request.Asset.Items {
		if item.Quantity.Unlimited || !item.Quantity.Value.Mod(connect.NewQuantity(100).Value).IsZero() {
			return processor.Fail(fmt.Sprintf("%s is sold by the hundred, not %s", item.MPN, item.Quantity)), nil
		}
	}
	tenant, err := p.api.CreateTenant(ctx, w.IdempotencyKey(), vendorapi.NewTenantBody(w.Request))
	if err != nil {
		return processor.VendorFault(err) // a rejection fails the request, an outage is waited out
	}
	return processor.Approve(processor.Value(w.Profile.TenantParam, tenant.ID)), nil
}
