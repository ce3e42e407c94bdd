// Package cli is the command line of headrace: it reads arguments and settings,
// has the services or an operator's command run, and turns what comes of it
// into words and an exit status. It decides nothing about requests.
package cli

import (
	"context"
	"io"
	"os"

	"github.com/sirupsen/logrus"
	"github.com/spf13/cobra"

	"github.com/headrace/headrace/pkg/config"
	"github.com/headrace/headrace/pkg/telemetry"
	"github.com/headrace/headrace/services/headrace/app"
)

// Program is one run of headrace with all that it takes from its process.
type Program struct {
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	Environ        []string // as os.Environ gives it
	WorkDir        string   // what relative names start from; empty is the process's own

	// Services runs the named services, nil being all of them, until ctx is
	// done and what is in flight has ended.
	Services func(context.Context, Run) error

	// Asks reports whether a person answers at Stdin; nil looks whether it is a
	// terminal.
	Asks func() bool

	configFile string // --config
	// handlers are those of a vendor's own program, which may need no endpoint.
	handlers []app.Handler
}

// Run is what a command wants run.
type Run struct {
	Config   *config.Config
	Log      *logrus.Entry
	Metrics  *telemetry.Metrics
	Health   *telemetry.Health
	Services []string
}

// Main runs headrace with the arguments after its name and returns its exit
// status: 0 done, 1 failed, 2 wrong usage or settings, 3 broker not reached.
// When ctx ends, services drain and commands stop. The handlers take the place
// of services.
func Main(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer, handlers ...app.Handler) int {
	p := &Program{
		Stdin: stdin, Stdout: stdout, Stderr: stderr, Environ: os.Environ(),
		Services: runServices(handlers), handlers: handlers,
	}
	return p.Run(ctx, args)
}

// Run is Main for a Program. It is called once.
func (p *Program) Run(ctx context.Context, args []string) int {
	root := p.root() //nolint:contextcheck // cobra hands it to the command that is run
	root.SetArgs(args)
	root.SetIn(p.Stdin)
	root.SetOut(p.Stdout)
	root.SetErr(p.Stderr)
	cmd, err := root.ExecuteContextC(ctx)
	return p.report(cmd, err)
}

func (p *Program) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "headrace",
		Short: "Carry out CloudBlue Connect's fulfillment requests through a vendor's API",
		Long: `Headrace takes the fulfillment requests that customers' orders create in
CloudBlue Connect, has the vendor's own API carry them out, and reports the
outcome back to Connect.`,
		Example: `  headrace demo
  headrace up
  headrace dead list`,
		Args:              noArgs,
		RunE:              func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		SilenceErrors:     true,
		SilenceUsage:      true,
		DisableAutoGenTag: true,
	}
	root.PersistentFlags().StringVar(&p.configFile, "config", "", "YAML `file` with settings (default: $HEADRACE_CONFIG, else ./headrace.yaml)")
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error { return &usageError{cmd, err} })
	root.AddGroup(&cobra.Group{ID: groupRun, Title: "Run it:"},
		&cobra.Group{ID: groupLook, Title: "Look after it:"},
		&cobra.Group{ID: groupTry, Title: "Try it:"},
		&cobra.Group{ID: groupMore, Title: "More:"})
	root.SetHelpCommandGroupID(groupMore)
	root.SetCompletionCommandGroupID(groupMore)
	root.AddCommand(p.up(), p.run(), p.requests(), p.dead(), p.replay(), p.events(), p.doctor(), p.profile(), p.health(), p.demo(), p.sim(), p.version(), settingsTopic())
	root.SetUsageTemplate(usageTemplate)
	return root
}

// The groups of commands in the help.
const (
	groupRun  = "run"
	groupLook = "look"
	groupTry  = "try"
	groupMore = "more"
)
