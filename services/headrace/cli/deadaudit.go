package cli

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/headrace/headrace/pkg/deadletter"
	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/stream"
)

func (p *Program) deadAudit() *cobra.Command {
	var f deadletter.AuditFilter
	l := &listing[deadletter.Record]{in: new(scope), latest: true, print: p.printRecords}
	l.find = func(ctx context.Context, c *stream.Client) ([]deadletter.Record, error) {
		f.Since, f.Until = l.in.since.at, l.in.until.at
		return deadletter.Audit(ctx, c, f)
	}
	cmd := &cobra.Command{
		Use:   "audit [ID]",
		Short: "Show who did what to dead letters, the oldest first",
		Long: `Audit shows the trail that redrive, discard and --reveal leave: when it was, who
it was, what was done to which letter. ID is a dead letter's. Values of
parameters are not in it, only their names.`,
		Example: `  headrace dead audit --since 24h
  headrace dead audit --by ann --deed revealed --output json`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usagef(cmd, "dead audit takes one id at most, and was given %d", len(args))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				f.ID = args[0]
			}
			return l.run(p, cmd)
		},
	}
	l.flags(cmd, "at most the last `n`; 0 is all")
	l.in.flags(cmd, &f.Type, &f.Product, &f.Asset, &f.Request)
	deeds := []string{fulfillment.DeedRedriven, fulfillment.DeedDiscarded, fulfillment.DeedRevealed}
	(&word{to: &f.Deed, known: deeds}).flag(cmd, "deed", "only this `deed`: redriven, discarded or revealed")
	(&word{to: &f.By}).flag(cmd, "by", "only what this `name` did")
	return cmd
}

func (p *Program) printRecords(records []deadletter.Record) error {
	if len(records) == 0 {
		return printf(p.Stdout, "Nothing was done to any dead letter.\n")
	}
	var rows [][]string
	for _, r := range records {
		rows = append(rows, []string{
			r.Time.UTC().Format(time.RFC3339), r.By, r.Deed, r.ID, string(r.Stage), orDash(r.RequestID), r.More(),
		})
	}
	return printTable(p.Stdout, []string{"TIME", "BY", "DEED", "LETTER", "STAGE", "REQUEST", "MORE"}, rows)
}
