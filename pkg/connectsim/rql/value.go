package rql

import (
	"cmp"
	"encoding/json"
	"strconv"
	"strings"
	"time"
)

// operand is a value of the query, read once in all the ways that it may be
// compared.
type operand struct {
	text        string
	null, empty bool
	number      float64
	isNumber    bool
	at          time.Time
	isTime      bool
}

func newOperand(text string) operand {
	o := operand{text: text}
	if n, err := strconv.ParseFloat(text, 64); err == nil {
		o.number, o.isNumber = n, true
	}
	o.at, o.isTime = parseTime(text)
	return o
}

// parseTime reads the forms in which Connect writes and takes dates. A time
// without a zone is UTC.
func parseTime(s string) (time.Time, bool) {
	if len(s) < len(time.DateOnly) || s[4] != '-' || s[7] != '-' {
		return time.Time{}, false
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05", time.DateOnly} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}

// fits reports whether v compares with the operand as op says. The negative
// operators ask for equality, which the caller negates over all values.
func (o operand) fits(v any, op string) bool {
	if o.null {
		return v == nil
	}
	if o.empty {
		return v == ""
	}
	if op == "like" || op == "ilike" {
		text, ok := plainText(v)
		return ok && like(text, o.text, op == "ilike")
	}
	c, ok := o.compare(v)
	if !ok {
		return false
	}
	switch op {
	case "gt":
		return c > 0
	case "ge":
		return c >= 0
	case "lt":
		return c < 0
	case "le":
		return c <= 0
	}
	return c == 0
}

// compare orders v against the operand by v's own kind: a text is a text,
// unless both are dates; false if they can't be compared.
func (o operand) compare(v any) (int, bool) {
	switch v := v.(type) {
	case string:
		if o.isTime {
			if at, ok := parseTime(v); ok {
				return at.Compare(o.at), true
			}
		}
		return strings.Compare(v, o.text), true
	case bool:
		return strings.Compare(strconv.FormatBool(v), strings.ToLower(o.text)), true
	}
	if n, ok := plainNumber(v); ok && o.isNumber {
		return cmp.Compare(n, o.number), true
	}
	return 0, false
}

func plainNumber(v any) (float64, bool) {
	switch v := v.(type) {
	case float64:
		return v, true
	case int:
		return float64(v), true
	case json.Number:
		n, err := v.Float64()
		return n, err == nil
	}
	return 0, false
}

func plainText(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case json.Number:
		return v.String(), true
	}
	if n, ok := plainNumber(v); ok {
		return strconv.FormatFloat(n, 'f', -1, 64), true
	}
	return "", false
}

// like matches text against a pattern of `*` (anything) and `?` (one
// character); a backslash takes the next character as it is.
func like(text, pattern string, fold bool) bool {
	if fold {
		text, pattern = strings.ToLower(text), strings.ToLower(pattern)
	}
	t, p := []rune(text), []rune(pattern)
	// The classic walk with one point of return keeps this linear for all
	// but contrived patterns, where recursion would explode.
	i, j, star, back := 0, 0, -1, 0
	for i < len(t) {
		switch {
		case j < len(p) && p[j] == '*':
			star, back = j, i
			j++
		case j < len(p) && p[j] == '\\' && j+1 < len(p) && p[j+1] == t[i]:
			i, j = i+1, j+2
		case j < len(p) && p[j] != '\\' && (p[j] == '?' || p[j] == t[i]):
			i, j = i+1, j+1
		case star >= 0:
			back++
			i, j = back, star+1
		default:
			return false
		}
	}
	for j < len(p) && p[j] == '*' {
		j++
	}
	return j == len(p)
}
