package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/headrace/headrace/pkg/config"
	"github.com/headrace/headrace/pkg/stream"
	"github.com/headrace/headrace/services/headrace/app"
)

// declared compares what the broker has with what processes with these settings
// declare, and tells what they will do about it.
func (e *examination) declared(ctx context.Context, c *stream.Client) {
	const check = "declared"
	faults, err := c.Compare(ctx, declaration(e.cfg))
	if err != nil {
		e.fail(check, "see the broker's log", "%v", err)
		return
	}
	var absent []string
	found := len(e.findings)
	for _, f := range faults {
		switch f.Kind {
		case stream.Missing:
			if f.Durable != "" { // that of a stream is told with the streams
				absent = append(absent, f.Durable)
			}
		case stream.Differs:
			e.warn(check, "a process that runs changes it back within 30 s, or a start does", "%s", f)
		case stream.Foreign:
			e.warn(check, "give all processes the same version and settings; the one that started last has its way",
				"%s was declared by a process of another version or with other settings: %s", f.Object(), f.Detail)
		case stream.Paused:
			e.warn(check, fmt.Sprintf("nats consumer resume %s %s ends the pause", f.Stream, f.Durable), "%s", f)
		case stream.Refused:
			e.fail(check, "delete it, and it is made as declared; without that nothing starts", "%s: %s", f.Object(), f.Detail)
		}
	}
	if len(absent) > 0 {
		e.warn(check, "start their services; a process that runs them makes them within about a minute",
			"consumers that are not there: %s", strings.Join(absent, ", "))
	}
	if len(e.findings) == found {
		e.ok(check, "streams and consumers are as the settings declare them")
	}
}

// declaration is what all services together declare with these settings.
func declaration(cfg *config.Config) stream.Topology {
	all := stream.Fulfillment(app.Limits(cfg.Retention))
	consumers := all.Consumers[:0]
	for _, d := range all.Consumers {
		if cfg.Conversations || !stream.Notes(d.Durable) {
			consumers = append(consumers, d)
		}
	}
	bounded := stream.Slots(app.Bounded(cfg, app.Services())...)
	all.Consumers, all.Streams = append(consumers, bounded.Consumers...), append(all.Streams, bounded.Streams...)
	return all
}
