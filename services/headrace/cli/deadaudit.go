package cli

import (
	"time"

	"github.com/spf13/cobra"

	"github.com/headrace/headrace/pkg/deadletter"
	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/stream"
)

func (p *Program) deadAudit() *cobra.Command {
	out := newOutput()
	var f deadletter.AuditFilter
	var sc scope
	var limit int
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
			if limit < 0 {
				return usagef(cmd, "--limit %d is below zero", limit)
			}
			if err := sc.check(cmd); err != nil {
				return err
			}
			if len(args) == 1 {
				f.ID = args[0]
			}
			f.Since, f.Until = sc.since.at, sc.until.at
			var records []deadletter.Record
			err := p.withBroker(cmd, func(c *stream.Client) (err error) {
				records, err = deadletter.Audit(cmd.Context(), c, f)
				return err
			})
			if err != nil {
				return err
			}
			if limit > 0 && len(records) > limit {
				records = records[len(records)-limit:]
			}
			if out.json() {
				return printJSON(p.Stdout, records)
			}
			return p.printRecords(records)
		},
	}
	out.flag(cmd)
	sc.flags(cmd, &f.Type, &f.Product, &f.Asset, &f.Request)
	deeds := []string{fulfillment.DeedRedriven, fulfillment.DeedDiscarded, fulfillment.DeedRevealed}
	(&word{to: &f.Deed, known: deeds}).flag(cmd, "deed", "only this `deed`: redriven, discarded or revealed")
	(&word{to: &f.By}).flag(cmd, "by", "only what this `name` did")
	cmd.Flags().IntVar(&limit, "limit", 0, "at most the last `n`; 0 is all")
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
