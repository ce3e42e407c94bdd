package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/headrace/headrace/pkg/config"
	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/profile"
)

func (p *Program) profile() *cobra.Command {
	cmd := group(&cobra.Command{
		Use:     "profile",
		GroupID: groupLook,
		Short:   "Check and try the product profiles of a settings file",
	})
	cmd.AddCommand(p.profileCheck(), p.profileTry())
	return cmd
}

func (p *Program) profileCheck() *cobra.Command {
	return &cobra.Command{
		Use:   "check FILE",
		Short: "Tell everything that is wrong with a file's profiles",
		Long: `Check reads a settings file with product profiles and tells every fault at once,
with file, line and field. It needs no secrets, and calls nobody: a variable of a
secret that is not set is a warning. Its exit status is 1 if anything is wrong.`,
		Example: `  headrace profile check headrace.yaml`,
		Args:    files(1, "check takes the name of a settings file"),
		RunE: func(_ *cobra.Command, args []string) error {
			set, err := p.profiles(args[0])
			if err != nil {
				return p.tellFaults(err)
			}
			for _, line := range set.Unset(p.Environ) {
				if err := printf(p.Stdout, "warning: %s\n", clean(line)); err != nil {
					return err
				}
			}
			return printf(p.Stdout, "%s: ok, with profiles of %s\n", args[0], strings.Join(set.Products(), ", "))
		},
	}
}

func (p *Program) profileTry() *cobra.Command {
	out, answerFile := newOutput(), ""
	cmd := &cobra.Command{
		Use:   "try FILE REQUEST.json",
		Short: "Show what would be sent and decided for a request, without sending it",
		Long: `Try prints the calls that the profiles of a settings file would make for a request,
as Connect's API gives it, and what would be decided. It sends nothing, and reads
no secrets: they are shown as [redacted], and so are parameters of type password.

What is decided after a call depends on the answer. The file of --answer is taken
for the answer to each call. Without it the calls are shown as if all went well,
and the decision only where it does not depend on the answer.`,
		Example: `  headrace profile try headrace.yaml request.json
  headrace profile try headrace.yaml request.json --answer tenant.json`,
		Args: files(2, "try takes the names of a settings file and of a request's file"),
		RunE: func(cmd *cobra.Command, args []string) error {
			set, err := p.profiles(args[0])
			if err != nil {
				return p.tellFaults(err)
			}
			request, err := os.ReadFile(p.path(args[1]))
			if err != nil {
				return err
			}
			var answer []byte
			if answerFile != "" {
				if answer, err = os.ReadFile(p.path(answerFile)); err != nil {
					return err
				}
			}
			trial, err := set.Try(cmd.Context(), request, answer)
			if err != nil {
				return fmt.Errorf("try %s: %w", args[1], err)
			}
			if out.json() {
				return printJSON(p.Stdout, trial)
			}
			return printTrial(p.Stdout, trial)
		},
	}
	cmd.Flags().StringVar(&answerFile, "answer", "", "JSON `file` with the vendor's answer to each call")
	out.flag(cmd)
	return cmd
}

// files wants n arguments.
func files(n int, complaint string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) != n {
			return usagef(cmd, "profile %s, and was given %d", complaint, len(args))
		}
		return nil
	}
}

// profiles loads the profiles of a file, and checks its other settings on the
// way.
func (p *Program) profiles(file string) (*profile.Set, error) {
	cfg, err := config.Load(config.Sources{File: file, Environ: p.Environ, WorkDir: p.WorkDir})
	set, faults := profile.Load(p.path(file), cfg.Vendor)
	return set, errors.Join(err, faults)
}

// tellFaults prints faults as results: the command was used rightly, and this
// is what it was asked for.
func (p *Program) tellFaults(err error) error {
	for line := range strings.Lines(err.Error()) {
		if err := printf(p.Stdout, "%s\n", clean(strings.TrimRight(line, "\n"))); err != nil {
			return err
		}
	}
	return errSilent
}

func printTrial(w io.Writer, t *profile.Trial) error {
	var b strings.Builder
	for _, c := range t.Calls {
		fmt.Fprintf(&b, "%s %s\n", c.Method, c.URL)
		for _, name := range slices.Sorted(maps.Keys(c.Header)) {
			fmt.Fprintf(&b, "  %s: %s\n", name, clean(c.Header[name]))
		}
		if len(c.Body) > 0 {
			body, err := json.MarshalIndent(c.Body, "  ", "  ")
			if err != nil {
				return fmt.Errorf("print: %w", err)
			}
			fmt.Fprintf(&b, "\n  %s\n", body)
		}
		b.WriteString("\n")
	}
	if t.Decision == "" {
		b.WriteString("decision: depends on the answer; give one with --answer\n")
		return printf(w, "%s", b.String())
	}
	fmt.Fprintf(&b, "decision: %s\n", t.Decision)
	if t.Reason != "" {
		fmt.Fprintf(&b, "reason: %s\n", clean(t.Reason))
	}
	for _, param := range t.Params {
		fmt.Fprintf(&b, "parameter %s: %s\n", param.ID, clean(described(param)))
	}
	for _, told := range [][2]string{{"template", t.ID}, {"template", t.Name}, {"tile", t.Tile}} {
		if told[1] != "" {
			fmt.Fprintf(&b, "%s: %s\n", told[0], clean(told[1]))
		}
	}
	return printf(w, "%s", b.String())
}

func described(p fulfillment.Param) string {
	if p.ValueError != nil && *p.ValueError != "" {
		return "error: " + *p.ValueError
	}
	if p.Value != nil {
		return *p.Value
	}
	return ""
}
