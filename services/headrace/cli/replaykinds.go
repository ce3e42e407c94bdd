package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/headrace/headrace/pkg/replay"
	"github.com/headrace/headrace/pkg/stream"
)

func (p *Program) replayRequests() *cobra.Command {
	r := new(replaying)
	again, round := false, 0
	cmd := &cobra.Command{
		Use:   "requests",
		Short: "Give requests to their services again",
		Long: `Each open request in the range that nobody works on is given to its service again,
as when the service's consumer was moved by hand. What was carried out, waits, or
is in the service's hands is left alone, so that the vendor is not called again
for what was done.

With --again it is: what was approved in the range is carried out at the vendor
once more, as when the vendor has lost data, subscription by subscription, each in
Connect's order. A request is carried out once in a round, so that the same
command goes on after it was interrupted; --round 2 does once more what was done
in round 1. --since and --until then bound when the vendor had carried it out.

The sequences are those of FULFILLMENT_REQUESTS.`,
		Example: `  headrace replay requests --dry-run
  headrace replay requests --type purchase --since 2h --yes
  headrace replay requests --again --since 2026-01-31T12:00:00Z --dry-run`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if cmd.Flags().Changed("round") && (!again || round < 1) {
				return usagef(cmd, "--round takes a number from 1 on, and needs --again")
			}
			return p.replayed(cmd, r, func(ctx context.Context, c *stream.Client, within replay.Range) (*replay.Plan, error) {
				if again {
					return replay.Again(ctx, c, within, round)
				}
				return replay.Requests(ctx, c, within)
			})
		},
	}
	r.flags(cmd)
	r.waitFlag(cmd)
	cmd.Flags().BoolVar(&again, "again", false, "carry out at the vendor once more what was approved")
	cmd.Flags().IntVar(&round, "round", 0, "with --again, the `number` of the round (default: the last that was begun, else 1)")
	return cmd
}

func (p *Program) replayResults() *cobra.Command {
	r := new(replaying)
	cmd := &cobra.Command{
		Use:   "results",
		Short: "Give results to the committer again",
		Long: `The last result of each request in the range that is not finished is given to the
committer again. It reads Connect first and does only what is missing; the vendor
is not called. What is committed, superseded or in the committer's hands is left
alone.

The sequences are those of FULFILLMENT_RESULTS.`,
		Example: `  headrace replay results --since 2h --dry-run
  headrace replay results --request PR-0000-0000-0000-001 --yes`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.replayed(cmd, r, func(ctx context.Context, c *stream.Client, within replay.Range) (*replay.Plan, error) {
				return replay.Results(ctx, c, within)
			})
		},
	}
	r.flags(cmd)
	r.waitFlag(cmd)
	return cmd
}

func (p *Program) replayEvents() *cobra.Command {
	r := new(replaying)
	to := replay.DefaultPrefix
	cmd := &cobra.Command{
		Use:   "events",
		Short: "Publish copies of events for others who listen",
		Long: `Copies of the events in the range are published, in their order, on their own
subjects below the prefix --to: replay.fulfillment.events.… A copy has the headers
of its event, the same ce-id among them, by which readers tell repeats. Nothing is
stored and FULFILLMENT_EVENTS gets nothing new, so that whoever is to have the
copies must listen, or have a stream that takes the subjects, before they are sent.

The sequences are those of FULFILLMENT_EVENTS.`,
		Example: `  headrace replay events --since 24h --to replay.billing --dry-run
  headrace replay events --type purchase --from-seq 1200 --yes`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.replayed(cmd, r, func(ctx context.Context, c *stream.Client, within replay.Range) (*replay.Plan, error) {
				plan, err := replay.Events(ctx, c, within, to)
				if errors.Is(err, replay.ErrPrefix) {
					err = &usageError{cmd, fmt.Errorf("--to: %w", err)}
				}
				return plan, err
			})
		},
	}
	r.flags(cmd)
	cmd.Flags().StringVar(&to, "to", to, "the `prefix` of the subjects to publish to")
	return cmd
}
