package cli

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/headrace/headrace/pkg/config"
)

// healthTimeout is below what container runtimes grant a check.
const healthTimeout = 2 * time.Second

func (p *Program) health() *cobra.Command {
	return &cobra.Command{
		Use:     "health [URL]",
		GroupID: groupLook,
		Short:   "Ask a running headrace whether it is ready",
		Long: `Health asks /readyz at HEADRACE_HTTP_ADDR and fails with the reasons unless that
process is ready. With a URL it fails unless that answers 200. It is for the health
checks of containers, whose image holds no other program that could ask.`,
		Example: `  headrace health
  headrace health http://127.0.0.1:8081/_sim/faults`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usagef(cmd, "health takes one URL, not %d", len(args))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				return p.answers(cmd.Context(), args[0])
			}
			cfg, err := p.settings(config.Need{})
			if err != nil {
				return err
			}
			if cfg.HTTPAddr == config.HTTPOff {
				return fmt.Errorf("ask for health: HEADRACE_HTTP_ADDR is %s; give it an address", config.HTTPOff)
			}
			return p.ready(cmd.Context(), "http://"+dialable(cfg.HTTPAddr)+"/readyz")
		},
	}
}

func (p *Program) ready(ctx context.Context, url string) error {
	report, err := askReady(ctx, url)
	if err != nil {
		return fmt.Errorf("ask for health: %w", err)
	}
	if report.Ready {
		return printf(p.Stdout, "ready\n")
	}
	var reasons []string
	for _, name := range slices.Sorted(maps.Keys(report.Parts)) {
		if part := report.Parts[name]; part.Fatal && !part.OK {
			reasons = append(reasons, name+": "+part.Reason)
		}
	}
	return fmt.Errorf("not ready: %s", strings.Join(reasons, "; "))
}

func (p *Program) answers(ctx context.Context, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return fmt.Errorf("ask for health: %w", err)
	}
	client := http.Client{Timeout: healthTimeout}
	defer client.CloseIdleConnections()
	resp, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("ask for health: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("not ready: %s answers %s", url, resp.Status)
	}
	return printf(p.Stdout, "ready\n")
}
