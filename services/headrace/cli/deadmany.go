package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/headrace/headrace/pkg/deadletter"
	"github.com/headrace/headrace/pkg/stream"
)

// action is a command that does something to letters, given by their ids or by
// filters.
type action struct {
	caution
	selection
	out        *output
	done, verb string // what a letter then is; what is asked
	// prepare, which may be nil, is called before anything else is done to a
	// letter that was given by its id.
	prepare func(*cobra.Command, *stream.Client, deadletter.Entry) error
	plan    func(context.Context, *stream.Client, deadletter.Entry) (string, error)
	do      func(context.Context, *stream.Client, deadletter.Entry) error
}

const (
	// gentle is how many letters a second are sent on, unless it is said: each
	// may be a vendor call.
	gentle = 10
	// patience is how long one letter may take, also once Ctrl-C was pressed: it
	// is not left in the middle.
	patience = 15 * time.Second
)

func (a *action) flags(cmd *cobra.Command, reason string) {
	a.out = newOutput()
	a.out.flag(cmd)
	a.selection.flags(cmd, reason)
	a.caution.flags(cmd, gentle)
	cmd.Flags().Lookup("rate").Usage += "; given ids, as fast as it can unless said"
	cmd.Flags().Lookup("yes").Usage += ", given filters"
}

// deed is what came of one letter, or would.
type deed struct {
	ID        string `json:"id"`
	RequestID string `json:"request_id"`
	Would     string `json:"would,omitempty"` // of a dry run
	Done      string `json:"done"`            // redriven, discarded, nothing, failed or not begun
	Reason    string `json:"reason,omitempty"`

	letter deadletter.Entry
}

const notBegun = "not begun"

// act does the same to each letter. One that fails stops no other; the status
// is 1 if any did.
func (p *Program) act(cmd *cobra.Command, a *action, ids []string) error {
	byFilter := a.given(cmd)
	switch {
	case len(ids) > 0 && byFilter:
		return usagef(cmd, "%s takes ids or filters, not both", cmd.CommandPath())
	case len(ids) == 0 && !byFilter:
		return usagef(cmd, "%s takes the ids of dead letters or requests, or filters", cmd.CommandPath())
	}
	if err := errors.Join(a.checkRate(cmd), a.check(cmd)); err != nil {
		return err
	}
	if byFilter && !a.dryRun && !a.yes && !p.asks() {
		_, err := p.agreed(cmd, a.caution, "") // before the broker is looked for
		return err
	}
	return p.withBroker(cmd, func(c *stream.Client) error {
		deeds, err := p.selected(cmd, c, a, ids)
		if err != nil {
			return err
		}
		if a.dryRun || byFilter && !a.yes {
			a.plans(cmd.Context(), c, deeds)
		}
		if a.dryRun || len(deeds) == 0 {
			return p.ended(a, deeds)
		}
		if byFilter {
			if ok, err := p.preview(cmd, a, deeds); err != nil || !ok {
				return err
			}
		}
		p.run1by1(cmd, c, a, deeds, byFilter || cmd.Flags().Changed("rate"))
		return p.ended(a, deeds)
	})
}

// selected finds the letters. An id that there is none of is a deed that failed.
func (p *Program) selected(cmd *cobra.Command, c *stream.Client, a *action, ids []string) ([]deed, error) {
	deeds := []deed{}
	if len(ids) == 0 {
		entries, err := deadletter.List(cmd.Context(), c, a.read())
		for _, e := range entries {
			deeds = append(deeds, deed{ID: e.ID, RequestID: e.RequestID, Done: notBegun, letter: e})
		}
		return deeds, err
	}
	for _, id := range ids {
		d := deed{ID: id, Done: notBegun}
		e, err := deadletter.Get(cmd.Context(), c, id)
		if err == nil {
			d.ID, d.RequestID, d.letter = e.ID, e.RequestID, e
			if a.prepare != nil {
				err = a.prepare(cmd, c, e)
			}
		}
		if err != nil {
			d.is(a, err)
		}
		deeds = append(deeds, d)
	}
	return deeds, nil
}

// is notes what came of it.
func (d *deed) is(a *action, err error) {
	d.Done = a.done
	if err == nil {
		return
	}
	d.Done, d.Reason = "failed", d.why(err)
	if errors.Is(err, deadletter.ErrSettled) {
		d.Done = "nothing"
	}
}

