package cli

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
)

// caution is the flags of commands that do something to many messages.
type caution struct {
	rate   float64
	dryRun bool
	yes    bool
}

func (c *caution) flags(cmd *cobra.Command, rate float64) {
	flags := cmd.Flags()
	flags.Float64Var(&c.rate, "rate", rate, "at most `n` a second")
	flags.BoolVar(&c.dryRun, "dry-run", false, "say what would be done, and do nothing")
	flags.BoolVar(&c.yes, "yes", false, "do it without asking")
}

func (c *caution) checkRate(cmd *cobra.Command) error {
	const least, most = 0.001, 1_000_000 // beyond which no timer goes
	if !(c.rate >= least && c.rate <= most) {
		return usagef(cmd, "--rate %g is not between %g and %d", c.rate, least, most)
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
