package committer

import (
	"encoding/json"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/headrace/headrace/pkg/connect"
)

const (
	typePassword = "password"
	hiddenMark   = "•••"
)

// hidden collects the values of password parameters, which no text may hold.
type hidden struct {
	ids    map[string]bool // of parameters of that type
	values []string
}

func newHidden(params []connect.Param) *hidden {
	h := &hidden{ids: map[string]bool{}}
	for _, p := range params {
		if p.Type == typePassword {
			h.ids[p.ID] = true
			h.add(p.Value)
		}
	}
	return h
}

// body adds what a request's or a result's JSON holds: the values of objects
// that say they are a password, or have the id of one. What is no JSON adds
// nothing.
func (h *hidden) body(data []byte) {
	var v any
	if len(data) > 0 && json.Unmarshal(data, &v) == nil {
		h.walk(v)
	}
}

func (h *hidden) walk(v any) {
	switch v := v.(type) {
	case map[string]any:
		id, _ := v["id"].(string)
		if value, ok := v["value"].(string); ok && (v["type"] == typePassword || h.ids[id]) {
			h.add(value)
		}
		for _, in := range v {
			h.walk(in)
		}
	case []any:
		for _, in := range v {
			h.walk(in)
		}
	}
}

// add notes a value, and how it looks within JSON and within a URL.
func (h *hidden) add(value string) {
	if strings.TrimSpace(value) == "" {
		return
	}
	forms := []string{value, url.QueryEscape(value), url.PathEscape(value)}
	if quoted, err := json.Marshal(value); err == nil { // Go's, which writes & < > as \u00XX
		forms = append(forms, string(quoted[1:len(quoted)-1]))
	}
	plain := strconv.Quote(value) // as others write JSON
	for _, form := range append(forms, plain[1:len(plain)-1]) {
		if form != "" && !slices.Contains(h.values, form) {
			h.values = append(h.values, form)
		}
	}
}

// credentials are what looks like one: of Connect, of an Authorization header,
// within a URL, or named.
var credentials = []struct {
	found *regexp.Regexp
	with  string
}{
	{regexp.MustCompile(`\bSU-\d{3}-\d{3}-\d{3}:\S+`), hiddenMark},
	{regexp.MustCompile(`(?i)\b(apikey|bearer|basic)\s+\S{16,}`), "$1 " + hiddenMark},
	{regexp.MustCompile(`://[^/\s@]+@`), "://" + hiddenMark + "@"},
	{regexp.MustCompile(`(?i)\b([\w-]*(?:password|passwd|secret|token|api[_-]?key))(["']?\s*[=:]\s*)("[^"]*"|'[^']*'|[^\s,;&"']+)`), "$1$2" + hiddenMark},
}

// scrub takes the values, and what looks like a credential, out of a text.
func scrub(text string, values []string) string {
	// The longest first: one may hold another.
	values = slices.SortedFunc(slices.Values(values), func(a, b string) int { return len(b) - len(a) })
	for _, v := range values {
		text = strings.ReplaceAll(text, v, hiddenMark)
	}
	for _, c := range credentials {
		text = c.found.ReplaceAllString(text, c.with)
	}
	return text
}
