package cli

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/headrace/headrace/pkg/broker"
	"github.com/headrace/headrace/pkg/config"
	"github.com/headrace/headrace/pkg/stream"
)

// reach connects to the broker at HEADRACE_NATS_URL, else to the one that
// serves the data directory. It fails with stream.ErrUnreachable or
// broker.ErrNotRunning.
func (p *Program) reach(ctx context.Context, cfg *config.Config) (*stream.Client, error) {
	o := stream.Options{
		URL: string(cfg.NATS.URL), CredsFile: cfg.NATS.Creds, CAFile: cfg.NATS.CA,
		CertFile: cfg.NATS.Cert, KeyFile: cfg.NATS.Key, Name: "headrace-cli", NoReconnect: true,
	}
	serverID := ""
	if o.URL == "" {
		access, err := broker.ReadAccess(p.path(cfg.DataDir))
		if err != nil {
			return nil, err
		}
		o.URL, o.User, o.Password, serverID = access.URL, access.User, access.Password, access.ServerID
	}
	c, err := stream.Connect(ctx, o)
	if err != nil {
		return nil, err
	}
	if id := c.Status().ServerID; serverID != "" && id != serverID {
		c.Close()
		return nil, fmt.Errorf("the broker of %s has stopped, and another answers at its address: %w", cfg.DataDir, broker.ErrNotRunning)
	}
	return c, nil
}

func (p *Program) path(name string) string {
	if p.WorkDir == "" || filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(p.WorkDir, name)
}
