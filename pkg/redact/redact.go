// Package redact takes passwords, and what looks like a credential, out of what
// people read: reasons, bodies, headers. It performs no I/O, and knows of a
// request only its JSON.
package redact

import (
	"encoding/base64"
	"encoding/json"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Mark stands where something was taken out.
const Mark = "•••"

const typePassword = "password"

// Secrets are the values that no text may hold. The zero value knows none, and
// takes out only what looks like a credential. It is filled by one goroutine;
// then several may read.
type Secrets struct {
	ids    map[string]bool // of parameters of type password
	values []string        // in all their forms, the longest first
}

// Param adds a parameter of Connect's, if its type is password.
func (s *Secrets) Param(id, typ, value string) {
	if strings.EqualFold(typ, typePassword) {
		s.addID(id)
		s.add(value)
	}
}

// Value adds a value that no text may hold, whatever it is.
func (s *Secrets) Value(value string) { s.add(value) }

// JSON adds what the body of a request or a result holds: the values of objects
// whose type is password or whose id is that of one, and of keys that are named
// like a credential. What is no JSON adds nothing.
func (s *Secrets) JSON(data []byte) {
	if v, ok := decode(data); ok {
		s.learn(v)
	}
}

func (s *Secrets) learn(v any) {
	s.learnIDs(v)
	s.places(v, func(in map[string]any, key string) { s.addAll(in[key]) })
}

func (s *Secrets) addID(id string) {
	if s.ids == nil {
		s.ids = map[string]bool{}
	}
	s.ids[id] = true
}

func (s *Secrets) addAll(v any) {
	switch v := v.(type) {
	case string:
		s.add(v)
	case json.Number:
		s.add(v.String())
	case map[string]any:
		for _, in := range v {
			s.addAll(in)
		}
	case []any:
		for _, in := range v {
			s.addAll(in)
		}
	}
}

// add notes a value, and how it looks within JSON, within a URL and in base64.
func (s *Secrets) add(value string) {
	if strings.TrimSpace(value) == "" {
		return
	}
	forms := []string{value, url.QueryEscape(value), url.PathEscape(value)}
	if len(value) >= short {
		forms = append(forms, base64.RawStdEncoding.EncodeToString([]byte(value)), base64.RawURLEncoding.EncodeToString([]byte(value)))
	}
	if quoted, err := json.Marshal(value); err == nil { // Go's, which writes & < > as \u00XX
		forms = append(forms, string(quoted[1:len(quoted)-1]))
	}
	plain := strconv.Quote(value) // as others write JSON
	for _, form := range append(forms, plain[1:len(plain)-1]) {
		if form != "" && !slices.Contains(s.values, form) {
			s.values = append(s.values, form)
		}
	}
	// The longest first: one may hold another.
	slices.SortStableFunc(s.values, func(a, b string) int { return len(b) - len(a) })
}

// Values takes the values out of a text, and leaves the rest as it is: a
// customer may read "password: too short".
func (s *Secrets) Values(text string) string {
	for _, v := range s.values {
		text = replace(text, v)
	}
	return text
}

// Text takes the values, and what looks like a credential, out of a text.
func (s *Secrets) Text(text string) string {
	text = s.Values(text)
	for _, c := range credentials {
		text = c.found.ReplaceAllString(text, c.with)
	}
	return text
}

// short is the length below which a value stands in too many words to be taken
// out of the middle of one.
const short = 4

func replace(text, value string) string {
	if len(value) >= short {
		return strings.ReplaceAll(text, value, Mark)
	}
	var b strings.Builder
	for {
		i := strings.Index(text, value)
		if i < 0 {
			break
		}
		before, _ := utf8.DecodeLastRuneInString(text[:i])
		after, _ := utf8.DecodeRuneInString(text[i+len(value):])
		b.WriteString(text[:i])
		if isWord(before) || isWord(after) {
			b.WriteString(value)
		} else {
			b.WriteString(Mark)
		}
		text = text[i+len(value):]
	}
	b.WriteString(text)
	return b.String()
}

func isWord(r rune) bool { return r != utf8.RuneError && (unicode.IsLetter(r) || unicode.IsDigit(r)) }
