package cli

import (
	"time"

	"github.com/spf13/cobra"

	"github.com/headrace/headrace/pkg/config"
	"github.com/headrace/headrace/pkg/stream"
)

func (p *Program) eventsShare() *cobra.Command {
	return &cobra.Command{
		Use:   "share ACCOUNT",
		Short: "Let an account of the broker mirror the events",
		Long: `Share makes the consumer that feeds the mirror in another account of the broker.
Run it with the services' credentials, once, and again if the stream of events was
made anew. The broker's configuration has to export to that account what the
consumer hands out: see docs/how-to/give-other-teams-access.md.`,
		Example: "  headrace events share READERS",
		Args:    oneAccount,
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.withBroker(cmd, func(c *stream.Client) error {
				if err := c.FeedMirror(cmd.Context(), args[0]); err != nil {
					return err
				}
				return printf(p.Stdout, "The account %s can have a mirror: run `headrace events mirror %s` as a user of it.\n", args[0], args[0])
			})
		},
	}
}

func (p *Program) eventsMirror() *cobra.Command {
	var maxAge time.Duration
	var maxBytes int64
	anew := false
	cmd := &cobra.Command{
		Use:   "mirror ACCOUNT",
		Short: "Mirror the events in an account of the broker",
		Long: `Mirror makes the stream FULFILLMENT_EVENTS in the account of the user in
HEADRACE_NATS_URL: a copy of Headrace's events, from the oldest on, with the same
sequences and times. ACCOUNT must have been shared with. Run it again to change how
much the mirror keeps.

With --anew it deletes the mirror first, and with it the consumers of its readers.
That is needed where Headrace's stream was made anew, since its sequences begin
again.`,
		Example: "  HEADRACE_NATS_URL=nats://data:PASSWORD@nats:4222 headrace events mirror DATA --max-age 720h",
		Args:    oneAccount,
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := p.settings(config.Need{Broker: true})
			if err != nil {
				return err
			}
			if !cmd.Flags().Changed("max-age") {
				maxAge = cfg.Retention.Events
			}
			return p.withBroker(cmd, func(c *stream.Client) error {
				if anew {
					if err := c.DropMirror(cmd.Context()); err != nil {
						return err
					}
				}
				if err := c.MirrorEvents(cmd.Context(), args[0], maxAge, maxBytes); err != nil {
					return err
				}
				return printf(p.Stdout, "FULFILLMENT_EVENTS of the account %s mirrors Headrace's events.\n", args[0])
			})
		},
	}
	cmd.Flags().DurationVar(&maxAge, "max-age", 0, "what is older is forgotten; 0 is never (default: HEADRACE_EVENTS_MAX_AGE)")
	cmd.Flags().Int64Var(&maxBytes, "max-bytes", 0, "how much is kept, in `bytes`; 0 is as much as the account may")
	cmd.Flags().BoolVar(&anew, "anew", false, "delete the mirror first, with its readers' consumers")
	return cmd
}

func oneAccount(cmd *cobra.Command, args []string) error {
	if len(args) != 1 {
		return usagef(cmd, "%s takes the name of an account of the broker", cmd.CommandPath())
	}
	return nil
}
