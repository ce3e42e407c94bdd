package cli

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/headrace/headrace/pkg/connect"
	"github.com/headrace/headrace/pkg/processor"
	"github.com/headrace/headrace/pkg/profile"
)

// loadProfiles reads the profiles and their secrets, if there are any; its
// error joins the faults.
func (e *examination) loadProfiles() error {
	if e.cfg.Profiles == "" {
		return nil
	}
	set, err := profile.Load(e.cfg.Profiles, e.cfg.Vendor)
	if err != nil {
		return err
	}
	e.profiles = set
	_, err = set.Profiles(profile.Options{Environ: e.program.Environ})
	return err
}

// vendors asks the profiles' vendors as vendor does, but without credentials:
// that they are refused is as good an answer as any.
func (e *examination) vendors(ctx context.Context) {
	const check = "vendor"
	for _, endpoint := range e.profiles.Endpoints() {
		code, err := askVendor(ctx, endpoint+"/tenant/headrace-doctor")
		switch {
		case err != nil:
			e.fail(check, "check vendor.endpoint of the profiles, and that the vendor's API runs", "%s is not reached: %v", endpoint, err)
		case code >= http.StatusInternalServerError:
			e.warn(check, "see to the vendor's API; requests wait until then", "%s answers %d", endpoint, code)
		default:
			e.ok(check, "%s answers (%d, without credentials)", endpoint, code)
		}
	}
	if products := e.profiles.Unguarded(); len(products) > 0 {
		e.unguarded(strings.Join(products, ", "))
	}
}

// unguarded tells what the purchases of some products have to do without.
func (e *examination) unguarded(products string) {
	e.warn("vendor", "set "+e.cfg.Name("vendor.idempotency")+" to key if the vendor honours Idempotency-Key; else give the purchase of a profile a lookup",
		"%s: idempotency none and no lookup: a purchase whose outcome is unknown is held for a person, and one that was under way when the streams are lost could get a second tenant", products)
}

// tenantParam is where the product keeps its tenant's id.
func (e *examination) tenantParam(product string) string {
	if e.profiles != nil {
		if id := e.profiles.TenantParam(product); id != "" {
			return id
		}
	}
	return processor.DefaultTenantParam
}

// rules looks whether the product has the parameters that the rules of its
// profile are about.
func (e *examination) rules(product string, params []connect.Param) {
	for _, id := range e.profiles.RuleParams(product) {
		if !slices.ContainsFunc(params, func(p connect.Param) bool { return p.Name == id }) {
			e.fail("products", "correct the profile, or add the parameter to the product", "%s has no parameter %s, for which its profile has a rule", product, id)
		}
	}
}

// named looks for the templates that the product's profiles name, and reports
// whether they say how its requests are approved.
func (e *examination) named(ctx context.Context, c *connect.Client, product string) bool {
	if e.profiles == nil {
		return false
	}
	for _, n := range e.profiles.Templates() {
		if n.Product != product {
			continue
		}
		var found []connect.Template
		for _, scope := range n.Scopes {
			some, err := c.Templates.List(ctx, product, scope, n.Type)
			if err != nil {
				e.fail("templates", "give the key the permission to read templates", "%s: %v", product, err)
				return true
			}
			found = append(found, some...)
		}
		if !slices.ContainsFunc(found, func(t connect.Template) bool { return t.ID == n.ID || n.ID == "" && t.Name == n.Name }) {
			e.fail("templates", "correct the profile, or create the template; requests are held until then",
				"%s has no template %s%s of type %s, which its profile names", product, n.ID, n.Name, n.Type)
		}
	}
	return e.profiles.Approves(product)
}
