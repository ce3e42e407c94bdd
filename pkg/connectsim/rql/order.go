package rql

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

type sortKey struct {
	path []string
	down bool
}

// Ordered reports whether the query asks for an order.
func (q *Query) Ordered() bool { return len(q.order) > 0 }

// Sort returns list in the order of the query; what is equal stays as it was.
// doc tells an element's document. Missing values come first.
func Sort[T any](q *Query, list []T, doc func(T) map[string]any) []T {
	if len(q.order) == 0 {
		return list
	}
	type row struct {
		keys []key
		of   T
	}
	rows := make([]row, len(list))
	for i, of := range list {
		rows[i] = row{keys: q.keys(doc(of)), of: of}
	}
	byKeys := func(a, b row) int { return q.compareKeys(a.keys, b.keys) }
	// Lists are mostly asked for in the order in which they are kept.
	if slices.IsSortedFunc(rows, byKeys) {
		return list
	}
	slices.SortStableFunc(rows, byKeys)
	sorted := make([]T, len(rows))
	for i, r := range rows {
		sorted[i] = r.of
	}
	return sorted
}

func (q *Query) compareKeys(a, b []key) int {
	for i, k := range q.order {
		c := a[i].compare(b[i])
		if k.down {
			c = -c
		}
		if c != 0 {
			return c
		}
	}
	return 0
}

// key is a value read once for sorting: dates before numbers before texts.
type key struct {
	rank   int
	at     time.Time
	number float64
	text   string
}

func (q *Query) keys(doc map[string]any) []key {
	keys := make([]key, len(q.order))
	for i, k := range q.order {
		each(doc, k.path, func(v any) bool {
			keys[i] = newKey(v)
			return false
		})
	}
	return keys
}

func newKey(v any) key {
	if s, ok := v.(string); ok {
		if isCanonical(s) {
			return key{rank: 1, text: s}
		}
		if at, ok := parseTime(s); ok {
			return key{rank: 1, at: at}
		}
		return key{rank: 3, text: s}
	}
	if n, ok := plainNumber(v); ok {
		return key{rank: 2, number: n}
	}
	return key{}
}

// isCanonical reports whether s is a date as Connect writes it, in UTC. Such
// dates are in the order of their texts, as a plus sorts before a dot.
func isCanonical(s string) bool {
	return len(s) >= len("2006-01-02T15:04:05+00:00") && s[4] == '-' && s[10] == 'T' && s[13] == ':' &&
		strings.HasSuffix(s, "+00:00")
}

func (k key) time() time.Time {
	if k.text == "" {
		return k.at
	}
	at, _ := parseTime(k.text)
	return at
}

func (k key) compare(o key) int {
	if k.rank != o.rank {
		return cmp.Compare(k.rank, o.rank)
	}
	switch k.rank {
	case 1:
		if k.text != "" && o.text != "" {
			return strings.Compare(k.text, o.text)
		}
		return k.time().Compare(o.time())
	case 2:
		return cmp.Compare(k.number, o.number)
	}
	return strings.Compare(k.text, o.text)
}
