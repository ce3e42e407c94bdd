package connect

import (
	"bytes"
	"encoding/json"
	"strings"
	"unicode"
	"unicode/utf8"
)

// The bounds of what an error repeats of a body.
const (
	maxExcerpt  = 120
	maxMessage  = 500
	maxMessages = 10
)

// parseAPIError reads {"error_code","errors","params"}. Of a body of another
// kind, a proxy's page of HTML say, the error quotes the beginning.
func parseAPIError(body []byte) *APIError {
	var parsed struct {
		Code   any             `json:"error_code"`
		Errors json.RawMessage `json:"errors"`
		Params json.RawMessage `json:"params"`
	}
	if err := json.Unmarshal(body, &parsed); err == nil {
		code, _ := parsed.Code.(string)
		e := &APIError{Code: tidy(code, maxExcerpt), Messages: messages(parsed.Errors), Params: parsed.Params}
		if e.Code != "" || len(e.Messages) > 0 {
			return e
		}
	}
	e := new(APIError)
	if text := tidy(string(body), maxExcerpt); text != "" {
		e.Messages = []string{text}
	}
	return e
}

// messages takes an array of strings; anything else is quoted as it is.
func messages(raw json.RawMessage) []string {
	raw = bytes.TrimSpace(raw)
	var parts []json.RawMessage
	if json.Unmarshal(raw, &parts) != nil {
		parts = []json.RawMessage{raw}
	}
	var out []string
	for _, p := range parts {
		var text string
		if json.Unmarshal(p, &text) != nil {
			text = string(p)
		}
		if text = tidy(text, maxMessage); text != "" && text != "null" && len(out) < maxMessages {
			out = append(out, text)
		}
	}
	return out
}

// tidy makes one printable line of at most limit characters of text.
func tidy(text string, limit int) string {
	if len(text) > 8*limit {
		text = text[:8*limit]
	}
	text = strings.ToValidUTF8(text, "")
	text = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, text)
	return cut(strings.Join(strings.Fields(text), " "), limit)
}

// cut shortens text to limit characters, the last an ellipsis if it had more.
func cut(text string, limit int) string {
	if utf8.RuneCountInString(text) <= limit {
		return text
	}
	runes := []rune(text)
	return string(runes[:limit-1]) + "…"
}
