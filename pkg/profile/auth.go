package profile

import (
	"net/http"
	"os"
	"reflect"
	"strings"
	"unicode"

	"github.com/headrace/headrace/pkg/config"
)

// The kinds of credentials.
const (
	authNone   = "none"
	authHeader = "header"
	authBasic  = "basic"
	authBearer = "bearer"
	authOAuth2 = "oauth2"
)

// authFields tells which fields go with a type, those in brackets at will.
func authFields(kind string) (needed, allowed []string) {
	switch kind {
	case authHeader:
		return []string{"name", "value"}, nil
	case authBasic:
		return []string{"username", "password"}, nil
	case authBearer:
		return []string{"token"}, nil
	case authOAuth2:
		return []string{"token_url", "client_id", "client_secret"}, []string{"client_auth", "scopes"}
	}
	return nil, nil
}

// auth checks that the fields are those of the type.
func (f *faults) auth(a *auth) {
	if a == nil || !a.Type.given() {
		return
	}
	needed, allowed := authFields(a.Type.Value)
	has := map[string]bool{}
	v := reflect.ValueOf(*a)
	for i := range v.NumField() {
		if name := v.Type().Field(i).Tag.Get("yaml"); name != "" && name != "type" && !v.Field(i).IsZero() {
			has[name] = true
		}
	}
	for _, name := range needed {
		if !has[name] {
			f.add(a.At, "lacks %s, which type %s needs", name, a.Type.Value)
		}
		delete(has, name)
	}
	for _, name := range allowed {
		delete(has, name)
	}
	for _, name := range keys(v.Type()) {
		if has[name] {
			f.add(a.At, "has %s, which does not belong to type %s", name, a.Type.Value)
		}
	}
	if a.Name.given() {
		f.headerName(a.Name.Value, a.Name.At)
	}
	if a.TokenURL.given() {
		f.address(a.TokenURL)
	}
	for _, s := range []*secret{a.Value, a.Password, a.Token, a.ClientSecret} {
		if s != nil && s.At.Line > 0 && s.Env.given() == s.File.given() {
			f.add(s.At, "needs one of env and file")
		}
	}
}

// headerName refuses what net/http would refuse with every call.
func (f *faults) headerName(name string, at position) {
	allowed := func(r rune) bool {
		return r < 0x7f && (unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune("!#$%&'*+-.^_`|~", r))
	}
	if name == "" || strings.ContainsFunc(name, func(r rune) bool { return !allowed(r) }) {
		f.add(at, "is not the name of a header")
	}
}

// reader finds secrets where the file says that they are.
type reader struct {
	faults *faults
	env    func(name string) string
	masked bool
}

// masked stands for every secret where calls are only shown.
const masked = "[redacted]"

func (r *reader) read(s *secret) string {
	switch {
	case s == nil:
		return ""
	case r.masked:
		return masked
	case s.Env.given():
		v := r.env(s.Env.Value)
		if v == "" {
			r.faults.add(s.Env.At, "%s is not set; set it to the secret", s.Env.Value)
		}
		return r.checked(v, s.Env)
	}
	b, err := os.ReadFile(s.File.Value)
	v := strings.TrimSpace(string(b))
	if err != nil {
		r.faults.add(s.File.At, "%v; name a file that holds the secret and can be read", err)
	} else if v == "" {
		r.faults.add(s.File.At, "%s is empty; put the secret into it", s.File.Value)
	}
	return r.checked(v, s.File)
}

// checked refuses what cannot be in a header.
func (r *reader) checked(v string, from text) string {
	if strings.ContainsFunc(v, unicode.IsControl) {
		r.faults.add(from.At, "%s holds more than a secret: it has line breaks or the like in it", from.Value)
	}
	return v
}

// credentials is a with its secrets. It is comparable, so that what has the
// same credentials shares a client.
type credentials struct {
	kind, name, secret, tokenURL, style, scopes string
}

func (r *reader) credentials(a *auth) credentials {
	if a == nil {
		return credentials{kind: authNone}
	}
	c := credentials{kind: a.Type.Value, tokenURL: a.TokenURL.Value, style: a.ClientAuth.Value, scopes: strings.Join(values(a.Scopes), " ")}
	switch c.kind {
	case authHeader:
		c.name, c.secret = a.Name.Value, r.read(a.Value)
	case authBasic:
		c.name, c.secret = a.Username.Value, r.read(a.Password)
	case authBearer:
		c.secret = r.read(a.Token)
	case authOAuth2:
		c.name, c.secret = a.ClientID.Value, r.read(a.ClientSecret)
		if r.masked {
			c.kind = authBearer // no token is asked for to show a call
		}
	}
	return c
}

// account names credentials without their secret: by where it is kept. So it is
// the same in every process, and stays when the secret is renewed.
func account(a *auth) string {
	if a == nil {
		return authNone
	}
	parts := []string{a.Type.Value, a.Name.Value, a.Username.Value, a.ClientID.Value, a.TokenURL.Value, strings.Join(values(a.Scopes), " ")}
	for _, s := range []*secret{a.Value, a.Password, a.Token, a.ClientSecret} {
		if s != nil {
			parts = append(parts, s.Env.Value, s.File.Value)
		}
	}
	return strings.Join(parts, "\x00")
}

// String never shows the secret.
func (c credentials) String() string { return c.kind + " " + config.NewSecret(c.secret).String() }

// signer puts credentials on the calls to one host, and on no other to which a
// redirect leads.
type signer struct {
	credentials
	host string
	next http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (s *signer) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Host == s.host {
		r = r.Clone(r.Context())
		switch s.kind {
		case authHeader:
			r.Header.Set(s.name, s.secret)
		case authBasic:
			r.SetBasicAuth(s.name, s.secret)
		case authBearer:
			r.Header.Set("Authorization", "Bearer "+s.secret)
		}
	}
	return s.next.RoundTrip(r)
}
