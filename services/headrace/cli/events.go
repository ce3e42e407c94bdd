package cli

import (
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/headrace/headrace/pkg/fulfillment"
)

func (p *Program) events() *cobra.Command {
	cmd := group(&cobra.Command{
		Use:     "events",
		GroupID: groupLook,
		Short:   "See what other teams are told",
		Long: `Events are facts about requests and subscriptions, published for anyone to read:
see docs/how-to/read-the-events.md.`,
	})
	cmd.AddCommand(p.eventsTail(), p.eventsShare(), p.eventsMirror())
	return cmd
}

// tailed is the flags of events tail.
type tailed struct {
	key          fulfillment.Key
	event        string
	since, until moment
	limit        int
	follow       bool
	out          *output
}

// lastFew is what is shown if nothing says how much.
const lastFew = 10

func (p *Program) eventsTail() *cobra.Command {
	t := &tailed{out: newOutput()}
	cmd := &cobra.Command{
		Use:   "tail",
		Short: "Print the last events, and with --follow what comes",
		Long: `Tail prints the last events, the oldest first, one on a line. It makes no durable
consumer, takes nothing from anyone and leaves nothing behind.

With --follow it goes on until Ctrl-C, and waits for a broker that is lost. With
--output json each line is a CloudEvent in JSON: its attributes, and the body as
data.`,
		Example: `  headrace events tail --follow
  headrace events tail --event approved --product PRD-000-000-000 --since 24h
  headrace events tail --since 2026-01-31 --output json | jq -r .data.request_id`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := t.check(cmd); err != nil {
				return err
			}
			return p.tail(cmd, t)
		},
	}
	t.out.flag(cmd)
	flags := cmd.Flags()
	flags.StringVar((*string)(&t.key.Type), "type", "", "only of this request `type`")
	flags.StringVar(&t.event, "event", "", "only with this `name`: approved, failed, …")
	flags.StringVar(&t.key.Product, "product", "", "only of this product's `id`")
	flags.StringVar(&t.key.Asset, "asset", "", "only of this asset's `id`")
	flags.StringVar(&t.key.Request, "request", "", "only of this request's `id`")
	flags.Var(&t.since, "since", "all from this `time` on, or so long ago: 2026-01-31T12:00:00Z, 2h")
	flags.Var(&t.until, "until", "only before this `time`, or so long ago")
	flags.IntVar(&t.limit, "limit", lastFew, "the last `n`; 0 is all, as it is with --since")
	flags.BoolVarP(&t.follow, "follow", "f", false, "go on with what comes")
	return cmd
}

func (t *tailed) check(cmd *cobra.Command) error {
	switch {
	case t.limit < 0:
		return usagef(cmd, "--limit %d is below zero", t.limit)
	case t.follow && !t.until.at.IsZero():
		return usagef(cmd, "--follow has no end: leave out --until")
	}
	if !t.since.at.IsZero() && !cmd.Flags().Changed("limit") {
		t.limit = 0
	}
	return nil
}

// filter is the subjects of the events that are asked for.
func (t *tailed) filter() string {
	tokens := []string{fulfillment.RootEvents}
	for _, s := range []string{string(t.key.Type), t.event, t.key.Product, t.key.Asset, t.key.Request} {
		if s == "" {
			tokens = append(tokens, "*")
			continue
		}
		tokens = append(tokens, fulfillment.EscapeToken(s))
	}
	return strings.Join(tokens, ".")
}

// retryEvery is how often a broker that is lost is looked for.
const retryEvery = time.Second
