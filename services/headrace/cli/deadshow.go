package cli

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/headrace/headrace/pkg/deadletter"
	"github.com/headrace/headrace/pkg/stream"
)

func (p *Program) deadShow() *cobra.Command {
	out := newOutput()
	cmd := &cobra.Command{
		Use:   "show ID",
		Short: "Show one dead letter, with the message that it was made of",
		Long: `Show prints a dead letter and the original message: its subject, its headers and
its body. Values of password parameters are left out. ID is a dead letter's, or
a request's, of which it shows the last.`,
		Example: `  headrace dead show 12
  headrace dead show PR-0000-0000-0000-001 --output json`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usagef(cmd, "dead show takes one id, and was given %d", len(args))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			var e deadletter.Entry
			err := p.withBroker(cmd, func(c *stream.Client) (err error) {
				e, err = deadletter.Get(cmd.Context(), c, args[0])
				return err
			})
			if errors.Is(err, deadletter.ErrNotFound) {
				return fmt.Errorf("%w; headrace dead list has the ids", err)
			}
			if err != nil {
				return err
			}
			if out.json() {
				return printJSON(p.Stdout, shownLetter(e))
			}
			return p.printLetter(e)
		},
	}
	out.flag(cmd)
	return cmd
}

// shown is a dead letter with its body as far as it can be shown.
type shown struct {
	deadletter.Entry
	Body   any    `json:"body"`                  // JSON as such, else text
	Base64 string `json:"body_base64,omitempty"` // what is not text
}

func shownLetter(e deadletter.Entry) shown {
	s := shown{Entry: e}
	switch v, ok := masked(e.Body); {
	case ok:
		s.Body = v
	case utf8.Valid(e.Body):
		s.Body = string(e.Body)
	default:
		s.Base64 = base64.StdEncoding.EncodeToString(e.Body)
	}
	return s
}

func (p *Program) printLetter(e deadletter.Entry) error {
	var rows [][]string
	for _, f := range [][2]string{
		{"id", e.ID}, {"stage", string(e.Stage)}, {"type", string(e.Type)}, {"request", e.RequestID}, {"asset", e.AssetID},
		{"product", e.ProductID}, {"time", e.Time.UTC().Format(time.RFC3339)}, {"attempts", strconv.Itoa(e.Attempts)},
		{"episode", strconv.FormatUint(e.Episode, 10)}, {"subject", e.Subject}, {"stream", e.Stream + " " + strconv.FormatUint(e.Sequence, 10)},
	} {
		rows = append(rows, []string{f[0], orDash(f[1])})
	}
	if err := printTable(p.Stdout, []string{"reason", e.Reason}, rows); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(e.Headers)) {
		for _, v := range e.Headers[name] {
			if err := printf(p.Stdout, "header  %s: %s\n", clean(name), clean(v)); err != nil {
				return err
			}
		}
	}
	return printf(p.Stdout, "\n%s\n", bodyText(e.Body))
}

// bodyText is a body for a terminal.
func bodyText(body []byte) string {
	if v, ok := masked(body); ok {
		var b bytes.Buffer
		// Writing JSON that was just read into memory does not fail; and JSON
		// escapes control characters, but neither line ends nor its own indent.
		_ = printJSON(&b, v)
		return strings.TrimRight(b.String(), "\n")
	}
	if !utf8.Valid(body) {
		return fmt.Sprintf("%q", body)
	}
	lines := strings.Split(string(body), "\n")
	for i, l := range lines {
		lines[i] = clean(l)
	}
	return strings.Join(lines, "\n")
}

// masked reads a body that is JSON and leaves out the values of parameters of
// type password.
func masked(body []byte) (any, bool) {
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber() // 1e400 and long ids stay what they are
	var v any
	if err := d.Decode(&v); err != nil || d.More() {
		return nil, false
	}
	return mask(v), true
}

func mask(v any) any {
	switch v := v.(type) {
	case []any:
		for i := range v {
			v[i] = mask(v[i])
		}
	case map[string]any:
		hide := v["type"] == "password"
		for k := range v {
			if hide && (k == "value" || k == "structured_value") && v[k] != nil && v[k] != "" {
				v[k] = "[redacted]"
				continue
			}
			v[k] = mask(v[k])
		}
	}
	return v
}
