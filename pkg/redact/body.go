package redact

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"regexp"
	"strings"
)

// credential is what looks like one, and what takes its place.
type credential struct {
	found *regexp.Regexp
	with  string
	signs string // one of these is in all that is found
	long  int    // and so many characters without a space
}

// credentials are those of Connect, of an Authorization header, within a URL, or
// named.
var credentials = []credential{
	{regexp.MustCompile(`\bSU-\d{3}-\d{3}-\d{3}:\S+`), Mark, ":", 0},
	{regexp.MustCompile(`(?i)\b(apikey|bearer|basic)\s+\S{16,}`), "$1 " + Mark, spaces, 16},
	{regexp.MustCompile(`://[^/\s@]+@`), "://" + Mark + "@", "@", 0},
	{regexp.MustCompile(`(?i)\b([\w-]*(?:password|passwd|secret|token|api[_-]?key))(["']?\s*[=:]\s*)("[^"]*"|'[^']*'|[^\s,;&"']+)`), "$1$2" + Mark, "=:", 0},
}

const spaces = " \t\n\f\r"

// mayBeIn is false for a text in which there is none, and asks that in a fraction
// of the time that it takes to look for one.
func (c credential) mayBeIn(text string) bool {
	return strings.ContainsAny(text, c.signs) &&
		(c.long == 0 || len(longest(text, func(r rune) bool { return strings.ContainsRune(spaces, r) })) >= c.long)
}

// isNamed reports whether a key or a header is called like what holds a
// credential.
func isNamed(name string) bool {
	if len(name) < len("token") {
		return false
	}
	name = strings.ToLower(name)
	if name == "authorization" || name == "proxy-authorization" {
		return true
	}
	for _, end := range []string{"password", "passwd", "secret", "token", "cookie", "apikey", "api_key", "api-key"} {
		if strings.HasSuffix(name, end) {
			return true
		}
	}
	return false
}

// values finds parameters' values in what was to be JSON.
var values = regexp.MustCompile(`("(?:structured_)?value"\s*:\s*)("(?:[^"\\]|\\.)*"?|[^\s,}\]{\[]+)`)

// Body takes the values, and what looks like a credential, out of a body that is
// JSON; numbers stay json.Number. It is false for what is none. Values that the
// body itself tells count as well.
func (s *Secrets) Body(data []byte) (any, bool) {
	v, ok := decode(data)
	if !ok {
		return nil, false
	}
	all := &Secrets{ids: map[string]bool{}, values: append([]string(nil), s.values...)}
	for id := range s.ids {
		all.ids[id] = true
	}
	all.learn(v)
	all.places(v, func(in map[string]any, key string) { in[key] = hide(in[key]) })
	return all.texts(v), true
}

// Bytes does what Body does with what is not JSON, or not quite: where it speaks
// of passwords at all, every parameter's value is taken out.
func (s *Secrets) Bytes(data []byte) []byte {
	text := string(data)
	if strings.Contains(strings.ToLower(text), typePassword) {
		text = values.ReplaceAllString(text, `$1"`+Mark+`"`)
	}
	return []byte(s.Text(text))
}

// Header does the same with the value of a header of that name, which may be
// JSON.
func (s *Secrets) Header(name, value string) string {
	if isNamed(name) && value != "" {
		return Mark
	}
	if strings.HasPrefix(value, "{") || strings.HasPrefix(value, "[") {
		if v, ok := s.Body([]byte(value)); ok {
			var b bytes.Buffer
			e := json.NewEncoder(&b)
			e.SetEscapeHTML(false)
			if e.Encode(v) == nil {
				return strings.TrimSuffix(b.String(), "\n")
			}
		}
	}
	return s.Text(value)
}

// decode reads one JSON value and nothing behind it.
func decode(data []byte) (any, bool) {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber() // 1e400 and long ids stay what they are
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, false
	}
	_, err := d.Token()
	return v, errors.Is(err, io.EOF)
}

// learnIDs notes the ids of objects whose type is password: elsewhere they come
// without a type.
func (s *Secrets) learnIDs(v any) {
	switch v := v.(type) {
	case map[string]any:
		id, _ := v["id"].(string)
		if isPassword(v) && id != "" {
			s.addID(id)
		}
		for _, in := range v {
			s.learnIDs(in)
		}
	case []any:
		for _, in := range v {
			s.learnIDs(in)
		}
	}
}

func isPassword(o map[string]any) bool {
	typ, _ := o["type"].(string)
	return strings.EqualFold(typ, typePassword)
}

// places calls do for every place within v that holds a secret.
func (s *Secrets) places(v any, do func(in map[string]any, key string)) {
	switch v := v.(type) {
	case map[string]any:
		id, _ := v["id"].(string)
		param := isPassword(v) || id != "" && s.ids[id]
		for key, in := range v {
			switch {
			case param && (key == "value" || key == "structured_value"), isNamed(key):
				do(v, key)
			default:
				s.places(in, do)
			}
		}
	case []any:
		for _, in := range v {
			s.places(in, do)
		}
	}
}

// hide takes out all but what is empty: that there is nothing may be seen.
func hide(v any) any {
	switch v := v.(type) {
	case string:
		if v == "" {
			return v
		}
	case nil:
		return v
	case map[string]any:
		for key, in := range v {
			v[key] = hide(in)
		}
		return v
	case []any:
		for i, in := range v {
			v[i] = hide(in)
		}
		return v
	}
	return Mark
}

// texts does what Text does with each string within v.
func (s *Secrets) texts(v any) any {
	switch v := v.(type) {
	case string:
		if v == Mark {
			return v
		}
		return s.Text(v)
	case map[string]any:
		for key, in := range v {
			v[key] = s.texts(in)
		}
	case []any:
		for i, in := range v {
			v[i] = s.texts(in)
		}
	}
	return v
}
