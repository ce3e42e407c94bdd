package cli

import (
	"context"
	"sync"

	"github.com/headrace/headrace/pkg/memory"
	"github.com/headrace/headrace/services/headrace/app"
)

// runServices has the services run, with the handlers in the place of some;
// Program.Services in a test stands in for it.
func runServices(handlers []app.Handler) func(context.Context, Run) error {
	return func(ctx context.Context, r Run) error {
		ctx, cancel := context.WithCancel(ctx)
		var keeper sync.WaitGroup
		keeper.Go(func() { memory.Keep(ctx) })
		defer keeper.Wait()
		defer cancel()
		return app.New(r.Config, r.Log, r.Metrics, r.Health, app.WithHandlers(handlers...)).Run(ctx, r.Services)
	}
}
