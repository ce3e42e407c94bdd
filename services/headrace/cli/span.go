package cli

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

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

// caution is the flags of commands that do something to many messages.
type caution struct {
	rate   float64
	dryRun bool
	yes    bool
}

func (c *caution) flags(cmd *cobra.Command, rate float64) {
	flags := cmd.Flags()
	flags.Float64Var(&c.rate, "rate", rate, "at most so many in a `second`")
	flags.BoolVar(&c.dryRun, "dry-run", false, "say what would be done, and do nothing")
	flags.BoolVar(&c.yes, "yes", false, "do it without asking")
}

func (c *caution) check(cmd *cobra.Command) error {
	if c.rate <= 0 {
		return usagef(cmd, "--rate %g is not above zero", c.rate)
	}
	return nil
}

// agreed reports whether to go on after the preview: --yes says so, or a person
// does. Where neither can it is a wrong use.
func (p *Program) agreed(cmd *cobra.Command, c caution, question string) (bool, error) {
	switch {
	case c.dryRun:
		return false, nil
	case c.yes:
		return true, nil
	case !p.asks():
		return false, usagef(cmd, "there is no terminal to ask at: say --yes to do it, or --dry-run to only look")
	}
	p.errorf("%s [y/N] ", question)
	answer, err := bufio.NewReader(p.Stdin).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return false, fmt.Errorf("read the answer: %w", err)
	}
	answer = strings.ToLower(strings.TrimSpace(answer))
	return answer == "y" || answer == "yes", nil
}

// asks reports whether a person is there to answer.
func (p *Program) asks() bool {
	if p.Asks != nil {
		return p.Asks()
	}
	return terminal(p.Stdin)
}
