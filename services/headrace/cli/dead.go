package cli

import (
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/headrace/headrace/pkg/deadletter"
	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/stream"
)

func (p *Program) dead() *cobra.Command {
	cmd := group(&cobra.Command{
		Use:     "dead",
		GroupID: groupLook,
		Short:   "Inspect what could not go on and waits for an operator",
		Long: `A dead letter is a request that cannot go on by itself: nobody could read it, no
service takes its type, a person must decide, or it was tried as often as
something not understood may be. It waits until somebody looks.`,
	})
	cmd.AddCommand(p.deadList(), p.deadShow(), p.deadRedrive(), p.deadDiscard())
	return cmd
}

func (p *Program) deadList() *cobra.Command {
	out := newOutput()
	var f deadletter.Filter
	var limit int
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List dead letters, the oldest first",
		Example: `  headrace dead list
  headrace dead list --stage hold --type purchase
  headrace dead list --output json | jq -r '.[].request_id'`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if limit < 0 {
				return usagef(cmd, "--limit %d is below zero", limit)
			}
			entries, err := p.letters(cmd, f)
			if err != nil {
				return err
			}
			if limit > 0 && len(entries) > limit {
				entries = entries[:limit]
			}
			if out.json() {
				return printJSON(p.Stdout, entries)
			}
			return p.printLetters(entries)
		},
	}
	out.flag(cmd)
	flags := cmd.Flags()
	flags.StringVar((*string)(&f.Stage), "stage", "", "only of this `stage`: decode, type, hold, process or commit")
	flags.StringVar((*string)(&f.Type), "type", "", "only of this request `type`")
	flags.StringVar(&f.Product, "product", "", "only of this product's `id`")
	flags.StringVar(&f.Asset, "asset", "", "only of this asset's `id`")
	flags.StringVar(&f.Request, "request", "", "only of this request's `id`")
	flags.IntVar(&limit, "limit", 0, "at most `n`; 0 is all")
	// It fails only for a flag that does not exist.
	_ = cmd.RegisterFlagCompletionFunc("stage", cobra.FixedCompletions(stages(), cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

func (p *Program) letters(cmd *cobra.Command, f deadletter.Filter) (entries []deadletter.Entry, err error) {
	err = p.withBroker(cmd, func(c *stream.Client) (err error) {
		entries, err = deadletter.List(cmd.Context(), c, f)
		return err
	})
	return entries, err
}

func (p *Program) printLetters(entries []deadletter.Entry) error {
	if len(entries) == 0 {
		return printf(p.Stdout, "No dead letters.\n")
	}
	var rows [][]string
	for _, e := range entries {
		rows = append(rows, []string{
			e.ID, string(e.Stage), orDash(string(e.Type)), orDash(e.RequestID), orDash(e.AssetID),
			strconv.Itoa(e.Attempts), e.Time.UTC().Format(time.RFC3339), shorten(e.Reason, reasonWidth),
		})
	}
	heads := []string{"ID", "STAGE", "TYPE", "REQUEST", "ASSET", "ATTEMPTS", "TIME", "REASON"}
	return printTable(p.Stdout, heads, rows)
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// stages are what --stage completes to.
func stages() []string {
	return []string{
		string(fulfillment.StageDecode), string(fulfillment.StageType), string(fulfillment.StageHold),
		string(fulfillment.StageProcess), string(fulfillment.StageCommit),
	}
}
