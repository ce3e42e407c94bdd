package profile

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// path is a call's path: text and expressions by turns, text first.
type path struct {
	texts  []string
	values []*expression
	query  int  // index of the first value behind the question mark
	whole  bool // no value may be empty, the query's neither
	route  string
}

// compilePath reads /tenant/{tenant}/seats; what is in braces is an expression.
func (f *faults) compilePath(t text) path {
	p := path{route: t.Value, query: -1}
	if !t.given() {
		return p
	}
	if !strings.HasPrefix(t.Value, "/") {
		f.add(t.At, "does not begin with a slash; it is put behind the endpoint")
	}
	rest := t.Value
	for {
		before, behind, found := strings.Cut(rest, "{")
		p.texts = append(p.texts, before)
		if p.query < 0 && strings.Contains(before, "?") {
			p.query = len(p.values)
		}
		if !found {
			break
		}
		inside, after, closed := strings.Cut(behind, "}")
		if !closed {
			f.add(t.At, "has a { without a }")
			break
		}
		p.values = append(p.values, f.compile(text{inside, t.At}, kind{}))
		rest = after
	}
	if _, err := url.ParseRequestURI(strings.Join(p.texts, "x")); err != nil || strings.Contains(t.Value, "#") {
		f.add(t.At, "is not a path; write it like /tenant/{tenant}")
	}
	p.route, _, _ = strings.Cut(p.route, "?")
	return p
}

var errSegment = errors.New("is empty or dots, which would be another path")

// fill puts the values in. One that is empty would make DELETE /tenant/ of a
// cancellation, and ".." would leave the API: both are refused.
func (p path) fill(env any) (string, error) {
	var b strings.Builder
	for i, fixed := range p.texts {
		b.WriteString(fixed)
		if i >= len(p.values) {
			break
		}
		v, err := p.values[i].text(env)
		switch {
		case err != nil:
			return "", err
		case v == "" && p.whole:
			return "", fmt.Errorf("%s: the value of {%s} is empty, which would find any tenant", p.values[i].where, p.values[i].source())
		case p.query >= 0 && i >= p.query:
			b.WriteString(url.QueryEscape(v))
			continue
		case v == "" || v == "." || v == "..":
			return "", fmt.Errorf("%s: the value of {%s} %w", p.values[i].where, p.values[i].source(), errSegment)
		}
		b.WriteString(url.PathEscape(v))
	}
	return b.String(), nil
}
