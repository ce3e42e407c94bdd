package connect

import (
	"errors"
	"fmt"
	"strings"
)

// ErrRQL is returned for a filter that RQL can't express.
var ErrRQL = errors.New("not expressible in RQL")

// Filter is an expression of RQL, the query language of Connect's lists. The
// zero Filter selects everything. Build it with Eq, In, And and the like: they
// quote the values, as the server decodes the whole query before it parses it
// and percent-encoding alone protects nothing. Errors are kept until String.
type Filter struct {
	text string
	err  error
}

// Eq selects prop = value.
func Eq(prop, value string) Filter { return compare("eq", prop, value) }

// Ne selects prop ≠ value.
func Ne(prop, value string) Filter { return compare("ne", prop, value) }

// Gt selects prop > value.
func Gt(prop, value string) Filter { return compare("gt", prop, value) }

// Ge selects prop ≥ value.
func Ge(prop, value string) Filter { return compare("ge", prop, value) }

// Lt selects prop < value.
func Lt(prop, value string) Filter { return compare("lt", prop, value) }

// Le selects prop ≤ value.
func Le(prop, value string) Filter { return compare("le", prop, value) }

// Like selects what matches pattern; * stands for any text.
func Like(prop, pattern string) Filter { return compare("like", prop, pattern) }

// ILike is Like in any case.
func ILike(prop, pattern string) Filter { return compare("ilike", prop, pattern) }

// In selects prop among values, of which there must be one at least.
func In(prop string, values ...string) Filter { return list("in", prop, values) }

// Out selects prop not among values, of which there must be one at least.
func Out(prop string, values ...string) Filter { return list("out", prop, values) }

// And selects what all filters select. Zero filters are left out.
func And(filters ...Filter) Filter { return join("and", filters) }

// Or selects what any filter selects. A zero filter makes it select everything.
func Or(filters ...Filter) Filter {
	for _, f := range filters {
		if f == (Filter{}) {
			return f
		}
	}
	return join("or", filters)
}

// Not selects what f does not. f must not be zero.
func Not(f Filter) Filter {
	switch {
	case f.err != nil:
		return f
	case f.text == "":
		return Filter{err: fmt.Errorf("not(): %w", ErrRQL)}
	}
	return Filter{text: "not(" + f.text + ")"}
}

// String returns the expression, not yet percent-encoded, or the reason why
// there is none.
func (f Filter) String() string {
	if f.err != nil {
		return f.err.Error()
	}
	return f.text
}

// Err returns ErrRQL, wrapped, for a value that holds both kinds of quote (RQL
// has no escape), an empty list, or a property that is not a name.
func (f Filter) Err() error { return f.err }

func compare(op, prop, value string) Filter {
	quoted, err := quote(value)
	if err = errors.Join(checkProperty(prop), err); err != nil {
		return Filter{err: err}
	}
	return Filter{text: op + "(" + prop + "," + quoted + ")"}
}

func list(op, prop string, values []string) Filter {
	if len(values) == 0 {
		return Filter{err: fmt.Errorf("%s(%s,()): %w", op, prop, ErrRQL)}
	}
	quoted := make([]string, len(values))
	for i, v := range values {
		q, err := quote(v)
		if err != nil {
			return Filter{err: err}
		}
		quoted[i] = q
	}
	if err := checkProperty(prop); err != nil {
		return Filter{err: err}
	}
	return Filter{text: op + "(" + prop + ",(" + strings.Join(quoted, ",") + "))"}
}

func join(op string, filters []Filter) Filter {
	var parts []string
	for _, f := range filters {
		switch {
		case f.err != nil:
			return f
		case f.text != "":
			parts = append(parts, f.text)
		}
	}
	switch len(parts) {
	case 0:
		return Filter{}
	case 1:
		return Filter{text: parts[0]}
	}
	return Filter{text: op + "(" + strings.Join(parts, ",") + ")"}
}

// quote puts value in quotes unless the grammar takes it bare.
func quote(value string) (string, error) {
	switch {
	case bare(value):
		return value, nil
	case !strings.Contains(value, `"`):
		return `"` + value + `"`, nil
	case !strings.Contains(value, `'`):
		return `'` + value + `'`, nil
	}
	return "", fmt.Errorf("value with both kinds of quote: %w", ErrRQL)
}

// bare reports whether value may stand without quotes. It is stricter than the
// grammar: backslashes, letters beyond ASCII and spaces at the end are quoted.
func bare(value string) bool {
	for i := range len(value) {
		c := value[i]
		switch {
		case wordChar(c), c == '-', c == '*', c == '+':
		case i > 0 && (c == '.' || c == ':' || c == '@'):
		case i > 0 && i < len(value)-1 && c == ' ':
		default:
			return false
		}
	}
	return value != ""
}

// checkProperty takes a letter, then word characters, "-" and ".".
func checkProperty(prop string) error {
	for i := range len(prop) {
		c := prop[i]
		letter := c|0x20 >= 'a' && c|0x20 <= 'z'
		if !letter && (i == 0 || !wordChar(c) && c != '-' && c != '.') {
			return fmt.Errorf("property %q: %w", prop, ErrRQL)
		}
	}
	if prop == "" {
		return fmt.Errorf("no property: %w", ErrRQL)
	}
	return nil
}

func wordChar(c byte) bool {
	return c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9' || c == '_'
}

// encodeQuery percent-encodes all that is neither unreserved nor structure of
// RQL; within quotes nothing is structure. A space is %20 and a plus %2B: the
// server reads "+" as a plus, but proxies and other servers as a space.
func encodeQuery(query string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	var open byte // the quote we are within, or 0
	for i := range len(query) {
		c := query[i]
		switch {
		case open == c:
			open = 0
		case open == 0 && (c == '"' || c == '\''):
			open = c
		case wordChar(c), strings.IndexByte("-.~", c) >= 0, open == 0 && strings.IndexByte("(),*:=&", c) >= 0:
			b.WriteByte(c)
			continue
		}
		b.Write([]byte{'%', hex[c>>4], hex[c&15]})
	}
	return b.String()
}
