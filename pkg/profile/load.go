package profile

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/headrace/headrace/pkg/config"
	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/processor"
)

// Set is the profiles of a settings file. It does not change.
type Set struct {
	file    string
	entries []*entry
}

// entry is one product in some environments.
type entry struct {
	product
	endpoint    string
	idempotent  bool
	timeout     time.Duration
	tenantParam string
	overdue     time.Duration
	settle      time.Duration
	plans       map[fulfillment.Type]*plan
	checks      []check
	bounds      []bound
	refusals    []refused
	approve     *telling
	tierApprove *telling
	ask         *telling
}

// Load reads and checks the products of a settings file. What an entry leaves
// out of its vendor is taken from defaults. Its error joins a *config.Fault for
// all that is wrong, and then there is no Set.
func Load(file string, defaults config.Vendor) (*Set, error) {
	f := &faults{file: filepath.Base(file)}
	products := f.products(file)
	s := &Set{file: f.file}
	for i := range products {
		s.entries = append(s.entries, f.entry(&products[i], defaults))
	}
	f.overlaps(products)
	if err := f.joined(); err != nil {
		return nil, err
	}
	return s, nil
}

// products decodes the entries of the key products.
func (f *faults) products(file string) []product {
	data, err := os.ReadFile(file)
	if err != nil {
		f.add(position{}, "%v; name a file that can be read", err)
		return nil
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(data, &doc); err != nil {
		f.add(position{}, "is not YAML (%v); mend that line", err)
		return nil
	}
	var products []product
	if len(doc.Content) > 0 && doc.Content[0].Kind == yaml.MappingNode {
		for _, pair := range merged(doc.Content[0]) {
			if pair[0].Value == "products" {
				f.decode(pair[1], "products", reflect.ValueOf(&products).Elem())
			}
		}
	}
	if len(products) == 0 && len(f.list) == 0 {
		f.add(position{}, "has no profiles; put a list of them below products")
	}
	return products
}

func (f *faults) entry(p *product, defaults config.Vendor) *entry {
	e := &entry{
		product: *p, endpoint: string(defaults.Endpoint), idempotent: defaults.Idempotency != config.IdempotencyNone,
		timeout: f.duration(p.Vendor.Timeout), tenantParam: processor.DefaultTenantParam, overdue: f.duration(p.Overdue),
		plans: map[fulfillment.Type]*plan{}, approve: f.telling(p.Templates.Approve, true),
		tierApprove: f.telling(p.Templates.TierApprove, false), ask: f.telling(p.Templates.Inquire, false),
	}
	if v := p.Vendor; v.Endpoint.given() {
		e.endpoint = v.Endpoint.Value
		f.address(v.Endpoint)
	}
	if v := p.Vendor.Idempotency; v.given() {
		e.idempotent = v.Value == string(config.IdempotencyKey)
	}
	if p.TenantParam.given() {
		e.tenantParam = p.TenantParam.Value
	}
	f.auth(p.Vendor.Auth)
	ops := p.operations()
	for _, t := range fulfillment.Types() {
		if ops[t] != nil {
			e.plans[t] = f.plan(t, ops[t])
		}
	}
	e.settle = f.settle(e)
	for i := range p.Validation {
		e.checks = append(e.checks, f.check(&p.Validation[i]))
	}
	for i := range p.Limits {
		e.bounds = append(e.bounds, f.bound(&p.Limits[i]))
	}
	for i := range p.Refuse {
		e.refusals = append(e.refusals, f.refused(&p.Refuse[i]))
	}
	if e.endpoint == "" && e.calls() {
		f.add(p.At, "lacks vendor.endpoint; there is none in the settings either")
	}
	return e
}

// calls reports whether any type of the product calls the vendor.
func (e *entry) calls() bool {
	if e.manual() {
		return false
	}
	profile := &processor.Profile{Policies: e.policies()}
	return slices.ContainsFunc(fulfillment.Types(), func(t fulfillment.Type) bool {
		return profile.Policy(t) == processor.PolicyCall
	})
}

func (e *entry) manual() bool { return e.Mode.Value == "manual" }

func (e *entry) policies() map[fulfillment.Type]processor.Policy {
	said := map[fulfillment.Type]processor.Policy{}
	for t, p := range e.plans {
		if p.policy != "" {
			said[t] = p.policy
		}
	}
	return said
}

// address checks that t is a URL that calls can be made below.
func (f *faults) address(t text) {
	u, err := url.Parse(t.Value)
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		f.add(t.At, "is not an http or https URL")
	case u.User != nil:
		f.add(t.At, "has credentials in it; they belong to vendor.auth")
	case u.RawQuery != "" || u.Fragment != "":
		f.add(t.At, "has a query or a fragment; give the base URL alone")
	}
}

// overlaps tells of entries between which could not be chosen.
func (f *faults) overlaps(products []product) {
	for i, p := range products {
		for _, other := range products[:i] {
			if p.ID.given() && p.ID.Value == other.ID.Value && common(values(p.Environments), values(other.Environments)) {
				f.add(p.ID.At, "is for %s, like the entry in line %d, in the same environments; give both environments of their own",
					p.ID.Value, other.ID.At.Line)
			}
		}
	}
}

func common(a, b []string) bool {
	if len(a) == 0 || len(b) == 0 {
		return true
	}
	return slices.ContainsFunc(a, func(s string) bool { return slices.Contains(b, s) })
}

func (e *entry) name() string {
	return fmt.Sprintf("%s %v", e.ID.Value, values(e.Environments))
}
