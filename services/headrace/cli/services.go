package cli

import (
	"context"

	"github.com/headrace/headrace/services/headrace/app"
)

// runServices has the services run; Program.Services in a test stands in for
// it.
func runServices(ctx context.Context, r Run) error {
	return app.New(r.Config, r.Log, r.Metrics, r.Health).Run(ctx, r.Services)
}
