package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/headrace/headrace/pkg/broker"
	"github.com/headrace/headrace/pkg/config"
	"github.com/headrace/headrace/pkg/stream"
)

// The exit statuses, which scripts rely on.
const (
	statusDone     = 0
	statusFailed   = 1
	statusUsage    = 2
	statusNoBroker = 3
)

// usageError is a fault of the command line.
type usageError struct {
	cmd *cobra.Command
	err error
}

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

func usagef(cmd *cobra.Command, format string, args ...any) error {
	return &usageError{cmd, fmt.Errorf(format, args...)}
}

// errSilent is a failure that was told already, on the standard output.
var errSilent = errors.New("failed")

// report tells an error, once, and returns the exit status.
func (p *Program) report(cmd *cobra.Command, err error) int {
	if err == nil {
		return statusDone
	}
	if errors.Is(err, errSilent) {
		return statusFailed
	}
	if errors.Is(err, context.Canceled) && cmd.Context().Err() != nil {
		err = errors.New("interrupted")
	}
	text := explain(err)
	var fault *config.Fault
	if !errors.As(err, &fault) {
		// Only faults of settings are a list; other errors are joined to one.
		text = strings.ReplaceAll(text, "\n", ": ")
	}
	for line := range strings.Lines(text) {
		p.errorf("headrace: %s\n", clean(strings.TrimRight(line, "\n")))
	}
	var usage *usageError
	if errors.As(err, &usage) {
		p.errorf("\n%s\n", shortUsage(usage.cmd))
	}
	return exitStatus(err)
}

// errorf writes to the standard error; where that is gone nobody is left to
// tell.
func (p *Program) errorf(format string, args ...any) {
	_, _ = fmt.Fprintf(p.Stderr, format, args...)
}

func exitStatus(err error) int {
	var usage *usageError
	var fault *config.Fault
	switch {
	case errors.As(err, &usage), errors.As(err, &fault):
		return statusUsage
	case errors.Is(err, stream.ErrUnreachable), errors.Is(err, stream.ErrCredentials), errors.Is(err, broker.ErrNotRunning):
		return statusNoBroker
	}
	return statusFailed
}

// explain adds what to do where the error itself can't know.
func explain(err error) string {
	switch {
	case errors.Is(err, stream.ErrCredentials):
		return err.Error() + "; check HEADRACE_NATS_URL, HEADRACE_NATS_CREDS, HEADRACE_NATS_CERT and HEADRACE_NATS_KEY"
	case errors.Is(err, stream.ErrUnreachable):
		return err.Error() + "; check HEADRACE_NATS_URL and that the broker runs"
	}
	return err.Error()
}

// shortUsage is what to show with a usage error: the whole help would push the
// error itself off the screen.
func shortUsage(cmd *cobra.Command) string {
	line := cmd.UseLine()
	if cmd.HasAvailableSubCommands() {
		line = cmd.CommandPath() + " COMMAND"
	}
	return fmt.Sprintf("usage: %s\nMore with: %s --help", line, cmd.CommandPath())
}

// noArgs refuses arguments; of a command with commands below it, it is one that
// does not exist.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	if !cmd.HasAvailableSubCommands() {
		return usagef(cmd, "%s takes no arguments, and was given %q", cmd.CommandPath(), args[0])
	}
	hint := ""
	if near, ok := config.Nearest(args[0], childNames(cmd)); ok {
		hint = fmt.Sprintf("; did you mean %s?", near)
	}
	return usagef(cmd, "there is no command %q%s", cmd.CommandPath()+" "+args[0], hint)
}

// group makes a command of which only those below it do something.
func group(cmd *cobra.Command) *cobra.Command {
	cmd.Args = noArgs
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return usagef(cmd, "%s what? The commands are %s", cmd.Name(), strings.Join(childNames(cmd), ", "))
	}
	return cmd
}

func childNames(cmd *cobra.Command) []string {
	var names []string
	for _, c := range cmd.Commands() {
		if c.IsAvailableCommand() {
			names = append(names, c.Name())
		}
	}
	return names
}
