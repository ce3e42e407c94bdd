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
	values []string        // as they are
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

func (s *Secrets) add(value string) {
	if strings.TrimSpace(value) != "" && !slices.Contains(s.values, value) {
		s.values = append(s.values, value)
	}
}

// Values takes the values out of a text, also as they look within JSON, within a
// URL and in base64, and leaves the rest as it is: a customer may read
// "password: too short".
func (s *Secrets) Values(text string) string {
	var found []string
	dense := len(longest(text, notBase64))
	for _, v := range s.values {
		found = appendForms(found, text, v, dense)
	}
	// The longest first: one may hold another.
	slices.SortStableFunc(found, func(a, b string) int { return len(b) - len(a) })
	for _, form := range found {
		text = replace(text, form)
	}
	return text
}

// appendForms appends the forms of a value that are in a text, of whose characters
// so many in a row may be base64. Most values are in no text: that must cost little.
func appendForms(found []string, text, value string, dense int) []string {
	note := func(form string) {
		if form != "" && strings.Contains(text, form) {
			found = append(found, form)
		}
	}
	if strings.Contains(text, stem(value)) {
		note(value)
		if !plain(value) {
			note(url.QueryEscape(value))
			note(url.PathEscape(value))
			if quoted, err := json.Marshal(value); err == nil { // Go's, which writes & < > as \u00XX
				note(string(quoted[1 : len(quoted)-1]))
			}
			quoted := strconv.Quote(value) // as others write JSON
			note(quoted[1 : len(quoted)-1])
		}
	}
	if len(value) >= short && base64.RawStdEncoding.EncodedLen(len(value)) <= dense {
		note(base64.RawStdEncoding.EncodeToString([]byte(value)))
		note(base64.RawURLEncoding.EncodeToString([]byte(value)))
	}
	return found
}

// stem is what all forms of a value but base64 have in common: letters and digits
// stay what they are.
func stem(value string) string {
	return longest(value, func(r rune) bool { return !isAlphanumeric(r) })
}

// notBase64 reports whether r is in neither of the two alphabets.
func notBase64(r rune) bool { return !isAlphanumeric(r) && !strings.ContainsRune("+/-_", r) }

// longest is the longest part of a text between what is cut out.
func longest(text string, out func(rune) bool) string {
	most := ""
	for part := range strings.FieldsFuncSeq(text, out) {
		if len(part) > len(most) {
			most = part
		}
	}
	return most
}

func isAlphanumeric(r rune) bool {
	return r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z'
}

// plain reports whether a value looks the same within JSON and within a URL.
func plain(value string) bool {
	return !strings.ContainsFunc(value, func(r rune) bool { return !isAlphanumeric(r) && !strings.ContainsRune("-_.~", r) })
}

// Text takes the values, and what looks like a credential, out of a text.
func (s *Secrets) Text(text string) string {
	text = s.Values(text)
	for _, c := range credentials {
		if c.mayBeIn(text) {
			text = c.found.ReplaceAllString(text, c.with)
		}
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
