package rql

import "strings"

// node is one part of a filter. With loose, comparisons with values that are
// not there count as true.
type node interface {
	match(doc map[string]any, loose bool) bool
}

type logic struct {
	or    bool
	parts []node
}

func (l logic) match(doc map[string]any, loose bool) bool {
	for _, part := range l.parts {
		if part.match(doc, loose) == l.or {
			return l.or
		}
	}
	return !l.or
}

type negation struct{ of node }

func (n negation) match(doc map[string]any, loose bool) bool { return !n.of.match(doc, loose) }

var operators = []string{"eq", "ne", "gt", "ge", "lt", "le", "in", "out", "like", "ilike"}

type compare struct {
	name     string
	path     []string
	op       string
	operands []operand
}

func newCompare(name, op string, operands []operand) compare {
	return compare{name: strings.ReplaceAll(name, "__", "."), path: splitPath(name), op: op, operands: operands}
}

// splitPath accepts the dotted form and the older one with two underscores.
func splitPath(name string) []string {
	return strings.Split(strings.ReplaceAll(name, "__", "."), ".")
}

func (c compare) match(doc map[string]any, loose bool) bool {
	found, plain := false, false
	each(doc, c.path, func(v any) bool {
		plain = plain || isPlain(v)
		found = c.holds(v)
		return !found
	})
	if loose && !plain {
		return true
	}
	switch c.op {
	case "ne", "out":
		return !found && !c.absent(plain)
	}
	return found || c.absent(plain)
}

// holds reports whether v fits one of the operands; for ne and out it tells
// what the caller has to negate.
func (c compare) holds(v any) bool {
	for _, o := range c.operands {
		if o.fits(v, c.op) {
			return true
		}
	}
	return false
}

// absent reports whether the comparison is with null() and the path leads
// nowhere.
func (c compare) absent(plain bool) bool {
	if plain {
		return false
	}
	for _, o := range c.operands {
		if o.null {
			return true
		}
	}
	return false
}

// each calls yield for the values that path leads to, until it returns false.
func each(v any, path []string, yield func(any) bool) bool {
	if list, ok := v.([]any); ok {
		for _, e := range list {
			if !each(e, path, yield) {
				return false
			}
		}
		return true
	}
	if len(path) == 0 {
		return yield(v)
	}
	m, ok := v.(map[string]any)
	if !ok {
		return true
	}
	next, ok := m[path[0]]
	if !ok {
		return true
	}
	return each(next, path[1:], yield)
}

func isPlain(v any) bool {
	switch v.(type) {
	case nil, map[string]any, []any:
		return false
	}
	return true
}
