package cli

import (
	"time"

	"github.com/spf13/cobra"

	"github.com/headrace/headrace/services/headrace/demo"
)

func (p *Program) demo() *cobra.Command {
	o := demo.Options{}
	cmd := &cobra.Command{
		Use:     "demo",
		GroupID: groupTry,
		Short:   "Watch it work: broker, simulators and all services in one process",
		Long: `Demo runs a broker, a simulated Connect, a simulated vendor and all services in
one process, with a few hundred requests of all types. It uses no settings, free
ports and a temporary directory, and leaves nothing behind.

With --exit it ends when all requests are finished, with a table of what came of
them as its last output. Its exit status is 0 if each reached the outcome that
it should, as counted in the simulators.`,
		Example: `  headrace demo
  headrace demo --exit --requests 1000`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.Requests < 5 {
				return usagef(cmd, "--requests %d is too few; there are five types, so give 5 or more", o.Requests)
			}
			o.Out, o.Live = p.Stdout, terminal(p.Stdout)
			return demo.Run(cmd.Context(), o)
		},
	}
	cmd.Flags().BoolVar(&o.Exit, "exit", false, "end when all requests are finished, with a table of the outcomes")
	cmd.Flags().IntVar(&o.Requests, "requests", 300, "`n` requests at the start")
	cmd.Flags().DurationVar(&o.Timeout, "timeout", 5*time.Minute, "with --exit, how long to wait for them")
	return cmd
}
