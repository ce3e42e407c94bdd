package config

import (
	"fmt"
	"io"
	"net/url"
	"strings"
)

const redacted = "[redacted]"

// Secret is a value that no format verb, no JSON and no YAML prints. The text
// is behind a pointer, so that fmt shows an address even where it cannot call
// methods, in another struct's unexported field. The zero Secret is empty.
type Secret struct{ text *string }

// NewSecret hides s.
func NewSecret(s string) Secret {
	if s == "" {
		return Secret{}
	}
	return Secret{text: &s}
}

// Reveal is the text itself, for the one place that sends it.
func (s Secret) Reveal() string {
	if s.text == nil {
		return ""
	}
	return *s.text
}

// IsZero reports whether there is no secret.
func (s Secret) IsZero() bool { return s.text == nil }

// Equal compares the texts; the == operator compares where they are kept.
func (s Secret) Equal(o Secret) bool { return s.Reveal() == o.Reveal() }

// String is [redacted], or empty.
func (s Secret) String() string {
	if s.IsZero() {
		return ""
	}
	return redacted
}

// GoString is what %#v prints.
func (s Secret) GoString() string { return fmt.Sprintf("config.Secret(%q)", s.String()) }

// MarshalText is what JSON and YAML write.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// URL is one address or several, separated by commas, of which user and
// password are never printed. Convert it to string to use it.
type URL string

// String is the address with [redacted] for its user and password.
func (u URL) String() string {
	parts := strings.Split(string(u), ",")
	for i, p := range parts {
		parts[i] = redactUser(p)
	}
	return strings.Join(parts, ",")
}

// GoString is what %#v prints.
func (u URL) GoString() string { return fmt.Sprintf("config.URL(%q)", u.String()) }

// Format answers every verb: a wrong one, such as %d, would make fmt print the
// text itself.
func (u URL) Format(f fmt.State, verb rune) { format(f, verb, u.String(), u.GoString()) }

// MarshalText is what JSON and YAML write.
func (u URL) MarshalText() ([]byte, error) { return []byte(u.String()), nil }

// redactUser works on the text, as an address that cannot be parsed may hold a
// password too.
func redactUser(address string) string {
	scheme, rest, ok := strings.Cut(address, "://")
	if !ok {
		scheme, rest = "", address
	}
	end := strings.IndexAny(rest, "/?#")
	if end < 0 {
		end = len(rest)
	}
	// A password may hold an unescaped slash; then the last @ is what counts.
	at := strings.LastIndex(rest, "@")
	if at < 0 {
		return address
	}
	if _, err := url.Parse(address); err == nil && at > end {
		return address
	}
	rest = redacted + rest[at:]
	if scheme == "" {
		return rest
	}
	return scheme + "://" + rest
}

func format(f fmt.State, verb rune, plain, goSyntax string) {
	out := plain
	switch {
	case verb == 'q':
		out = fmt.Sprintf("%q", plain)
	case verb == 'v' && f.Flag('#'):
		out = goSyntax
	}
	if w, ok := f.Width(); ok && len(out) < w {
		pad := strings.Repeat(" ", w-len(out))
		if f.Flag('-') {
			out += pad
		} else {
			out = pad + out
		}
	}
	// A State's Write reports no error that could be handed on here.
	_, _ = io.WriteString(f, out)
}
