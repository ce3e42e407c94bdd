package cli

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/headrace/headrace/pkg/config"
	"github.com/headrace/headrace/pkg/connectsim"
	"github.com/headrace/headrace/pkg/vendorsim"
)

func (p *Program) sim() *cobra.Command {
	cmd := group(&cobra.Command{
		Use:     "sim",
		GroupID: groupTry,
		Short:   "Run a simulator of Connect or of a vendor",
		Long: `A simulator behaves like the real thing, keeps everything in memory, and fails
on demand: PUT /_sim/faults, GET /_sim/calls and POST /_sim/reset steer it.`,
	})
	cmd.AddCommand(p.simConnect(), p.simVendor())
	return cmd
}

func (p *Program) simConnect() *cobra.Command {
	var addr string
	var empty bool
	cmd := &cobra.Command{
		Use:   "connect",
		Short: "Simulate CloudBlue Connect",
		Long: `Connect's base URL is http://HOST:PORT/public/v1. It lets in the key in
HEADRACE_CONNECT_API_KEY, else any that looks like one.`,
		Example: "  headrace sim connect --addr 127.0.0.1:8081",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := p.settings(config.Need{})
			if err != nil {
				return err
			}
			key := cfg.Connect.APIKey.Reveal()
			sim := connectsim.New(connectsim.Options{Empty: empty, APIKey: key})
			shown := "SU-000-000-000:any"
			if key != "" {
				shown = "$HEADRACE_CONNECT_API_KEY"
			}
			return p.simulate(cmd.Context(), addr, sim.Handler(), func(base string) string {
				return fmt.Sprintf(`Connect is at %[1]s%[2]s
  curl -H "Authorization: ApiKey %[3]s" '%[1]s%[2]s/requests?eq(status,pending)&limit=1'
`, base, connectsim.BasePath, shown)
			})
		},
	}
	cmd.Flags().StringVar(&addr, "addr", "127.0.0.1:8081", "`host:port` to listen on; port 0 is a free one")
	cmd.Flags().BoolVar(&empty, "empty", false, "start without requests")
	return cmd
}

func (p *Program) simVendor() *cobra.Command {
	var addr, idempotency string
	var async time.Duration
	cmd := &cobra.Command{
		Use:   "vendor",
		Short: "Simulate a vendor's tenant API",
		Long: `The vendor takes POST /tenant, GET, PUT and DELETE /tenant/ID, and PUT
/tenant/ID/disable and /enable. It knows the tenants of the subscriptions that
the simulated Connect starts with (T-0000-0000-0000 for AS-0000-0000-0000).`,
		Example: "  headrace sim vendor --addr 127.0.0.1:8082 --async 3s",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch {
			case idempotency != vendorsim.IdempotencyKey && idempotency != vendorsim.IdempotencyNone:
				return usagef(cmd, "--idempotency %q is neither key nor none", idempotency)
			case async < 0:
				return usagef(cmd, "--async %s is below zero", async)
			}
			sim := vendorsim.New(vendorsim.Options{Idempotency: idempotency, Async: async, Adopt: adopt})
			return p.simulate(cmd.Context(), addr, sim.Handler(), func(base string) string {
				return fmt.Sprintf(`The vendor is at %[1]s
  curl -d '{"externalId":"AS-1","items":[]}' %[1]s/tenant
  curl %[1]s/_sim/tenants
`, base)
			})
		},
	}
	cmd.Flags().StringVar(&addr, "addr", "127.0.0.1:8082", "`host:port` to listen on; port 0 is a free one")
	cmd.Flags().DurationVar(&async, "async", 0, "a new tenant is \"processing\" for so long")
	cmd.Flags().StringVar(&idempotency, "idempotency", vendorsim.IdempotencyKey, "`key|none`: whether Idempotency-Key is honoured")
	_ = cmd.RegisterFlagCompletionFunc("idempotency", cobra.FixedCompletions([]string{"key", "none"}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

// adopt makes the vendor know the tenants of the subscriptions that a simulated
// Connect starts with: the two run in processes that know nothing of each
// other.
func adopt(id string) (vendorsim.Tenant, bool) {
	digits, ok := strings.CutPrefix(id, "T-")
	if !ok || !regexp.MustCompile(`^\d{4}-\d{4}-\d{4}$`).MatchString(digits) {
		return vendorsim.Tenant{}, false
	}
	asset := "AS-" + digits
	return vendorsim.Tenant{
		ID: connectsim.TenantOf(asset), ExternalID: asset,
		Status: vendorsim.StatusReady, State: vendorsim.StateActive,
	}, true
}

// simulate serves h until ctx ends. Greeting tells where, once it listens.
func (p *Program) simulate(ctx context.Context, addr string, h http.Handler, greeting func(base string) string) error {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", addr)
	if err != nil {
		return fmt.Errorf("listen on %s: %w; give another address with --addr", addr, err)
	}
	base := "http://" + dialable(l.Addr().String())
	if err := printf(p.Stdout, "%s  curl -X PUT -d '{\"status\":503,\"times\":2}' %s/_sim/faults\n", greeting(base), base); err != nil {
		return errors.Join(err, l.Close())
	}
	s := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
	// Calls may be made to wait by a fault, so they are cut off, not drained.
	stop := context.AfterFunc(ctx, func() { _ = s.Close() })
	defer stop()
	if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve on %s: %w", addr, err)
	}
	return nil
}

// dialable makes an address that others can use of one that means every
// interface.
func dialable(addr string) string {
	for _, every := range []string{"[::]:", "0.0.0.0:"} {
		if port, ok := strings.CutPrefix(addr, every); ok {
			return "localhost:" + port
		}
	}
	return addr
}
