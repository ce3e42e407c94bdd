package app

import (
	"cmp"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/headrace/headrace/pkg/config"
	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/guard"
	"github.com/headrace/headrace/pkg/processor"
	"github.com/headrace/headrace/pkg/profile"
	"github.com/headrace/headrace/pkg/telemetry"
	"github.com/headrace/headrace/pkg/upstream"
	"github.com/headrace/headrace/pkg/vendorapi"
)

// profiles chooses the profile of a request: where none is configured, all
// products share the default one.
func (a *App) profiles() (processor.Profiles, error) {
	if a.cfg.Profiles != "" {
		return a.configured()
	}
	v, u, err := a.vendor()
	if err != nil {
		return nil, err
	}
	p := &processor.Profile{
		Vendor: v, Upstream: u, Idempotent: a.cfg.Vendor.Idempotency == config.IdempotencyKey,
		TenantParam: processor.DefaultTenantParam, Validate: processor.Required,
	}
	if v == nil {
		p.Decider = noVendor{}
	} else if !p.Idempotent {
		a.unguarded = "all products"
	}
	a.inUse = []*processor.Profile{p}
	return func(*processor.Work) (*processor.Profile, error) { return p, nil }, nil
}

// configured are the profiles of the settings file.
func (a *App) configured() (processor.Profiles, error) {
	set, err := profile.Load(a.cfg.Profiles, a.cfg.Vendor)
	if err != nil {
		return nil, fmt.Errorf("load profiles: %w", err)
	}
	a.unguarded = strings.Join(set.Unguarded(), ", ")
	o := profile.Options{
		Environ: a.environ, Observe: a.vendorCalled, Upstream: a.vendorUpstream,
		Made: func(p *processor.Profile) { a.inUse = append(a.inUse, p) },
	}
	if a.cfg.DryRun {
		o.Instead = dryVendor{log: a.log}
	}
	for _, endpoint := range set.Endpoints() {
		a.health.Set(a.vendorPart(endpoint), true, false, "not called yet")
	}
	return set.Profiles(o)
}

// tenantParam is the parameter that holds the tenant's id of a product's
// subscriptions, for the events. A process that carries nothing out can do
// without the profiles.
func (a *App) tenantParam() func(product string) string {
	set := new(profile.Set)
	if a.cfg.Profiles != "" {
		loaded, err := profile.Load(a.cfg.Profiles, a.cfg.Vendor)
		if err != nil {
			a.log.WithError(err).Warn("the profiles can't be read: events take " + processor.DefaultTenantParam + " for the tenant's id")
		} else {
			set = loaded
		}
	}
	return func(product string) string {
		return cmp.Or(set.TenantParam(product), processor.DefaultTenantParam)
	}
}

func (a *App) vendor() (processor.Vendor, *upstream.Upstream, error) {
	if a.cfg.DryRun {
		return dryVendor{log: a.log}, nil, nil
	}
	endpoint := string(a.cfg.Vendor.Endpoint)
	if endpoint == "" {
		return nil, nil, nil // only what calls no vendor, or has handlers of its own, runs here: config.Check saw to that
	}
	a.health.Set(telemetry.HealthVendor, true, false, "not called yet")
	u := a.vendorUpstream(upstream.Identity{Kind: fulfillment.UpstreamVendor, Name: "the vendor", Endpoint: endpoint})
	v, err := vendorapi.New(endpoint,
		vendorapi.WithTransport(upstream.NewGate(u, guard.Transport(vendorapi.NewTransport()))),
		vendorapi.WithObserver(func(method, route string, status int, d time.Duration) {
			a.vendorCalled(endpoint, method, route, status, d)
		}))
	if err != nil {
		return nil, nil, fmt.Errorf("vendor client: %w", err)
	}
	return processor.TenantVendor{API: v}, u, nil
}

// vendorUpstream is the upstream of a vendor's calls.
func (a *App) vendorUpstream(i upstream.Identity) *upstream.Upstream {
	a.vendors++
	return a.upstream(i, a.vendorPart(i.Endpoint))
}

func (a *App) vendorCalled(endpoint, method, route string, status int, d time.Duration) {
	a.metrics.VendorCall(hostOf(endpoint), method, route, status, d)
	a.standing.report(a.vendorPart(endpoint), status)
}

// vendorPart is what /readyz calls a vendor: those of profiles by their hosts.
func (a *App) vendorPart(endpoint string) string {
	if hostOf(endpoint) == hostOf(string(a.cfg.Vendor.Endpoint)) {
		return telemetry.HealthVendor
	}
	return telemetry.HealthVendor + " " + hostOf(endpoint)
}

func hostOf(endpoint string) string {
	u, err := url.Parse(endpoint)
	if err != nil {
		return ""
	}
	return u.Host
}
