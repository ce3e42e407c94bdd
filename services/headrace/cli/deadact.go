package cli

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"strings"

	"github.com/spf13/cobra"

	"github.com/headrace/headrace/pkg/deadletter"
	"github.com/headrace/headrace/pkg/processor"
	"github.com/headrace/headrace/pkg/stream"
)

// deed is what came of one id.
type deed struct {
	ID        string `json:"id"`
	RequestID string `json:"request_id"`
	Done      string `json:"done"` // redriven, discarded, nothing or failed
	Reason    string `json:"reason,omitempty"`
}

func (p *Program) deadRedrive() *cobra.Command {
	out := newOutput()
	var outcome, body, by string
	var set []string
	cmd := &cobra.Command{
		Use:   "redrive ID...",
		Short: "Let dead letters go on",
		Long: `Redrive gives a request to its service again, or a result to the committer. ID is
a dead letter's, or a request's. It may be repeated: what has gone on already is
left alone.

Where a vendor call was begun and its outcome is not known, say which it was:
--outcome not-done has the call made again; --outcome done approves the request
without a call, after saving the parameters given with --set.`,
		Example: `  headrace dead redrive 12
  headrace dead redrive PR-0000-0000-0000-001 --outcome done --set subscription_id=T-1`,
		Args: someIDs,
		RunE: func(cmd *cobra.Command, ids []string) error {
			r, err := redriveOf(cmd, outcome, body, by, set)
			if err != nil {
				return err
			}
			return p.act(cmd, out, ids, "redriven", func(c *stream.Client, e deadletter.Entry) error {
				return deadletter.Send(cmd.Context(), c, e, r)
			})
		},
	}
	out.flag(cmd)
	flags := cmd.Flags()
	flags.StringVar(&outcome, "outcome", "", "what came of the vendor call: `done or not-done`")
	flags.StringArrayVar(&set, "set", nil, "a parameter to save with --outcome done, as `id=value`; may be repeated")
	flags.StringVar(&body, "body", "", "send what is in this `file` in the place of the message's body")
	flags.StringVar(&by, "by", "", "who does it, for the audit trail (default: the user who is logged in)")
	// It fails only for a flag that does not exist.
	_ = cmd.RegisterFlagCompletionFunc("outcome", cobra.FixedCompletions([]string{"done", "not-done"}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

func redriveOf(cmd *cobra.Command, outcome, body, by string, set []string) (deadletter.Redrive, error) {
	r := deadletter.Redrive{Outcome: deadletter.Outcome(outcome), By: operator(by)}
	switch r.Outcome {
	case deadletter.OutcomeUnsaid, deadletter.OutcomeDone, deadletter.OutcomeNotDone:
	default:
		return r, usagef(cmd, "--outcome %q is neither done nor not-done", outcome)
	}
	if len(set) > 0 && r.Outcome != deadletter.OutcomeDone {
		return r, usagef(cmd, "--set goes with --outcome done")
	}
	for _, s := range set {
		id, value, ok := strings.Cut(s, "=")
		if !ok || id == "" {
			return r, usagef(cmd, "--set %q is not id=value", s)
		}
		r.Set = append(r.Set, processor.Value(id, value))
	}
	if body == "" {
		return r, nil
	}
	b, err := os.ReadFile(body)
	if err != nil {
		return r, fmt.Errorf("--body: %w", err)
	}
	r.Body = b
	return r, nil
}

func (p *Program) deadDiscard() *cobra.Command {
	out := newOutput()
	var reason, by string
	cmd := &cobra.Command{
		Use:   "discard ID...",
		Short: "Leave dead letters to a person, for good",
		Long: `Discard closes the episode of a dead letter: Headrace leaves the request alone,
also if it stays pending in Connect, where a person has to finish it. ID is a
dead letter's, or a request's. It may be repeated.`,
		Example: `  headrace dead discard 12 --reason "provisioned by hand"`,
		Args:    someIDs,
		RunE: func(cmd *cobra.Command, ids []string) error {
			return p.act(cmd, out, ids, "discarded", func(c *stream.Client, e deadletter.Entry) error {
				return deadletter.Discard(cmd.Context(), c, e, reason, operator(by))
			})
		},
	}
	out.flag(cmd)
	cmd.Flags().StringVar(&reason, "reason", "", "`why`, for those who look it up later")
	cmd.Flags().StringVar(&by, "by", "", "who does it, for the audit trail (default: the user who is logged in)")
	return cmd
}

func someIDs(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return usagef(cmd, "%s takes the ids of dead letters or requests", cmd.CommandPath())
	}
	return nil
}

// act does the same to each letter. One that fails stops no other; the status
// is 1 if any did.
func (p *Program) act(cmd *cobra.Command, out *output, ids []string, done string, do func(*stream.Client, deadletter.Entry) error) error {
	deeds := make([]deed, 0, len(ids))
	failed := 0
	err := p.withBroker(cmd, func(c *stream.Client) error {
		for _, id := range ids {
			d := deed{ID: id, Done: done}
			e, err := deadletter.Get(cmd.Context(), c, id)
			if err == nil {
				d.ID, d.RequestID = e.ID, e.RequestID
				err = do(c, e)
			}
			switch {
			case errors.Is(err, deadletter.ErrSettled):
				d.Done, d.Reason = "nothing", err.Error()
			case err != nil:
				d.Done, d.Reason = "failed", err.Error()
				failed++
			}
			deeds = append(deeds, d)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := p.printDeeds(out, deeds); err != nil {
		return err
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d failed", failed, len(ids))
	}
	return nil
}

func (p *Program) printDeeds(out *output, deeds []deed) error {
	if out.json() {
		return printJSON(p.Stdout, deeds)
	}
	var rows [][]string
	for _, d := range deeds {
		rows = append(rows, []string{d.ID, orDash(d.RequestID), d.Done, d.Reason})
	}
	return printTable(p.Stdout, []string{"ID", "REQUEST", "DONE", "REASON"}, rows)
}

// operator names who runs the command.
func operator(by string) string {
	if by != "" {
		return by
	}
	if u, err := user.Current(); err == nil && u.Username != "" {
		return u.Username
	}
	return "an operator"
}
