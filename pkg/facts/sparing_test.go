package facts

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// Whatever spares a search must not spare one that finds something.
func TestSecretWords_NotSearchedFor_AreNotThere(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		name := strings.Join(rapid.SliceOf(rapid.SampledFrom([]string{
			"pass", "paſſ", "w", "phrase", "Secret", "TO\u212aEN", "to", "ken", "credential", "cooKie", "pin", "PWD", "Key", "s", "_", " ", "é", "otp", "1", "İ",
		})).Draw(rt, "parts"), "")
		if got, want := namesSecret(name), secretWords.MatchString(name); got != want {
			rt.Fatalf("%q: %v, want %v", name, got, want)
		}
	})
}

func TestDense_NotSearchedFor_IsNotThere(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		text := rapid.StringMatching(`([A-Za-z0-9+/=_-]{0,25}[ .,é:]?){0,4}`).Draw(rt, "text")
		if got, want := hasDense(text), dense.MatchString(text); got != want {
			rt.Fatalf("%q: %v, want %v", text, got, want)
		}
	})
}
