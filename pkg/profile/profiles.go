package profile

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/guard"
	"github.com/headrace/headrace/pkg/processor"
	"github.com/headrace/headrace/pkg/upstream"
	"github.com/headrace/headrace/pkg/vendorapi"
)

// Options are what the profiles need of the process. The zero value will do for
// all but secrets in variables.
type Options struct {
	// Environ is the environment that secrets are read from, as os.Environ
	// gives it.
	Environ []string
	// Transport makes what calls go through, one for each endpoint and
	// credentials. Nil is vendorapi.NewTransport.
	Transport func() http.RoundTripper
	// Upstream returns what the calls of one endpoint and credentials share: their
	// pauses. Nil is upstream.New, for this process alone.
	Upstream func(upstream.Identity) *upstream.Upstream
	// Observe is told of each call when it has ended; see
	// vendorapi.WithObserver.
	Observe func(endpoint, method, route string, status int, d time.Duration)
	// Made, which may be nil, is told of each profile.
	Made func(*processor.Profile)
	// Instead, if set, takes the place of every vendor: no call is made and no
	// secret read.
	Instead processor.Vendor

	masked  bool // secrets are not read, but shown as such, and so are passwords
	assumed bool // see vendor
}

// Profiles reads the secrets and returns what chooses the profile of a request.
// All that share an endpoint and credentials share its pauses. Its error joins a
// *config.Fault for each secret that is not there.
func (s *Set) Profiles(o Options) (processor.Profiles, error) {
	b := &builder{
		options: o, gates: map[gateKey]*gate{}, products: map[gateKey][]string{},
		secrets: reader{faults: &faults{file: s.file}, env: lookup(o.Environ), masked: o.masked},
	}
	made := make([]*processor.Profile, len(s.entries))
	keys := make([]gateKey, len(s.entries))
	for i, e := range s.entries {
		if o.Instead == nil && e.calls() {
			keys[i] = gateKey{e.endpoint, b.secrets.credentials(e.Vendor.Auth)}
			b.products[keys[i]] = append(b.products[keys[i]], e.ID.Value)
		}
	}
	for i, e := range s.entries {
		var err error
		if made[i], err = b.profile(e, keys[i]); err != nil {
			return nil, err
		}
	}
	if err := b.secrets.faults.joined(); err != nil {
		return nil, err
	}
	if o.Made != nil {
		for _, p := range made {
			o.Made(p)
		}
	}
	return func(w *processor.Work) (*processor.Profile, error) {
		i, err := s.choose(w.Key.Product, environmentOf(w))
		if err != nil {
			return nil, err
		}
		return made[i], nil
	}, nil
}

// choose finds the entry of a product for a type of connection.
func (s *Set) choose(product, environment string) (int, error) {
	i := slices.IndexFunc(s.entries, func(e *entry) bool {
		in := values(e.Environments)
		return e.ID.Value == product && (len(in) == 0 || slices.Contains(in, environment))
	})
	switch {
	case i >= 0:
		return i, nil
	case slices.Contains(s.Products(), product):
		return 0, fmt.Errorf("product %s has no profile for connections of type %q: add one below products in %s", product, environment, s.file)
	}
	return 0, fmt.Errorf("product %s has no profile: add one below products in %s", product, s.file)
}

func environmentOf(w *processor.Work) string {
	if w.Tier != nil {
		return w.Tier.Configuration.Connection.Type
	}
	return w.Request.Asset.Connection.Type
}

func lookup(environ []string) func(string) string {
	return func(name string) string {
		for _, one := range slices.Backward(environ) {
			if v, ok := strings.CutPrefix(one, name+"="); ok {
				return strings.TrimSpace(v)
			}
		}
		return ""
	}
}

// builder makes the profiles of a set.
type builder struct {
	options Options
	secrets reader
	// gates and products are those of an endpoint with its credentials.
	gates    map[gateKey]*gate
	products map[gateKey][]string
}

// gate is what the calls of an endpoint with its credentials go through.
type gate struct {
	http.RoundTripper
	upstream *upstream.Upstream
}

type gateKey struct {
	endpoint string
	credentials
}

func (b *builder) profile(e *entry, key gateKey) (*processor.Profile, error) {
	p := &processor.Profile{
		Idempotent: e.idempotent, TenantParam: e.tenantParam, Manual: e.manual(), Overdue: e.overdue,
		Validate: e.validate, Rejection: e.rejection, Policies: e.policies(), Approval: e.approval, Inquiry: e.inquiry,
		IfRefused: fulfillment.Decision(e.IfRefused.Value), Vendor: b.options.Instead,
	}
	if p.Vendor != nil || !e.calls() {
		return p, nil
	}
	api, err := b.client(e, key)
	if err != nil {
		return nil, fmt.Errorf("make client of %s: %w", e.name(), err)
	}
	p.Upstream = b.gates[key].upstream
	v := &vendor{
		api: api, plans: e.plans, tenantParam: e.tenantParam,
		standard: processor.TenantVendor{API: api}, assumed: b.options.assumed, masked: b.options.masked,
	}
	p.Vendor = v
	if purchase := e.plans[fulfillment.Purchase]; purchase != nil && purchase.search != nil {
		p.Finder, p.Settle = v, e.settle
	}
	return p, nil
}

func (b *builder) client(e *entry, key gateKey) (*vendorapi.Client, error) {
	u, err := url.Parse(e.endpoint)
	if err != nil {
		return nil, errors.New("its endpoint is not a URL") // which may hold a password
	}
	if b.gates[key] == nil {
		b.gates[key] = b.gate(e, key, u.Host)
	}
	options := []vendorapi.Option{vendorapi.WithTransport(b.gates[key])}
	if e.timeout > 0 {
		options = append(options, vendorapi.WithTimeout(e.timeout))
	}
	if observe := b.options.Observe; observe != nil {
		options = append(options, vendorapi.WithObserver(func(method, route string, status int, d time.Duration) {
			observe(e.endpoint, method, route, status, d)
		}))
	}
	return vendorapi.New(e.endpoint, options...)
}

// gate puts a gate before the credentials: a call that has to wait needs none.
// The guard comes last; a token is fetched for many, and without it.
func (b *builder) gate(e *entry, key gateKey, host string) *gate {
	c := key.credentials
	base := http.RoundTripper(vendorapi.NewTransport())
	if b.options.Transport != nil {
		base = b.options.Transport()
	}
	guarded := guard.Transport(base)
	signed := guarded
	switch c.kind {
	case authNone:
	case authOAuth2:
		signed = newTokens(c, host, base, guarded)
	default:
		signed = &signer{c, host, guarded}
	}
	i := upstream.Identity{
		Kind: fulfillment.UpstreamVendor, Name: "the vendor at " + host,
		Endpoint: e.endpoint, Account: account(e.Vendor.Auth), Products: slices.Compact(b.products[key]),
	}
	of := b.options.Upstream
	if of == nil {
		of = func(i upstream.Identity) *upstream.Upstream { return upstream.New(upstream.Options{Identity: i}) }
	}
	u := of(i)
	return &gate{upstream.NewGate(u, signed), u}
}
