package cli

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/headrace/headrace/pkg/stream"
)

// listing is a command that prints what it finds at the broker.
type listing[T any] struct {
	in    *scope
	out   *output
	limit int
	find  func(context.Context, *stream.Client) ([]T, error)
	print func([]T) error
	// latest says that a limit leaves the last of them, not the first.
	latest bool
}

// flags adds those that all listings have beside their scope's.
func (l *listing[T]) flags(cmd *cobra.Command, limit string) {
	l.out = newOutput()
	l.out.flag(cmd)
	cmd.Flags().IntVar(&l.limit, "limit", 0, limit)
}

func (l *listing[T]) run(p *Program, cmd *cobra.Command) error {
	if l.limit < 0 {
		return usagef(cmd, "--limit %d is below zero", l.limit)
	}
	if err := l.in.check(cmd); err != nil {
		return err
	}
	var found []T
	err := p.withBroker(cmd, func(c *stream.Client) (err error) {
		found, err = l.find(cmd.Context(), c)
		return err
	})
	if err != nil {
		return err
	}
	if over := len(found) - l.limit; l.limit > 0 && over > 0 {
		if l.latest {
			found = found[over:]
		}
		found = found[:l.limit]
	}
	if l.out.json() {
		return printJSON(p.Stdout, found)
	}
	return l.print(found)
}
