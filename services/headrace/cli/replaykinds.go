package cli

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/headrace/headrace/pkg/replay"
	"github.com/headrace/headrace/pkg/stream"
)

func (p *Program) replayRequests() *cobra.Command {
	r := new(replaying)
	again, round := false, 0
	cmd := &cobra.Command{
		Use:   "requests",
		Short: "Have services take requests that nobody works on",
		Long: `Requests gives a type's service again each request in the range that is open and
that nobody works on, as when its consumer was moved by hand. What was carried
out, waits, or is in the service's hands is left alone: by itself this never calls
the vendor again for what was done.

With --again it does: what was approved in the range is carried out at the vendor
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
	cmd.Flags().BoolVar(&again, "again", false, "carry out at the vendor once more what was approved")
	cmd.Flags().IntVar(&round, "round", 0, "with --again, the `number` of times it was to be done (default: the last begun, at least 1)")
	return cmd
}

func (p *Program) replayResults() *cobra.Command {
	r := new(replaying)
	cmd := &cobra.Command{
		Use:   "results",
		Short: "Have the committer commit results that Connect does not show",
		Long: `Results gives the committer again the last result of each request in the range
that no event has closed. The committer reads Connect first and does only what is
missing; the vendor is not called. What is committed, superseded or in the
committer's hands is left alone.

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
	return cmd
}
