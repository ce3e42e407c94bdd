package profile

import (
	"fmt"
	"net/url"
	"slices"

	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/processor"
)

// Products lists the ids of the products, each once.
func (s *Set) Products() []string {
	var ids []string
	for _, e := range s.entries {
		if !slices.Contains(ids, e.ID.Value) {
			ids = append(ids, e.ID.Value)
		}
	}
	return ids
}

// Endpoints lists the vendors' addresses, each once, without user and password.
func (s *Set) Endpoints() []string {
	var all []string
	for _, e := range s.entries {
		u, err := url.Parse(e.endpoint)
		if err != nil || !e.calls() || slices.Contains(all, u.Redacted()) {
			continue
		}
		all = append(all, u.Redacted())
	}
	return all
}

// Unset lists the variables that secrets are to be read from and that the
// environment does not have, each once: a line for each says where it is named.
func (s *Set) Unset(environ []string) []string {
	env, told := lookup(environ), map[string]bool{}
	var lines []string
	for _, e := range s.entries {
		a := e.Vendor.Auth
		if a == nil || !e.calls() {
			continue
		}
		for _, one := range []*secret{a.Value, a.Password, a.Token, a.ClientSecret} {
			if one == nil || !one.Env.given() || told[one.Env.Value] || env(one.Env.Value) != "" {
				continue
			}
			told[one.Env.Value] = true
			lines = append(lines, fmt.Sprintf("%s:%d: %s: %s is not set; it must be when Headrace starts",
				s.file, one.Env.At.Line, one.Env.At.Path, one.Env.Value))
		}
	}
	return lines
}

// Unguarded lists the products, each once, whose tenants nothing but our own
// streams keeps from being created twice: the vendor honours no key and cannot be
// asked for them.
func (s *Set) Unguarded() []string {
	var ids []string
	for _, e := range s.entries {
		purchase := e.plans[fulfillment.Purchase]
		calls := !e.manual() && (&processor.Profile{Policies: e.policies()}).Policy(fulfillment.Purchase) == processor.PolicyCall
		if calls && !e.idempotent && (purchase == nil || purchase.search == nil) && !slices.Contains(ids, e.ID.Value) {
			ids = append(ids, e.ID.Value)
		}
	}
	return ids
}

// TenantParam is the parameter that holds the tenant's id of a product's
// subscriptions, "" for a product without a profile.
func (s *Set) TenantParam(product string) string {
	for _, e := range s.entries {
		if e.ID.Value == product {
			return e.tenantParam
		}
	}
	return ""
}

// RuleParams are the parameters that the rules of a product are about, each
// once: a rule about one that the product does not have is never applied.
func (s *Set) RuleParams(product string) []string {
	var ids []string
	for _, e := range s.entries {
		if e.ID.Value != product {
			continue
		}
		for _, r := range e.Validation {
			if !slices.Contains(ids, r.Param.Value) {
				ids = append(ids, r.Param.Value)
			}
		}
	}
	return ids
}

// Approves reports whether every entry of the product says what its customers
// are told of an approval.
func (s *Set) Approves(product string) bool {
	said := false
	for _, e := range s.entries {
		if e.ID.Value == product {
			if e.approve == nil {
				return false
			}
			said = true
		}
	}
	return said
}

// Named is a template that a profile names, for those who look whether it is
// there. Scopes are those in which it may be; Type is fulfillment or inquire; one
// of ID and Name is set.
type Named struct {
	Product  string
	Scopes   []string
	Type     string
	ID, Name string
}

// Templates lists the templates that profiles name.
func (s *Set) Templates() []Named {
	var all []Named
	for _, e := range s.entries {
		for _, n := range []struct {
			told   *telling
			scopes []string
			kind   string
		}{
			{e.approve, []string{"asset"}, "fulfillment"},
			{e.tierApprove, []string{"tier1", "tier2"}, "fulfillment"},
			{e.ask, []string{"asset"}, "inquire"},
		} {
			if n.told != nil && (n.told.ID.given() || n.told.Name.given()) {
				all = append(all, Named{e.ID.Value, n.scopes, n.kind, n.told.ID.Value, n.told.Name.Value})
			}
		}
	}
	return all
}
