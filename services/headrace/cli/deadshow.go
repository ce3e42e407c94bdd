package cli

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/headrace/headrace/pkg/deadletter"
	"github.com/headrace/headrace/pkg/stream"
)

func (p *Program) deadShow() *cobra.Command {
	out := newOutput()
	var reveal bool
	var by string
	cmd := &cobra.Command{
		Use:   "show ID",
		Short: "Show one dead letter, with the message that it was made of",
		Long: `Show prints a dead letter and the original message: its subject, its headers and
its body. Values of password parameters, and what looks like a credential, are
replaced by dots, wherever they stand. --reveal shows them, after it has put on
record who asked for it. ID is a dead letter's, or a request's, of which it shows
the last.`,
		Example: `  headrace dead show 12
  headrace dead show PR-0000-0000-0000-001 --output json
  headrace dead show 12 --reveal`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usagef(cmd, "dead show takes one id, and was given %d", len(args))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			var v deadletter.View
			err := p.withBroker(cmd, func(c *stream.Client) error {
				e, err := p.letter(cmd, c, args[0])
				if err == nil {
					v, err = viewOf(cmd, c, e, reveal, by)
				}
				return err
			})
			if err != nil {
				return err
			}
			if out.json() {
				return printJSON(p.Stdout, v)
			}
			return p.printLetter(v)
		},
	}
	out.flag(cmd)
	cmd.Flags().BoolVar(&reveal, "reveal", false, "show passwords and credentials as well, on record")
	cmd.Flags().StringVar(&by, "by", "", "with --reveal, who looks, for the audit trail (default: the user who is logged in)")
	return cmd
}

func (p *Program) letter(cmd *cobra.Command, c *stream.Client, id string) (deadletter.Entry, error) {
	e, err := deadletter.Get(cmd.Context(), c, id)
	if errors.Is(err, deadletter.ErrNotFound) {
		err = fmt.Errorf("%w; headrace dead list has the ids", err)
	}
	return e, err
}

func viewOf(cmd *cobra.Command, c *stream.Client, e deadletter.Entry, reveal bool, by string) (deadletter.View, error) {
	if reveal {
		return deadletter.Reveal(cmd.Context(), c, e, operator(by))
	}
	return deadletter.Mask(cmd.Context(), c, e)
}

func (p *Program) printLetter(v deadletter.View) error {
	var rows [][]string
	for _, f := range [][2]string{
		{"id", v.ID}, {"stage", string(v.Stage)}, {"type", string(v.Type)}, {"request", v.RequestID}, {"asset", v.AssetID},
		{"product", v.ProductID}, {"time", v.Time.UTC().Format(time.RFC3339)}, {"attempts", strconv.Itoa(v.Attempts)},
		{"episode", strconv.FormatUint(v.Episode, 10)}, {"subject", v.Subject}, {"stream", v.Stream + " " + strconv.FormatUint(v.Sequence, 10)},
	} {
		rows = append(rows, []string{f[0], orDash(f[1])})
	}
	if err := printTable(p.Stdout, []string{"reason", v.Reason}, rows); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(v.Headers)) {
		for _, value := range v.Headers[name] {
			if err := printf(p.Stdout, "header  %s: %s\n", clean(name), clean(value)); err != nil {
				return err
			}
		}
	}
	return printf(p.Stdout, "\n%s\n", bodyText(v))
}

// bodyText is a body for a terminal.
func bodyText(v deadletter.View) string {
	text, ok := v.Body.(string)
	switch {
	case v.Base64 != nil:
		return fmt.Sprintf("%q", v.Base64)
	case !ok:
		var b bytes.Buffer
		// Writing JSON that was just read into memory does not fail; and JSON
		// escapes control characters, but neither line ends nor its own indent.
		_ = printJSON(&b, v.Body)
		return strings.TrimRight(b.String(), "\n")
	}
	lines := strings.Split(text, "\n")
	for i, l := range lines {
		lines[i] = clean(l)
	}
	return strings.Join(lines, "\n")
}
