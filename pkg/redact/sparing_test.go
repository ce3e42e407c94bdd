package redact

import (
	"encoding/base64"
	"encoding/json"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// Whatever spares a search must not spare one that finds something.
func TestCredentials_NotSearchedFor_AreNotThere(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		text := strings.Join(rapid.SliceOf(rapid.SampledFrom([]string{
			"SU-123-456-789", ":", " ", "\t", "\u00a0", "bearer", "Basic", "APIKEY", "0123456789abcdef", "fedcba", "://", "@", "token", "=", "é", "x",
		})).Draw(rt, "parts"), "")
		for _, c := range credentials {
			if c.found.MatchString(text) && !c.mayBeIn(text) {
				rt.Fatalf("%s is in %q", c.found, text)
			}
		}
	})
}

func TestValues_AnyFormOfAnyValue_IsTakenOut(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		value := "q" + rapid.StringMatching(`[a-zA-Z0-9<>&"'\\/+=~ _.é\x00-]{3,30}`).Draw(rt, "value")
		if rapid.Bool().Draw(rt, "odd") {
			value = rapid.StringMatching(`[<>&"\\ é]{4,9}`).Draw(rt, "odd value")
		}
		if strings.TrimSpace(value) == "" {
			return
		}
		inJSON, err := json.Marshal(value)
		if err != nil {
			rt.Fatal(err)
		}
		quoted := strconv.Quote(value)
		s := new(Secrets)
		s.Value(value)
		for _, form := range []string{
			value, url.QueryEscape(value), url.PathEscape(value), string(inJSON[1 : len(inJSON)-1]), quoted[1 : len(quoted)-1],
			base64.RawStdEncoding.EncodeToString([]byte(value)), base64.RawURLEncoding.EncodeToString([]byte(value)),
		} {
			if got := s.Values("<" + form + ">"); got != "<"+Mark+">" {
				rt.Fatalf("%q: %q is left of %q", value, got, form)
			}
		}
	})
}
