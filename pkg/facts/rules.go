package facts

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"

	"github.com/headrace/headrace/pkg/connect"
	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/redact"
)

// Rules say what may leave in an event. Secrets never do: parameters of type
// password, and what is named or looks like a secret or a key.
type Rules struct {
	// Personal lets out names, addresses and the values of all other parameters.
	// Without it only parameters leave whose values the vendor has listed, and the
	// tenant's id.
	Personal bool
	// Tenant is the parameter that holds the tenant's id of a product's
	// subscriptions; nil is subscription_id for all.
	Tenant func(product string) string
}

// listed are the types of parameters whose values are the vendor's own words.
var listed = []string{"choice", "dropdown", "checkbox"}

// parameters are the tenant's id and the parameters that may leave. Those
// without a value are missing.
func (r Rules) parameters(product string, a About) (tenant string, out []fulfillment.Parameter) {
	for _, p := range a.params() {
		value := valueOf(p)
		if value == "" || called(p) {
			continue
		}
		switch {
		case a.Request != nil && p.ID == r.Tenant(product): // which may be long and dense
			if !r.Personal && tellsPerson(a, value) {
				continue
			}
			tenant = value
		case looksSecret(value), !r.Personal && !slices.Contains(listed, strings.ToLower(p.Type)):
			continue
		}
		out = append(out, fulfillment.Parameter{ID: p.ID, Value: value})
	}
	return tenant, out
}

// secretWords are parts of the names of what is a secret.
var secretWords = regexp.MustCompile(`(?i)(passw|passphrase|secret|token|credential|cookie|(^|[^a-z])(pin|pwd|keys?|otp)([^a-z]|$)|keys?$)`)

// dense is what no word of a language is, but a key may be; known is how the
// keys of well-known makers begin.
var (
	dense = regexp.MustCompile(`[A-Za-z0-9+/=_-]{20,}`)
	uuid  = regexp.MustCompile(`(?i)^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)
	known = regexp.MustCompile(`(-----BEGIN [^-]+-----|\beyJ[A-Za-z0-9_-]{8,}\.\S*|\bAKIA[0-9A-Z]{12,}|\b(sk|pk|rk)_(live|test)_\S+|\bgh[pousr]_[A-Za-z0-9]{16,}|\bxox[abprs]-\S+)`)
)

// secret reports whether a parameter is one by its type, its name or its value.
func secret(p connect.Param, value string) bool {
	return called(p) || looksSecret(value)
}

// called reports whether a parameter's type or name says that it is a secret.
func called(p connect.Param) bool {
	return strings.EqualFold(p.Type, "password") || secretWords.MatchString(p.ID) || secretWords.MatchString(p.Name)
}

// looksSecret reports whether a value looks like a credential or a key.
func looksSecret(value string) bool {
	return hideKeys(value) != value || new(redact.Secrets).Text(value) != value
}

// hideKeys takes out of a text what looks like a key: long, with digits, and of
// both cases or very long. A UUID is none.
func hideKeys(text string) string {
	text = known.ReplaceAllString(text, redact.Mark)
	return dense.ReplaceAllStringFunc(text, func(word string) string {
		lower, upper := strings.ToLower(word), strings.ToUpper(word)
		const long = 32
		if uuid.MatchString(word) || lower == upper || !strings.ContainsAny(word, "0123456789") ||
			len(word) < long && (word == lower || word == upper) {
			return word
		}
		return redact.Mark
	})
}

// email is an address, whoever's it is.
var email = regexp.MustCompile(`[\p{L}\p{N}._%+'-]+@[\p{L}\p{N}-]+(\.[\p{L}\p{N}-]+)+`)

// tellsPerson reports whether a text holds an email address or what the accounts
// say of their people.
func tellsPerson(a About, text string) bool {
	return email.MatchString(text) || slices.ContainsFunc(personal(a), func(v string) bool {
		return holds(strings.ToLower(text), strings.ToLower(v))
	})
}

// holds reports whether v is in the text as a word, or as several.
func holds(text, v string) bool {
	return regexp.MustCompile(`(^|[^\p{L}\p{N}])` + regexp.QuoteMeta(strings.TrimSpace(v)) + `($|[^\p{L}\p{N}])`).MatchString(text)
}

// personal are the values of the accounts that tell of people. Countries and
// states are not among them: they are words of too many sentences.
func personal(a About) []string {
	var all []string
	for _, acc := range a.accounts() {
		i := acc.ContactInfo
		c := i.Contact
		all = append(all, acc.Name, acc.TaxID, c.FirstName, c.LastName, c.Email, i.AddressLine1, i.AddressLine2, i.City, i.PostalCode,
			c.Phone.PhoneNumber, phone(c.Phone), strings.ReplaceAll(phone(c.Phone), " ", ""))
	}
	return slices.DeleteFunc(all, func(v string) bool { return len([]rune(strings.TrimSpace(v))) < 2 })
}

// text is a text of the story without what may not leave.
func (r Rules) text(s Story, text string) string {
	switch {
	case text == "":
		return ""
	case s.About.Unknown() && !s.Plain:
		return redact.Mark
	}
	secrets := new(redact.Secrets)
	_, out := r.parameters(s.Key.Product, s.About)
	let := map[string]bool{}
	for _, p := range out {
		let[p.ID] = true
	}
	secrets.JSON(s.About.raw) // passwords, wherever they are in it
	for _, p := range slices.Concat(s.About.params(), s.About.unsaid()) {
		if let[p.ID] {
			continue
		}
		for _, value := range append(leaves(p.StructuredValue), valueOf(p)) {
			if len(value) > 3 || secret(p, value) {
				secrets.Value(value)
			}
		}
	}
	for _, p := range slices.Concat(s.About.Saved, s.About.Hidden) {
		if p.Value != nil && !let[p.ID] && len(*p.Value) > 3 {
			secrets.Value(*p.Value)
		}
	}
	if r.Personal {
		return hide(secrets, text)
	}
	for _, v := range personal(s.About) {
		for _, form := range []string{v, strings.ToLower(v), strings.ToUpper(v)} {
			secrets.Value(form)
		}
	}
	return email.ReplaceAllString(hide(secrets, text), redact.Mark)
}

// leaves are the texts within a structured value.
func leaves(structured []byte) []string {
	var v any
	if json.Unmarshal(structured, &v) != nil {
		return nil
	}
	var all []string
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case string:
			all = append(all, v)
		case []any:
			for _, in := range v {
				walk(in)
			}
		case map[string]any:
			for _, in := range v {
				walk(in)
			}
		}
	}
	walk(v)
	return all
}

// hide takes out the secrets, and what looks like a key.
func hide(secrets *redact.Secrets, text string) string { return hideKeys(secrets.Text(text)) }
