package app

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/headrace/headrace/pkg/connect"
	"github.com/headrace/headrace/pkg/telemetry"
	"github.com/headrace/headrace/pkg/upstream"
)

// probePause is how soon Connect is asked again while it does not take the key.
const probePause = 20 * time.Second

// routeAccounts is what the probe reads. A key may lack the permission to read
// accounts and be good for requests, so only its 401 says anything of the key.
const routeAccounts = "/accounts"

// probe asks Connect who we are until it answers, so that a wrong key or
// address is said at start, and a process without work becomes ready.
func (a *App) probe(ctx context.Context, con *connect.Client) error {
	log := a.log.WithField("endpoint", a.cfg.Connect.Endpoint.String())
	for {
		_, err := con.Accounts.Whoami(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case connect.IsUnauthorized(err) && !isForbidden(err):
			log.WithError(err).Errorf("Connect refuses the API key: put a valid one into %s; nothing fails meanwhile, requests wait", a.cfg.Name("connect.api_key"))
		case connect.IsNotFound(err):
			log.WithError(err).Errorf("this is not Connect's API: check %s, which ends with /public/v1", a.cfg.Name("connect.endpoint"))
		case paused(err): // the pause itself was said
		case connect.IsTransient(err):
			log.WithError(err).Warnf("Connect is not reached: check %s and the network; it will be tried again", a.cfg.Name("connect.endpoint"))
		default:
			a.checkProducts(ctx, con)
			return nil
		}
		if !pauseFor(ctx, probePause) {
			return nil
		}
	}
}

// checkProducts says which of the configured products the key does not see.
func (a *App) checkProducts(ctx context.Context, con *connect.Client) {
	if len(a.cfg.Products) == 0 {
		return
	}
	seen, err := con.Products.List(ctx)
	if err != nil {
		a.log.WithError(err).Warn("the configured products could not be checked")
		return
	}
	for _, id := range a.cfg.Products {
		if !slices.ContainsFunc(seen, func(p connect.Product) bool { return p.ID == id }) {
			a.log.WithField("product_id", id).Errorf("%s names a product that the key does not see: none of its requests will be processed", a.cfg.Name("products"))
		}
	}
}

func isForbidden(err error) bool { return connect.HasStatus(err, http.StatusForbidden) }

func paused(err error) bool {
	_, closed := upstream.ClosedUntil(err)
	return closed
}

// pauseFor reports whether the pause passed before ctx ended.
func pauseFor(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// reportConnect is report for a call to Connect.
func (a *App) reportConnect(route string, status int) {
	if route == routeAccounts && status == http.StatusForbidden {
		status = http.StatusOK
	}
	a.standing.report(telemetry.HealthConnect, status)
}
