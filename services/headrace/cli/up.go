package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/headrace/headrace/pkg/config"
	"github.com/headrace/headrace/pkg/telemetry"
	"github.com/headrace/headrace/services/headrace/app"
)

func (p *Program) up() *cobra.Command {
	return &cobra.Command{
		Use:     "up",
		GroupID: groupRun,
		Short:   "Run everything in one process, with a broker of its own",
		Long: `Up runs every service in one process. It brings a broker of its own, which keeps
its streams in HEADRACE_DATA_DIR, unless HEADRACE_NATS_URL names another.

SIGTERM or Ctrl-C takes no more requests, finishes those in flight and ends; a
second one ends at once.`,
		Example: `  HEADRACE_CONNECT_API_KEY='ApiKey SU-000-000-000:...' \
  HEADRACE_VENDOR_ENDPOINT=https://vendor.example/api headrace up`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.serve(cmd, config.Need{Connect: true, Vendor: p.needsVendor(), Broker: true}, nil)
		},
	}
}

func (p *Program) run() *cobra.Command {
	return &cobra.Command{
		Use:     "run SERVICE...",
		GroupID: groupRun,
		Short:   "Run only the named services, against the broker at HEADRACE_NATS_URL",
		Long: `Run runs the named services in one process, against the broker at
HEADRACE_NATS_URL. Run as many processes of a service as you like.

Services: ` + strings.Join(app.Services(), " "),
		Example: `  HEADRACE_NATS_URL=nats://broker:4222 headrace run purchase change
  HEADRACE_NATS_URL=nats://broker:4222 headrace run fetcher committer`,
		Args: serviceArgs,
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			left := slices.DeleteFunc(app.Services(), func(s string) bool { return slices.Contains(args, s) })
			return left, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			need := config.Need{Connect: true, RemoteBroker: true, Vendor: p.needsVendor() && slices.ContainsFunc(args, callsVendor)}
			return p.serve(cmd, need, args)
		},
	}
}

// serviceArgs wants names of services, each once.
func serviceArgs(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return usagef(cmd, "run needs the name of a service: %s", strings.Join(app.Services(), ", "))
	}
	for i, name := range args {
		if slices.Contains(args[:i], name) {
			return usagef(cmd, "%s is named twice", name)
		}
		if slices.Contains(config.Services(), name) {
			continue
		}
		hint := "the services are " + strings.Join(app.Services(), ", ")
		if near, ok := config.Nearest(name, config.Services()); ok {
			hint = fmt.Sprintf("did you mean %s?", near)
		}
		return usagef(cmd, "there is no service %q; %s", name, hint)
	}
	return nil
}

// needsVendor is false for a program with handlers, which know where their
// vendor is; without an endpoint, what they do not take is held.
func (p *Program) needsVendor() bool { return len(p.handlers) == 0 }

func callsVendor(service string) bool {
	return service != "fetcher" && service != "committer" && service != "tierconfig"
}

func (p *Program) serve(cmd *cobra.Command, need config.Need, services []string) error {
	cfg, err := p.settings(need)
	if err != nil {
		return err
	}
	ctx, log := cmd.Context(), p.logger(cfg.Log)
	version, commit := buildVersion()
	log.WithField("version", version).Info("starting")
	if len(cfg.Ignored) > 0 {
		log.Warnf("ignored, as they are no settings of this version: %s", strings.Join(cfg.Ignored, ", "))
	}
	stop := context.AfterFunc(ctx, func() {
		log.WithField("drain_timeout", cfg.DrainTimeout.String()).Info("draining: what is in flight is finished; a second signal ends it at once")
	})
	defer stop()
	return p.Services(ctx, Run{
		Config: cfg, Log: log, Metrics: telemetry.New(telemetry.WithVersion(version, commit)),
		Health: telemetry.NewHealth(), Services: services,
	})
}
