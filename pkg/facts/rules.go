package facts

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/headrace/headrace/pkg/connect"
	"github.com/headrace/headrace/pkg/redact"
)

// Rules say what may leave in an event. Secrets never do: parameters of type
// password, and what is named or looks like a secret or a key.
type Rules struct {
	// Personal lets out names, addresses and the values of all other parameters.
	// Without it only parameters leave whose values the vendor has listed, and the
	// tenant's id.
	Personal bool
	// Tenant is the parameter that holds the tenant's id of a product's
	// subscriptions; nil is subscription_id for all.
	Tenant func(product string) string
}

// secretWords are parts of the names of what is a secret.
var secretWords = regexp.MustCompile(`(?i)(passw|passphrase|secret|token|credential|cookie|(^|[^a-z])(pin|pwd|keys?|otp)([^a-z]|$)|keys?$)`)

// stems are in all that secretWords finds, if that is ASCII.
var stems = []string{"pass", "secret", "token", "credential", "cookie", "pin", "pwd", "key", "otp"}

// dense is what no word of a language is, but a key may be; known is how the
// keys of well-known makers begin.
var (
	dense = regexp.MustCompile(`[A-Za-z0-9+/=_-]{20,}`)
	uuid  = regexp.MustCompile(`(?i)^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)
	known = regexp.MustCompile(`(-----BEGIN [^-]+-----|\beyJ[A-Za-z0-9_-]{8,}\.\S*|\bAKIA[0-9A-Z]{12,}|\b(sk|pk|rk)_(live|test)_\S+|\bgh[pousr]_[A-Za-z0-9]{16,}|\bxox[abprs]-\S+)`)
)

const shortest = 20 // of what is dense

// secret reports whether a parameter is one by its type, its name or its value.
func secret(p connect.Param, value string) bool {
	return called(p) || looksSecret(value)
}

// called reports whether a parameter's type or name says that it is a secret.
func called(p connect.Param) bool {
	return strings.EqualFold(p.Type, "password") || namesSecret(p.ID) || namesSecret(p.Name)
}

// namesSecret asks secretWords, and not where that takes longer than to see that it
// finds nothing.
func namesSecret(name string) bool {
	lower := strings.ToLower(name)
	inVain := !slices.ContainsFunc(stems, func(stem string) bool { return strings.Contains(lower, stem) })
	foreign := strings.ContainsFunc(lower, func(r rune) bool { return r > unicode.MaxASCII }) // ſ is an s to it
	return (foreign || !inVain) && secretWords.MatchString(name)
}

// looksSecret reports whether a value looks like a credential or a key.
func looksSecret(value string) bool {
	return hideKeys(value) != value || new(redact.Secrets).Text(value) != value
}

// hideKeys takes out of a text what looks like a key: long, with digits, and of
// both cases or very long. A UUID is none.
func hideKeys(text string) string {
	if strings.ContainsAny(text, "_-.") || strings.Contains(text, "AKIA") { // one of which all of them have
		text = known.ReplaceAllString(text, redact.Mark)
	}
	if !hasDense(text) {
		return text
	}
	return dense.ReplaceAllStringFunc(text, func(word string) string {
		lower, upper := strings.ToLower(word), strings.ToUpper(word)
		const long = 32
		if uuid.MatchString(word) || lower == upper || !strings.ContainsAny(word, "0123456789") ||
			len(word) < long && (word == lower || word == upper) {
			return word
		}
		return redact.Mark
	})
}

// hasDense reports whether dense finds anything, in a tenth of the time.
func hasDense(text string) bool {
	isOther := func(r rune) bool { return r > unicode.MaxASCII || !isWord(r) && !strings.ContainsRune("+/=_-", r) }
	for word := range strings.FieldsFuncSeq(text, isOther) {
		if len(word) >= shortest {
			return true
		}
	}
	return false
}

// email is an address, whoever's it is.
var email = regexp.MustCompile(`[\p{L}\p{N}._%+'-]+@[\p{L}\p{N}-]+(\.[\p{L}\p{N}-]+)+`)

func isEmail(text string) bool { return strings.Contains(text, "@") && email.MatchString(text) }

func hideEmails(text string) string {
	if !strings.Contains(text, "@") {
		return text
	}
	return email.ReplaceAllString(text, redact.Mark)
}

// holds reports whether v is in the text as a word, or as several.
func holds(text, v string) bool {
	if v = strings.TrimSpace(v); v == "" {
		return false
	}
	for at := 0; ; {
		i := strings.Index(text[at:], v)
		if i < 0 {
			return false
		}
		begin, end := at+i, at+i+len(v)
		before, _ := utf8.DecodeLastRuneInString(text[:begin])
		after, _ := utf8.DecodeRuneInString(text[end:])
		if !isWord(before) && !isWord(after) {
			return true
		}
		_, size := utf8.DecodeRuneInString(v)
		at = begin + size
	}
}

func isWord(r rune) bool { return unicode.IsLetter(r) || unicode.IsNumber(r) }

// leaves are the texts within a structured value.
func leaves(structured []byte) []string {
	var v any
	if json.Unmarshal(structured, &v) != nil {
		return nil
	}
	var all []string
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case string:
			all = append(all, v)
		case []any:
			for _, in := range v {
				walk(in)
			}
		case map[string]any:
			for _, in := range v {
				walk(in)
			}
		}
	}
	walk(v)
	return all
}

// hide takes out the secrets, and what looks like a key.
func hide(secrets *redact.Secrets, text string) string { return hideKeys(secrets.Text(text)) }
