package app

import (
	"context"
	"fmt"
	"os"

	"github.com/headrace/headrace/pkg/config"
	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/slots"
	"github.com/headrace/headrace/pkg/stream"
)

// Bounded are those of the services whose requests in flight are bounded over all
// processes.
func Bounded(cfg *config.Config, services []string) []string {
	var bounded []string
	for _, name := range services {
		if name != Fetcher && cfg.TotalConcurrency.For(name) > 0 {
			bounded = append(bounded, name)
		}
	}
	return bounded
}

// bound declares the bounds over all processes, and returns what keeps them.
func (a *App) bound(ctx context.Context, client *stream.Client, services []string) ([]func(context.Context) error, error) {
	a.warnOfBounds(ctx, client, services)
	host, err := os.Hostname()
	if err != nil {
		host = "a process"
	}
	by := fmt.Sprintf("%s/%d", host, os.Getpid())
	var run []func(context.Context) error
	for _, name := range Bounded(a.cfg, services) {
		k := slots.New(client, name, a.cfg.TotalConcurrency.For(name), by, a.log)
		if err := k.Declare(ctx); err != nil {
			return nil, fmt.Errorf("bound %s over all processes: %w", name, err)
		}
		run = append(run, k.Run)
	}
	return run, nil
}

// warnOfBounds says that others bound what this process does not: what it has in
// flight comes on top of theirs.
func (a *App) warnOfBounds(ctx context.Context, client *stream.Client, services []string) {
	if _, err := client.StreamState(ctx, fulfillment.StreamSlots); err != nil {
		return // nobody bounds anything, as a rule
	}
	for _, name := range services {
		if name == Fetcher || a.cfg.TotalConcurrency.For(name) > 0 {
			continue
		}
		state, err := client.ConsumerState(ctx, stream.SlotsOf(name))
		if err == nil && state.InHand > 0 {
			a.log.WithField("service", name).Warn(
				"other processes bound what is in flight over all processes, and this one does not; give it the same HEADRACE_TOTAL_CONCURRENCY")
		}
	}
}
