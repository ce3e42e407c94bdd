package app

import (
	"context"
	"strings"

	"github.com/headrace/headrace/pkg/stream"
	"github.com/headrace/headrace/pkg/telemetry"
)

// tend keeps the streams and consumers as they are declared, and shows what can't
// be.
func (a *App) tend(ctx context.Context, client *stream.Client, declared stream.Topology) {
	how := a.tending
	how.Found = a.found
	how.Mended = func(f stream.Fault) {
		object := f.Stream
		if f.Durable != "" {
			object = f.Durable
		}
		a.metrics.Repaired(object, string(f.Kind))
	}
	client.Tend(ctx, declared, how)
}

// found makes of what is not as declared what /readyz says. A pause, and what
// another process declares otherwise, are somebody's wish: nothing is broken.
func (a *App) found(faults []stream.Fault) {
	fatal := false
	said := make([]string, len(faults))
	for i, f := range faults {
		said[i] = f.String()
		fatal = fatal || f.Kind != stream.Paused && f.Kind != stream.Foreign
	}
	a.health.Set(telemetry.HealthStreams, len(faults) == 0, fatal, strings.Join(said, "; "))
}
