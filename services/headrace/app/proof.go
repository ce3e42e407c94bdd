package app

import (
	"context"
	"slices"

	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/stream"
)

// warnOfLostProof tells of the one case in which a tenant could be created twice:
// the streams are empty, and if they are lost, nobody knows which calls were
// under way.
func (a *App) warnOfLostProof(ctx context.Context, client *stream.Client, services []string) {
	if a.unguarded == "" || a.cfg.DryRun || !slices.Contains(services, string(fulfillment.Purchase)) {
		return
	}
	s, err := client.StreamState(ctx, fulfillment.StreamResults)
	if err != nil || s.Last > 0 {
		return // the services will meet the error
	}
	a.log.WithField("product_id", a.unguarded).Warn("nothing is known of vendor calls made before. That is so at the first start; but if the streams were lost, " +
		"a purchase that was under way then could get a second tenant, as the vendor honours no idempotency key and the profile has no lookup: compare the vendor's tenants with Connect's pending purchases")
}
