package cli

import (
	"context"
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
		Short:   "See, send on or leave what waits for an operator",
		Long: `A dead letter is a request that cannot go on by itself: nobody could read it, no
service takes its type, a person must decide, or it was tried as often as
something not understood may be. It waits until somebody looks.`,
	})
	cmd.AddCommand(p.deadList(), p.deadShow(), p.deadRedrive(), p.deadDiscard(), p.deadAudit())
	return cmd
}

// selection is the flags that say which letters.
type selection struct {
	scope
	filter deadletter.Filter
	names  []string // of its flags
}

// flags adds the flags; reason is what the one for a part of the reason is
// called.
func (s *selection) flags(cmd *cobra.Command, reason string) {
	f := &s.filter
	s.scope.flags(cmd, &f.Type, &f.Product, &f.Asset, &f.Request)
	(&word{to: (*string)(&f.Stage), known: stages()}).flag(cmd, "stage", "only of this `stage`: decode, type, hold, process or commit")
	(&word{to: &f.Reason}).flag(cmd, reason, "only with this `text` in the reason, in capitals or not")
	s.names = []string{"stage", "type", "product", "asset", "request", reason, "since", "until"}
}

// given reports whether any of the flags was.
func (s *selection) given(cmd *cobra.Command) bool {
	for _, name := range s.names {
		if cmd.Flags().Changed(name) {
			return true
		}
	}
	return false
}

func (s *selection) read() deadletter.Filter {
	f := s.filter
	f.Since, f.Until = s.since.at, s.until.at
	return f
}

func (p *Program) deadList() *cobra.Command {
	sel := new(selection)
	l := &listing[deadletter.Entry]{in: &sel.scope, print: p.printLetters}
	l.find = func(ctx context.Context, c *stream.Client) ([]deadletter.Entry, error) {
		return deadletter.ListSome(ctx, c, sel.read(), l.limit)
	}
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List dead letters, the oldest first",
		Example: `  headrace dead list
  headrace dead list --stage hold --type purchase --since 2h
  headrace dead list --reason "not known" --output json | jq -r '.[].request_id'`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return l.run(p, cmd) },
	}
	l.flags(cmd, "at most `n`; 0 is all")
	sel.flags(cmd, "reason")
	return cmd
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

// stages are what --stage takes.
func stages() []string {
	return []string{
		string(fulfillment.StageDecode), string(fulfillment.StageType), string(fulfillment.StageHold),
		string(fulfillment.StageProcess), string(fulfillment.StageCommit),
	}
}
