package cli

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/headrace/headrace/pkg/replay"
	"github.com/headrace/headrace/pkg/stream"
)

func (p *Program) replay() *cobra.Command {
	cmd := group(&cobra.Command{
		Use:     "replay",
		GroupID: groupLook,
		Short:   "Do once more what the streams hold: requests, results, events",
		Long: `Replay takes what is in the streams already, and has it done once more. It first
shows what would come of each message, and asks. The services that run do the
work, by the rules that hold for all work: what is done is not done twice, unless
--again asks for it. It may run beside live traffic, be stopped, and be run again.`,
	})
	cmd.AddCommand(p.replayRequests(), p.replayResults(), p.replayEvents())
	return cmd
}

// replaying is the flags that all replays share.
type replaying struct {
	caution
	scope
	within replay.Range
	by     string
	wait   time.Duration
	out    *output
}

func (r *replaying) flags(cmd *cobra.Command) {
	r.out = newOutput()
	r.out.flag(cmd)
	r.caution.flags(cmd, replay.DefaultRate)
	in, flags := &r.within, cmd.Flags()
	r.scope.flags(cmd, &in.Type, &in.Product, &in.Asset, &in.Request)
	flags.Uint64Var(&in.From, "from-seq", 0, "only from this `sequence` of the stream on")
	flags.Uint64Var(&in.To, "to-seq", 0, "only up to this `sequence` of the stream")
	byFlag(cmd, &r.by)
}

func (r *replaying) check(cmd *cobra.Command) error {
	if err := errors.Join(r.checkRate(cmd), r.scope.check(cmd)); err != nil {
		return err
	}
	switch in := r.within; {
	case in.To != 0 && in.From > in.To:
		return usagef(cmd, "--from-seq %d is beyond --to-seq %d", in.From, in.To)
	case r.wait < 0:
		return usagef(cmd, "--wait %s is below zero", r.wait)
	}
	return nil
}

// waitFlag is of replays that say how what they sent has ended.
func (r *replaying) waitFlag(cmd *cobra.Command) {
	const long = 10 * time.Second
	cmd.Flags().DurationVar(&r.wait, "wait", long, "look on for so long after the last one, to say how they ended")
}

type planner func(context.Context, *stream.Client, replay.Range) (*replay.Plan, error)

// replayed plans, shows the plan, asks, and runs it.
func (p *Program) replayed(cmd *cobra.Command, r *replaying, plan planner) error {
	if err := r.check(cmd); err != nil {
		return err
	}
	r.within.Since, r.within.Until = r.since.at, r.until.at
	if !r.dryRun && !r.yes && !p.asks() {
		_, err := p.agreed(cmd, r.caution, "") // before the broker is looked for
		return err
	}
	return p.withBroker(cmd, func(c *stream.Client) error {
		made, err := plan(cmd.Context(), c, r.within)
		if err != nil {
			return err
		}
		switch {
		case len(made.Steps) == 0 || r.dryRun:
			return p.printSteps(r, made.Steps, false)
		case made.ToDo() == 0:
			return p.runPlan(cmd, r, made)
		case !r.yes:
			if err := p.previewSteps(made.Steps); err != nil {
				return err
			}
		}
		ok, err := p.agreed(cmd, r.caution, fmt.Sprintf("Replay %d of %d?", made.ToDo(), len(made.Steps)))
		if err != nil || !ok {
			return err
		}
		return p.runPlan(cmd, r, made)
	})
}

// runPlan runs what was agreed to, and says what became of each step, also
// when it was interrupted.
func (p *Program) runPlan(cmd *cobra.Command, r *replaying, made *replay.Plan) error {
	o := replay.Options{By: operator(r.by), Rate: r.rate, Patience: r.wait}
	if terminal(p.Stderr) { // else whoever reads it waits for the whole
		o.Told = func(s replay.Step) { p.errorf("%s %s: %s\n", clean(string(s.Type)), clean(s.RequestID), s.Done) }
	}
	stopped := made.Run(cmd.Context(), o)
	if err := p.printSteps(r, made.Steps, true); err != nil {
		return err
	}
	failed, undone := 0, 0
	for _, s := range made.Steps {
		switch s.Done {
		case replay.DoneFailed, replay.DoneHeld, replay.DoneDead:
			failed++
		case replay.DoneLater, "":
			undone++
		}
	}
	switch {
	case stopped != nil && undone > 0:
		return fmt.Errorf("stopped with %d of %d not done: the same command goes on where it was", undone, len(made.Steps))
	case stopped != nil:
		return nil // all is sent; only nobody looked on
	case failed+undone > 0:
		return fmt.Errorf("%d of %d are not done: the same command tries them again", failed+undone, len(made.Steps))
	}
	return nil
}

// previewSteps shows a person what is about to be done, beside the question.
func (p *Program) previewSteps(steps []replay.Step) error {
	return printTable(p.Stderr, []string{"SEQUENCE", "TYPE", "REQUEST", "ASSET", "WOULD"}, stepRows(steps, false))
}

func (p *Program) printSteps(r *replaying, steps []replay.Step, done bool) error {
	switch {
	case r.out.json():
		return printJSON(p.Stdout, append([]replay.Step{}, steps...))
	case len(steps) == 0:
		return printf(p.Stdout, "Nothing is in that range.\n")
	case done:
		if err := printTable(p.Stdout, []string{"SEQUENCE", "TYPE", "REQUEST", "ASSET", "DONE", "REASON"}, stepRows(steps, true)); err != nil {
			return err
		}
		return printf(p.Stdout, "\n%s.\n", tallyOf(steps))
	}
	return printTable(p.Stdout, []string{"SEQUENCE", "TYPE", "REQUEST", "ASSET", "WOULD"}, stepRows(steps, false))
}

// tallyOf counts the steps by what became of them: "3 sent, 1 nothing".
func tallyOf(steps []replay.Step) string {
	counts := map[string]int{}
	for _, s := range steps {
		counts[doneWord(s)]++
	}
	words := make([]string, 0, len(counts))
	for _, word := range slices.Sorted(maps.Keys(counts)) {
		words = append(words, fmt.Sprintf("%d %s", counts[word], word))
	}
	return strings.Join(words, ", ")
}

func doneWord(s replay.Step) string {
	if s.Done == "" {
		return "not begun"
	}
	return s.Done
}

func stepRows(steps []replay.Step, done bool) [][]string {
	rows := make([][]string, 0, len(steps))
	for _, s := range steps {
		row := []string{strconv.FormatUint(s.Sequence, 10), string(s.Type), s.RequestID, s.AssetID}
		if !done {
			rows = append(rows, append(row, s.Would))
			continue
		}
		reason := s.Reason
		if reason == "" {
			reason = s.Would
		}
		rows = append(rows, append(row, doneWord(s), reason))
	}
	return rows
}
