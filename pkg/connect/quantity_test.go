package connect

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestQuantity_Decode_Forms(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		`"10"`: `10`, `10`: `10`, `"1.50"`: `1.5`, `0.25`: `0.25`, `"0"`: `0`, `1e3`: `1000`, `"10.000"`: `10`,
		`null`: `0`, `""`: `0`, `" "`: `0`, `" 7 "`: `7`, `-0`: `0`, `-5`: `-5`,
		`"unlimited"`: `"unlimited"`, `"Unlimited"`: `"unlimited"`, `-1`: `"unlimited"`, `"-1"`: `"unlimited"`, `"-1.00"`: `"unlimited"`,
		`"12345678901234567890.12345678"`: `12345678901234567890.12345678`,
	} {
		var q Quantity
		if err := json.Unmarshal([]byte(in), &q); err != nil {
			t.Errorf("%s: %v", in, err)
			continue
		}
		if got, err := json.Marshal(q); err != nil || string(got) != want {
			t.Errorf("%s: got %s (%v), want %s", in, got, err, want)
		}
	}
}

func TestQuantity_Decode_Refused(t *testing.T) {
	t.Parallel()
	for _, in := range []string{
		`"abc"`, `true`, `{}`, `[]`, `1e999999999`, `0e999999999`, `"1e999999999"`, `1e-999999999`, `"1e33"`, `"1.2.3"`, `"NaN"`, `"Infinity"`,
		`"0x10"`, `"1_000"`, `"` + strings.Repeat("9", 65) + `"`,
	} {
		var q Quantity
		if err := json.Unmarshal([]byte(in), &q); !errors.Is(err, ErrQuantity) {
			t.Errorf("%s: got %v, %v, want ErrQuantity", in, q, err)
		}
	}
}

func TestQuantity_Cmp_UnlimitedIsMost(t *testing.T) {
	t.Parallel()
	unlimited, five := NewQuantity(-1), NewQuantity(5)
	if unlimited.Cmp(five) != 1 || five.Cmp(unlimited) != -1 || !unlimited.Equal(Quantity{Unlimited: true}) {
		t.Error("unlimited must be more than 5 and equal to itself")
	}
	if unlimited.IsZero() || five.IsZero() || !(Quantity{}).IsZero() {
		t.Error("only the zero quantity is zero")
	}
	if half, err := ParseQuantity("5.00"); err != nil || !half.Equal(five) {
		t.Errorf("5.00 is 5: %v", err)
	}
}

func TestQuantity_RoundTrip_Property(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringMatching(`-?[0-9]{1,20}(\.[0-9]{1,10})?(e-?[0-9])?`).Draw(t, "text")
		q, err := ParseQuantity(text)
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		out, err := json.Marshal(q)
		var back Quantity
		if err = errors.Join(err, json.Unmarshal(out, &back)); err != nil || !back.Equal(q) {
			t.Fatalf("%q became %s and %v: %v", text, out, back, err)
		}
	})
}
