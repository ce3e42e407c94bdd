package app

import (
	"context"
	"time"

	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/stream"
)

// backlogEvery is the pause between two looks at the consumers: often enough to
// scale by, and a few questions to the broker each time.
const backlogEvery = 5 * time.Second

// backlogs shows how the consumers of this process's services stand, until ctx
// ends.
func (a *App) backlogs(ctx context.Context, client *stream.Client, declared stream.Topology) {
	tick := time.NewTicker(backlogEvery)
	defer tick.Stop()
	for {
		for _, c := range declared.Consumers {
			if c.Stream == fulfillment.StreamSlots {
				continue
			}
			if s, err := client.ConsumerState(ctx, c.Durable); err == nil {
				a.metrics.Backlog(c.Durable, s.Pending, s.InHand)
			} else {
				a.metrics.NoBacklog(c.Durable) // which is told elsewhere
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
