package cli

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/headrace/headrace/pkg/config"
	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/ledger"
	"github.com/headrace/headrace/pkg/stream"
)

func (p *Program) requests() *cobra.Command {
	cmd := group(&cobra.Command{
		Use:     "requests",
		GroupID: groupLook,
		Short:   "See where each request is, and how it came there",
		Long: `Requests shows what the streams know of the requests that passed through here, as
far back as the streams are kept.

States: queued (for its service), deciding, waiting (scheduled for later),
committing, approved, failed, inquiring, held (a person must decide), dead (it
can't go on), left (to a person, or in another state of Connect's).`,
	})
	cmd.AddCommand(p.requestsList(), p.requestsShow())
	return cmd
}

func (p *Program) requestsList() *cobra.Command {
	var f ledger.Filter
	l := &listing[ledger.Entry]{in: new(scope), print: p.printRequests}
	l.find = func(ctx context.Context, c *stream.Client) ([]ledger.Entry, error) {
		f.Since, f.Until = l.in.since.at, l.in.until.at
		return ledger.List(ctx, c, f, l.limit)
	}
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List requests, the last to change first",
		Long: `List shows where each request is. SINCE is when it came to its state; of one that
is queued, tried or waiting, when it was opened or last redriven. NEXT is when it
will be tried again, if that is scheduled.`,
		Example: `  headrace requests list --state waiting
  headrace requests list --state held --since 12h --reason template
  headrace requests list --type purchase --output json | jq -r '.[].request_id'`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return l.run(p, cmd) },
	}
	l.flags(cmd, "at most `n`; 0 is all")
	l.in.flags(cmd, &f.Type, &f.Product, &f.Asset, &f.Request)
	for _, name := range []string{"since", "until"} {
		flag := cmd.Flags().Lookup(name)
		flag.Usage = strings.Replace(flag.Usage, "only", "only updated", 1)
	}
	(&word{to: (*string)(&f.State), known: states()}).flag(cmd, "state", "only in this `state`")
	(&word{to: &f.Reason}).flag(cmd, "reason", "only with this `text` in the reason, in capitals or not")
	return cmd
}

func (p *Program) requestsShow() *cobra.Command {
	out := newOutput()
	cmd := &cobra.Command{
		Use:     "show ID",
		Short:   "Show where one request is, with every step to it",
		Example: `  headrace requests show PR-0000-0000-0000-001`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usagef(cmd, "requests show takes one id, and was given %d", len(args))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			var h ledger.History
			err := p.withBroker(cmd, func(c *stream.Client) (err error) {
				h, err = ledger.Show(cmd.Context(), c, args[0])
				return err
			})
			if errors.Is(err, ledger.ErrNotFound) {
				return fmt.Errorf("%w; headrace requests list has those there are", err)
			}
			if err != nil {
				return err
			}
			if out.json() {
				return printJSON(p.Stdout, h)
			}
			return p.printHistory(h)
		},
	}
	out.flag(cmd)
	return cmd
}

// withBroker calls do with a connection to the broker.
func (p *Program) withBroker(cmd *cobra.Command, do func(*stream.Client) error) error {
	cfg, err := p.settings(config.Need{Broker: true})
	if err != nil {
		return err
	}
	c, err := p.reach(cmd.Context(), cfg)
	if err != nil {
		return err
	}
	defer c.Close()
	return do(c)
}

const reasonWidth = 80

func (p *Program) printRequests(entries []ledger.Entry) error {
	if len(entries) == 0 {
		return printf(p.Stdout, "No requests.\n")
	}
	var rows [][]string
	for _, e := range entries {
		rows = append(rows, []string{
			e.RequestID, string(e.Type), string(e.State), e.AssetID, strconv.Itoa(max(e.Attempt, 1)),
			timeText(e.Since), timeText(e.Updated), timeText(e.Next), shorten(e.Reason, reasonWidth),
		})
	}
	return printTable(p.Stdout, []string{"REQUEST", "TYPE", "STATE", "ASSET", "ATTEMPT", "SINCE", "UPDATED", "NEXT", "REASON"}, rows)
}

func (p *Program) printHistory(h ledger.History) error {
	rows := [][]string{
		{"type", string(h.Type)}, {"state", string(h.State)}, {"reason", orDash(h.Reason)},
		{"asset", h.AssetID}, {"product", h.ProductID},
		{"opened", timeText(h.Opened)}, {"since", timeText(h.Since)}, {"updated", timeText(h.Updated)}, {"next try", timeText(h.Next)},
	}
	if err := printTable(p.Stdout, []string{"request", h.RequestID}, rows); err != nil {
		return err
	}
	var steps [][]string
	for _, s := range h.Steps {
		attempt := ""
		if s.Attempt > 0 {
			attempt = strconv.Itoa(s.Attempt)
		}
		steps = append(steps, []string{
			s.Time.UTC().Format("2006-01-02T15:04:05.000Z"), strconv.FormatUint(s.Episode, 10), orDash(attempt), s.Step, shorten(s.Reason, reasonWidth),
		})
	}
	if err := printf(p.Stdout, "\n"); err != nil {
		return err
	}
	return printTable(p.Stdout, []string{"TIME", "EPISODE", "ATTEMPT", "STEP", "REASON"}, steps)
}

// timeText is a time for a table, - for none.
func timeText(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format(time.RFC3339)
}

// states are what --state takes.
func states() []string {
	var words []string
	for _, s := range []fulfillment.State{
		fulfillment.StateQueued, fulfillment.StateDeciding, fulfillment.StateWaiting, fulfillment.StateCommitting, fulfillment.StateApproved,
		fulfillment.StateFailed, fulfillment.StateInquiring, fulfillment.StateHeld, fulfillment.StateDead, fulfillment.StateLeft,
	} {
		words = append(words, string(s))
	}
	return words
}
