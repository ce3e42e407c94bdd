package cli

import (
	"context"
	"fmt"
	"os"
	"os/user"
	"strings"

	"github.com/spf13/cobra"

	"github.com/headrace/headrace/pkg/deadletter"
	"github.com/headrace/headrace/pkg/processor"
	"github.com/headrace/headrace/pkg/stream"
)

// redriving is the flags of redrive.
type redriving struct {
	outcome, body, by string
	set               []string
	edit, reveal      bool
}

func (p *Program) deadRedrive() *cobra.Command {
	var f redriving
	var r deadletter.Redrive
	a := &action{done: "redriven", verb: "Redrive"}
	cmd := &cobra.Command{
		Use:   "redrive [ID...]",
		Short: "Let dead letters go on",
		Long: `Redrive gives a request to its service again, or a result to the committer. ID is
a dead letter's, or a request's. In the place of ids it takes filters: then it
shows first what would be done to each letter, and asks. It may be repeated: what
has gone on already is left alone.

Where a vendor call was begun and its outcome is not known, say which it was:
--outcome not-done has the call made again; --outcome done approves the request
without a call, after saving the parameters given with --set.

--edit opens the body in $VISUAL or $EDITOR and sends what was saved. Passwords
are dots there, and stay as they are where the dots are left alone.`,
		Example: `  headrace dead redrive 12
  headrace dead redrive PR-0000-0000-0000-001 --outcome done --set subscription_id=T-1
  headrace dead redrive 12 --edit
  headrace dead redrive --stage process --since 2h --dry-run`,
		RunE: func(cmd *cobra.Command, ids []string) (err error) {
			if r, err = f.read(cmd, ids); err != nil {
				return err
			}
			return p.act(cmd, a, ids)
		},
	}
	a.prepare = func(cmd *cobra.Command, c *stream.Client, e deadletter.Entry) (err error) {
		r.Body, err = p.newBody(cmd, c, e, f, r)
		return err
	}
	a.plan = func(ctx context.Context, c *stream.Client, e deadletter.Entry) (string, error) {
		return deadletter.PlanSend(ctx, c, e, r)
	}
	a.do = func(ctx context.Context, c *stream.Client, e deadletter.Entry) error {
		return deadletter.Send(ctx, c, e, r)
	}
	a.flags(cmd, "reason")
	f.flags(cmd)
	return cmd
}

func (f *redriving) flags(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.outcome, "outcome", "", "what came of the vendor call: `done or not-done`")
	flags.StringArrayVar(&f.set, "set", nil, "a parameter to save with --outcome done, as `id=value`; may be repeated")
	flags.StringVar(&f.body, "body", "", "send what is in this `file` in the place of the message's body")
	flags.BoolVar(&f.edit, "edit", false, "edit the message's body first")
	flags.BoolVar(&f.reveal, "reveal", false, "with --edit, with passwords as they are, on record")
	byFlag(cmd, &f.by)
	// It fails only for a flag that does not exist.
	_ = cmd.RegisterFlagCompletionFunc("outcome", cobra.FixedCompletions([]string{"done", "not-done"}, cobra.ShellCompDirectiveNoFileComp))
}

func (f *redriving) read(cmd *cobra.Command, ids []string) (deadletter.Redrive, error) {
	r := deadletter.Redrive{Outcome: deadletter.Outcome(f.outcome), By: operator(f.by)}
	switch r.Outcome {
	case deadletter.OutcomeUnsaid, deadletter.OutcomeDone, deadletter.OutcomeNotDone:
	default:
		return r, usagef(cmd, "--outcome %q is neither done nor not-done", f.outcome)
	}
	switch {
	case len(f.set) > 0 && r.Outcome != deadletter.OutcomeDone:
		return r, usagef(cmd, "--set goes with --outcome done")
	case f.edit && f.body != "":
		return r, usagef(cmd, "--edit and --body exclude each other")
	case f.reveal && !f.edit:
		return r, usagef(cmd, "--reveal goes with --edit")
	case len(ids) != 1 && (f.edit || f.body != "" || len(f.set) > 0):
		return r, usagef(cmd, "--edit, --body and --set are for one letter: give one id")
	}
	for _, s := range f.set {
		id, value, ok := strings.Cut(s, "=")
		if !ok || id == "" {
			return r, usagef(cmd, "--set %q is not id=value", s)
		}
		r.Set = append(r.Set, processor.Value(id, value))
	}
	return r, nil
}

func (p *Program) deadDiscard() *cobra.Command {
	var note, by string
	a := &action{done: "discarded", verb: "Discard", plan: func(ctx context.Context, c *stream.Client, e deadletter.Entry) (string, error) {
		return deadletter.PlanDiscard(ctx, c, e)
	}}
	cmd := &cobra.Command{
		Use:   "discard [ID...]",
		Short: "Leave dead letters to a person, for good",
		Long: `Discard closes the episode of a dead letter: Headrace leaves the request alone,
also if it stays pending in Connect, where a person has to finish it. ID is a
dead letter's, or a request's. In the place of ids it takes filters: then it
shows first what would be done to each letter, and asks. It may be repeated.`,
		Example: `  headrace dead discard 12 --reason "provisioned by hand"
  headrace dead discard --stage type --until 24h --dry-run`,
		RunE: func(cmd *cobra.Command, ids []string) error { return p.act(cmd, a, ids) },
	}
	a.do = func(ctx context.Context, c *stream.Client, e deadletter.Entry) error {
		return deadletter.Discard(ctx, c, e, note, operator(by))
	}
	a.flags(cmd, "letter-reason")
	cmd.Flags().StringVar(&note, "reason", "", "`why`, for those who look it up later")
	byFlag(cmd, &by)
	return cmd
}

// newBody is the body to send in the place of the letter's own; nil is that.
func (p *Program) newBody(cmd *cobra.Command, c *stream.Client, e deadletter.Entry, f redriving, r deadletter.Redrive) ([]byte, error) {
	switch {
	case f.edit:
		return p.edited(cmd, c, e, f, r)
	case f.body == "":
		return nil, nil
	}
	b, err := os.ReadFile(p.path(f.body))
	if err != nil {
		return nil, fmt.Errorf("--body: %w", err)
	}
	v, err := deadletter.Mask(cmd.Context(), c, e)
	if err != nil {
		return nil, err
	}
	return sendable(deadletter.Unmask(v, b))
}

func byFlag(cmd *cobra.Command, by *string) {
	cmd.Flags().StringVar(by, "by", "", "who does it, for the audit trail (default: the user who is logged in)")
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
