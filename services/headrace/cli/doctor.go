package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/headrace/headrace/pkg/config"
	"github.com/headrace/headrace/pkg/profile"
)

// checkTimeout bounds each of doctor's checks.
const checkTimeout = 15 * time.Second

// The outcomes of a check.
const (
	checkOK   = "ok"
	checkWarn = "warn"
	checkFail = "FAIL"
)

// finding is what one check found.
type finding struct {
	Check  string `json:"check"`  // settings, connect, products, …
	Status string `json:"status"` // ok, warn or FAIL
	Found  string `json:"found"`
	Mend   string `json:"mend,omitempty"` // what to do about it
}

// examination collects the findings of one run of doctor.
type examination struct {
	program  *Program
	cfg      *config.Config
	profiles *profile.Set // nil for none
	findings []finding
}

func (e *examination) ok(check, format string, args ...any) {
	e.findings = append(e.findings, finding{check, checkOK, fmt.Sprintf(format, args...), ""})
}

func (e *examination) warn(check, mend, format string, args ...any) {
	e.findings = append(e.findings, finding{check, checkWarn, fmt.Sprintf(format, args...), mend})
}

func (e *examination) fail(check, mend, format string, args ...any) {
	e.findings = append(e.findings, finding{check, checkFail, fmt.Sprintf(format, args...), mend})
}

func (e *examination) failed() bool {
	for _, f := range e.findings {
		if f.Status == checkFail {
			return true
		}
	}
	return false
}

func (p *Program) doctor() *cobra.Command {
	out := newOutput()
	cmd := &cobra.Command{
		Use:     "doctor",
		GroupID: groupLook,
		Short:   "Check settings, Connect, products, templates, vendor and broker",
		Long: `Doctor checks what Headrace needs, and says what is wrong and how to mend it.
It changes nothing, and works whether or not Headrace is running. Its exit
status is 1 if any check fails.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			e := &examination{program: p}
			e.examine(cmd.Context())
			if err := cmd.Context().Err(); err != nil {
				return err
			}
			if err := p.printFindings(e, out.json()); err != nil {
				return err
			}
			if e.failed() {
				return errSilent
			}
			return nil
		},
	}
	out.flag(cmd)
	return cmd
}

func (e *examination) examine(ctx context.Context) {
	if !e.settings() {
		return
	}
	for _, check := range []func(context.Context){e.connect, e.vendor, e.broker, e.process} {
		bounded, cancel := context.WithTimeout(ctx, checkTimeout)
		check(bounded)
		cancel()
	}
}

// settings reports whether the rest can be checked: with a malformed setting
// the checks would ask the wrong ones.
func (e *examination) settings() bool {
	const check = "settings"
	cfg, err := config.Load(e.program.sources())
	e.cfg = cfg
	err = errors.Join(err, e.loadProfiles())
	for _, f := range faults(err) {
		problem, mend, _ := strings.Cut(f.Problem, "; ")
		e.fail(check, mend, "%s %s", f.Setting, problem)
	}
	malformed := err != nil
	if malformed {
		e.warn(check, "mend them and run doctor again", "nothing else is checked while settings are malformed")
		return false
	}
	missing := cfg.Check(config.Need{Connect: true, Vendor: e.program.needsVendor(), Broker: true})
	for _, f := range faults(missing) {
		problem, mend, _ := strings.Cut(f.Problem, "; ")
		e.fail(check, mend, "%s %s", f.Setting, problem)
	}
	if missing == nil {
		e.ok(check, "complete and well-formed")
	}
	if cfg.DryRun {
		e.warn(check, "unset "+cfg.Name("dry_run")+" to have requests carried out", "dry run: nothing is written to the vendor or to Connect")
	}
	return true
}

// faults takes a joined error apart.
func faults(err error) []*config.Fault {
	var out []*config.Fault
	var one *config.Fault
	if joined, ok := err.(interface{ Unwrap() []error }); ok { // the join itself is wanted, not what it wraps
		for _, e := range joined.Unwrap() {
			out = append(out, faults(e)...)
		}
		return out
	}
	if errors.As(err, &one) {
		out = append(out, one)
	}
	return out
}

// diagnosis is doctor's output in JSON.
type diagnosis struct {
	OK       bool             `json:"ok"`
	Checks   []finding        `json:"checks"`
	Settings []config.Setting `json:"settings"`
}

func (p *Program) printFindings(e *examination, asJSON bool) error {
	if asJSON {
		return printJSON(p.Stdout, diagnosis{!e.failed(), e.findings, e.cfg.Settings()})
	}
	for _, f := range e.findings {
		line := fmt.Sprintf("%-4s  %-9s  %s", f.Status, f.Check, clean(f.Found))
		if f.Mend != "" {
			line += "\n                 → " + clean(f.Mend)
		}
		if err := printf(p.Stdout, "%s\n", line); err != nil {
			return err
		}
	}
	if err := printf(p.Stdout, "\nSettings in force, but for the defaults:\n"); err != nil {
		return err
	}
	var rows [][]string
	for _, s := range e.cfg.Settings() {
		if s.Source != config.SourceDefault {
			rows = append(rows, []string{"  " + s.Key, orDash(s.Value), "from " + s.Origin})
		}
	}
	if len(rows) == 0 {
		return printf(p.Stdout, "  none\n")
	}
	return printTable(p.Stdout, rows[0], rows[1:])
}