// why is what is in the way, without the id that stands beside it, and with the
// flag that helps.
func (d *deed) why(err error) string {
	text := err.Error()
	for _, does := range []string{"redrive ", "discard ", "dead letter ", "edit ", ""} {
		text = strings.TrimPrefix(text, does+d.ID+": ")
	}
	if errors.Is(err, deadletter.ErrOutcome) {
		text += ", with --outcome done or not-done"
	}
	return strings.ReplaceAll(text, "\n", ": ")
}

// plans says of each letter what would be done to it.
func (a *action) plans(ctx context.Context, c *stream.Client, deeds []deed) {
	for i := range deeds {
		d := &deeds[i]
		if d.Done != notBegun {
			continue
		}
		e, err := a.whole(ctx, c, d)
		if err == nil {
			d.Would, err = a.plan(ctx, c, e)
		}
		if err != nil {
			d.Would = "nothing: " + d.why(err)
		}
	}
}

// whole is the letter with its body, which a list leaves out.
func (a *action) whole(ctx context.Context, c *stream.Client, d *deed) (deadletter.Entry, error) {
	if d.letter.Body != nil {
		return d.letter, nil
	}
	return deadletter.Get(ctx, c, d.ID)
}

// preview shows a person what is about to be done, and asks.
func (p *Program) preview(cmd *cobra.Command, a *action, deeds []deed) (bool, error) {
	if !a.yes {
		if err := printTable(p.Stderr, []string{"ID", "REQUEST", "WOULD"}, wouldRows(deeds)); err != nil {
			return false, err
		}
	}
	return p.agreed(cmd, a.caution, fmt.Sprintf("%s %d?", a.verb, len(deeds)))
}

// run1by1 does it to each letter, so many in a second if it is to be paced.
// When ctx ends, the letter in hand is finished, and no other is begun.
func (p *Program) run1by1(cmd *cobra.Command, c *stream.Client, a *action, deeds []deed, paced bool) {
	ctx := cmd.Context()
	pace := time.NewTicker(time.Duration(float64(time.Second) / a.rate))
	defer pace.Stop()
	tell := time.NewTicker(5 * time.Second)
	defer tell.Stop()
	for i := range deeds {
		d := &deeds[i]
		if d.Done != notBegun {
			continue
		}
		if paced && i > 0 {
			select {
			case <-pace.C:
			case <-ctx.Done():
			}
		}
		if ctx.Err() != nil {
			return
		}
		one, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
		e, err := a.whole(one, c, d)
		if err == nil {
			err = a.do(one, c, e)
		}
		cancel()
		d.is(a, err)
		select {
		case <-tell.C:
			p.errorf("headrace: %d of %d\n", i+1, len(deeds))
		default:
		}
	}
}

// ended prints what came of it.
func (p *Program) ended(a *action, deeds []deed) error {
	if err := p.printDeeds(a, deeds); err != nil {
		return err
	}
	failed, left := 0, 0
	for _, d := range deeds {
		switch {
		case d.Done == "failed":
			failed++
		case d.Done == notBegun && !a.dryRun:
			left++
		}
	}
	switch {
	case left > 0:
		return fmt.Errorf("interrupted: %d of %d were not begun; the same command goes on with them", left, len(deeds))
	case failed > 0:
		return fmt.Errorf("%d of %d failed", failed, len(deeds))
	}
	return nil
}

func (p *Program) printDeeds(a *action, deeds []deed) error {
	switch {
	case a.out.json():
		return printJSON(p.Stdout, deeds)
	case len(deeds) == 0:
		return printf(p.Stdout, "No dead letters.\n")
	case a.dryRun:
		return printTable(p.Stdout, []string{"ID", "REQUEST", "WOULD"}, wouldRows(deeds))
	}
	var rows [][]string
	for _, d := range deeds {
		rows = append(rows, []string{d.ID, orDash(d.RequestID), d.Done, d.Reason})
	}
	return printTable(p.Stdout, []string{"ID", "REQUEST", "DONE", "REASON"}, rows)
}

func wouldRows(deeds []deed) [][]string {
	var rows [][]string
	for _, d := range deeds {
		would := d.Would
		if would == "" {
			would = "nothing: " + d.Reason // it failed before it could be planned
		}
		rows = append(rows, []string{d.ID, orDash(d.RequestID), would})
	}
	return rows
}
