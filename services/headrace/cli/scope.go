package cli

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/headrace/headrace/pkg/config"
	"github.com/headrace/headrace/pkg/fulfillment"
)

// scope is the flags that select by time, of commands that select by request,
// too.
type scope struct{ since, until moment }

// flags adds the flags for what all requests have.
func (s *scope) flags(cmd *cobra.Command, typ *fulfillment.Type, product, asset, request *string) {
	var types []string
	for _, t := range fulfillment.Types() {
		types = append(types, string(t))
	}
	// Connect adds types without notice.
	(&word{to: (*string)(typ), known: types, others: true}).flag(cmd, "type", "only of this request `type`")
	(&word{to: product}).flag(cmd, "product", "only of this product's `id`")
	(&word{to: asset}).flag(cmd, "asset", "only of this asset's `id`")
	(&word{to: request}).flag(cmd, "request", "only of this request's `id`")
	cmd.Flags().Var(&s.since, "since", "only from this `time` on, or so long ago: 2026-01-31T12:00:00Z, 2h")
	cmd.Flags().Var(&s.until, "until", "only before this `time`, or so long ago")
}

func (s *scope) check(cmd *cobra.Command) error {
	if !s.until.at.IsZero() && !s.since.at.Before(s.until.at) {
		return usagef(cmd, "--since %s is not before --until %s", &s.since, &s.until)
	}
	return nil
}

// word is a flag that narrows what a command is about. It refuses to be empty,
// as a variable in quotes may be that is not set: that would be about all.
type word struct {
	to     *string
	known  []string // none: it is free
	others bool     // it may also be one that resembles none of these
}

// flag adds it to a command.
func (w *word) flag(cmd *cobra.Command, name, usage string) {
	cmd.Flags().Var(w, name, usage)
	if len(w.known) > 0 {
		// It fails only for a flag that does not exist.
		_ = cmd.RegisterFlagCompletionFunc(name, cobra.FixedCompletions(w.known, cobra.ShellCompDirectiveNoFileComp))
	}
}

// String, Set and Type make it a flag's value.
func (w *word) String() string {
	if w.to == nil {
		return ""
	}
	return *w.to
}

// Set takes what is not empty and no typing error.
func (w *word) Set(s string) error {
	if s == "" {
		return errors.New("it is empty: leave it out to select all")
	}
	if len(w.known) > 0 && !slices.Contains(w.known, s) {
		if near, ok := config.Nearest(s, w.known); ok {
			return fmt.Errorf("did you mean %s?", near)
		}
		if !w.others {
			return fmt.Errorf("there are %s", strings.Join(w.known, ", "))
		}
	}
	*w.to = s
	return nil
}

// Type is what the help calls the value.
func (w *word) Type() string { return "string" }

// moment is a flag that takes a point in time, or how long ago it was.
type moment struct{ at time.Time }

// String, Set and Type make it a flag's value.
func (m *moment) String() string {
	if m.at.IsZero() {
		return ""
	}
	return m.at.Format(time.RFC3339)
}

// Set takes RFC 3339, the same without a zone (then UTC) or without a time, and
// a Go duration, which counts back from now.
func (m *moment) Set(s string) error {
	if ago, err := time.ParseDuration(s); err == nil && ago >= 0 {
		m.at = time.Now().Add(-ago)
		return nil
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02 15:04:05", "2006-01-02 15:04", time.DateOnly} {
		if t, err := time.Parse(layout, s); err == nil {
			m.at = t
			return nil
		}
	}
	return fmt.Errorf("%q is neither a time such as 2026-01-31T12:00:00Z nor how long ago, such as 2h", s)
}

// Type is what the help calls the value.
func (m *moment) Type() string { return "time" }
