package facts

import (
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/headrace/headrace/pkg/connect"
	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/redact"
)

// view is what may be told of a request, worked out once for all events of a
// story: several go out with each request that is carried out.
type view struct {
	rules  Rules
	about  About
	params []connect.Param // with what is on its way
	people []string        // what the accounts say of them
	lower  []string        // the same in lower case
	// tenant is the tenant's id, and let are the parameters that may leave. Those
	// without a value are missing.
	tenant string
	let    []fulfillment.Parameter
}

func (r Rules) view(product string, a About) *view {
	v := &view{rules: r, about: a, params: a.params(), people: personal(a)}
	for _, text := range v.people {
		v.lower = append(v.lower, strings.ToLower(text))
	}
	v.parameters(product)
	return v
}

// listed are the types of parameters whose values are the vendor's own words.
var listed = []string{"choice", "dropdown", "checkbox"}

// parameters fills in what may leave of the parameters.
func (v *view) parameters(product string) {
	tenant := ""
	if v.about.Request != nil {
		tenant = v.rules.Tenant(product)
	}
	for _, p := range v.params {
		value := valueOf(p)
		if value == "" {
			continue
		}
		switch {
		case tenant != "" && p.ID == tenant: // which may be long and dense
			if called(p) || !v.rules.Personal && v.tellsPerson(value) {
				continue
			}
			v.tenant = value
		case !v.rules.Personal && !slices.Contains(listed, strings.ToLower(p.Type)), called(p), looksSecret(value):
			continue
		}
		v.let = append(v.let, fulfillment.Parameter{ID: p.ID, Value: value})
	}
}

// tellsPerson reports whether a text holds an email address or what the accounts
// say of their people.
func (v *view) tellsPerson(text string) bool {
	if text == "" {
		return false
	}
	lower := strings.ToLower(text)
	return isEmail(text) || slices.ContainsFunc(v.lower, func(p string) bool { return holds(lower, p) })
}

// personal are the values of the accounts that tell of people. Countries and
// states are not among them: they are words of too many sentences.
func personal(a About) []string {
	var all []string
	for _, acc := range a.accounts() {
		i := acc.ContactInfo
		c := i.Contact
		number := phone(c.Phone)
		all = append(all, acc.Name, acc.TaxID, c.FirstName, c.LastName, c.Email, i.AddressLine1, i.AddressLine2, i.City, i.PostalCode,
			c.Phone.PhoneNumber, number, strings.ReplaceAll(number, " ", ""))
	}
	return slices.DeleteFunc(all, func(v string) bool { return utf8.RuneCountInString(strings.TrimSpace(v)) < 2 })
}

// text is a text of the story without what may not leave.
func (v *view) text(text string, plain bool) string {
	switch {
	case text == "":
		return ""
	case v.about.Unknown() && !plain:
		return redact.Mark
	}
	secrets := v.secrets()
	if v.rules.Personal {
		return hide(secrets, text)
	}
	for i, p := range v.people {
		for _, form := range []string{p, v.lower[i], strings.ToUpper(p)} {
			secrets.Value(form)
		}
	}
	return hideEmails(hide(secrets, text))
}

// secrets are the values that no text may hold, those of people apart.
func (v *view) secrets() *redact.Secrets {
	secrets := new(redact.Secrets)
	let := map[string]bool{}
	for _, p := range v.let {
		let[p.ID] = true
	}
	secrets.JSON(v.about.raw) // passwords, wherever they are in it
	for _, p := range slices.Concat(v.params, v.about.unsaid()) {
		if let[p.ID] {
			continue
		}
		for _, value := range append(leaves(p.StructuredValue), valueOf(p)) {
			if len(value) > 3 || value != "" && secret(p, value) {
				secrets.Value(value)
			}
		}
	}
	for _, p := range slices.Concat(v.about.Saved, v.about.Hidden) {
		if p.Value != nil && !let[p.ID] && len(*p.Value) > 3 {
			secrets.Value(*p.Value)
		}
	}
	return secrets
}
