// Package rql reads Connect's query language from the query part of a URL and
// applies it to JSON documents. It performs no I/O and knows nothing of the
// documents' meaning.
//
// The whole query is percent-decoded before it is parsed, as Connect does: an
// encoded comma separates just as a plain one, and a plus stays a plus. What
// is not a word must therefore be quoted.
package rql

import (
	"errors"
	"fmt"
	"net/url"
)

// ErrSyntax is wrapped by every error of Parse.
var ErrSyntax = errors.New("bad RQL")

// Query is one parsed query. The zero value matches everything. It is not
// changed by its methods and may be shared.
type Query struct {
	filter node
	order  []sortKey
	// Hide and Show are the paths of select(), without their sign: parts to
	// leave out and hidden parts to add.
	Hide, Show []string
	// Limit, Offset and Search are the plain terms of these names, "" when
	// absent. They are kept as text: Connect falls back to its default for a
	// limit that is no number.
	Limit, Offset, Search string
}

// Parse reads raw, the part of a URL after the question mark. It fails with
// ErrSyntax.
func Parse(raw string) (*Query, error) {
	text, err := url.PathUnescape(raw)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSyntax, err)
	}
	p := &parser{in: []rune(text), query: &Query{}}
	if len(p.in) == 0 {
		return p.query, nil
	}
	p.query.filter, err = p.sequence(true)
	if err == nil && p.pos < len(p.in) {
		err = p.fault("unexpected %q", p.in[p.pos])
	}
	if err != nil {
		return nil, err
	}
	return p.query, nil
}

// Match reports whether doc fits the filter. A path that crosses an array
// fits when any of its elements does.
func (q *Query) Match(doc map[string]any) bool {
	return q.filter == nil || q.filter.match(doc, false)
}

// MatchLoose is Match for a document that may lack anything: a comparison
// with a path that leads to no plain value counts as true.
func (q *Query) MatchLoose(doc map[string]any) bool {
	return q.filter == nil || q.filter.match(doc, true)
}

// Restricts returns the values that the filter demands of path, and false if
// it leaves path open. An index uses it to look at fewer documents; every
// document still has to be matched.
func (q *Query) Restricts(path string) ([]string, bool) {
	return restricts(q.filter, path)
}

func restricts(n node, path string) ([]string, bool) {
	switch n := n.(type) {
	case compare:
		if n.name != path || (n.op != "eq" && n.op != "in") {
			return nil, false
		}
		var values []string
		for _, o := range n.operands {
			if o.null || o.empty {
				return nil, false
			}
			values = append(values, o.text)
		}
		return values, true
	case logic:
		if n.or {
			return nil, false
		}
		for _, part := range n.parts {
			if values, ok := restricts(part, path); ok {
				return values, true
			}
		}
	}
	return nil, false
}
