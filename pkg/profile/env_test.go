package profile

import (
	"encoding/json"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/shopspring/decimal"
	"pgregory.net/rapid"

	"github.com/headrace/headrace/pkg/connect"
)

// value is what an expression gives for the order, as JSON or as the text of a
// parameter.
func value(t *testing.T, kindOf, source string, answer any) (string, error) {
	t.Helper()
	w := workWith(t, kindOf, "T-1", "", Options{})
	f := &faults{file: "f"}
	e := f.compile(text{source, position{1, "x"}}, kind{answer: true})
	if err := f.joined(); err != nil {
		t.Fatalf("%s: %v", source, err)
	}
	v, err := e.run(Reply{orderOf(w, nil), answer})
	if err != nil {
		return "", err
	}
	return encoded(v)
}

func TestExpressions_Order_IsThere(t *testing.T) {
	t.Parallel()
	for source, want := range map[string]string{
		`items[0].limit`:                                   `1.5`,
		`items[1].limit`:                                   `10`,
		`item("SEAT").quantity - 0.5`:                      `9.5`,
		`item("SEAT").delta`:                               `-2`,
		`item("SEAT").change`:                              `"decreased"`,
		`item("ALL").limit`:                                `"unlimited"`,
		`item("ALL").old_limit`:                            `3`,
		`item("ALL").quantity > 1000000`:                   `true`,
		`item("ALL").change`:                               `"increased"`,
		`item("NONE").limit`:                               `0`,
		`item("NONE").change`:                              `"unchanged"`,
		`map(filter(items, .change != "unchanged"), .mpn)`: `["GB","SEAT","ALL"]`,
		`map(items[:1], ({"id": .id, "n": .limit, "u": .unlimited}))`:            `[{"id":"1","n":1.5,"u":false}]`,
		`param("region") + param("no such")`:                                     `"eu"`,
		`params.region`:                                                          `"eu"`,
		`params.address.city`:                                                    `"Ulm"`,
		`config("template")`:                                                     `"TL-9"`,
		`[customer.email, customer.country, tier1.id, tier2.name]`:               `["a@b.example","NL","",""]`,
		`[tenant, environment, request.type, request.note]`:                      `["T-1","test","purchase","be quick"]`,
		`[asset.id, asset.external_id, asset.product.name, asset.connection.id]`: `["AS-1","e-1","Backup","CT-1"]`,
		`answer.id`:       `7`,
		`answer.no?.such`: `null`,
		`answer.big`:      `12345678901234567890`,
	} {
		answer, err := decodeAnswer([]byte(`{"id": 7, "big": 12345678901234567890}`))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := value(t, "purchase", source, answer); err != nil || got != want {
			t.Errorf("%s is %s, %v; want %s", source, got, err, want)
		}
	}
	if got, err := value(t, "tier-setup", `[tier.id, tier.account.name, param("contact"), environment, request.type]`, nil); err != nil ||
		got != `["TC-1","Reseller","nobody","test","tier-setup"]` {
		t.Errorf("of a reseller: %s, %v", got, err)
	}
}

func TestExpressions_Unlimited_IsNoNumberToSend(t *testing.T) {
	t.Parallel()
	if got, err := value(t, "purchase", `{"n": item("ALL").quantity}`, nil); err == nil {
		t.Errorf("it is sent as %s", got)
	}
}

// TestNumbers_Decimals_KeepEveryDigit draws decimals as they are ordered and
// answered.
func TestNumbers_Decimals_KeepEveryDigit(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		d := decimal.New(rapid.Int64().Draw(t, "digits"), int32(rapid.IntRange(-12, 6).Draw(t, "exponent")))
		for _, v := range []any{limitOf(connect.Quantity{Value: d}), answered(t, d.String())} {
			text, err := encoded(v)
			got, parsed := decimal.NewFromString(text)
			if err != nil || parsed != nil || !got.Equal(d) {
				t.Fatalf("%s became %s", d, text)
			}
		}
	})
	if f := float(connect.Quantity{Unlimited: true}); !math.IsInf(f, 1) {
		t.Errorf("without limit is %v", f)
	}
}

func answered(t *rapid.T, number string) any {
	v, err := decodeAnswer([]byte(number))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestWritten_Values_AreTexts(t *testing.T) {
	t.Parallel()
	got := map[string]string{}
	for name, v := range map[string]any{
		"nothing": nil, "text": "a", "number": 1.5, "million": 1e6, "whole": 10, "truth": true,
		"list": []any{1, "b"}, "digits": json.Number("12345678901234567890"),
	} {
		s, err := written(v)
		if err != nil {
			t.Error(err)
		}
		got[name] = s
	}
	want := map[string]string{
		"nothing": "", "text": "a", "number": "1.5", "million": "1000000", "whole": "10", "truth": "true",
		"list": `[1,"b"]`, "digits": "12345678901234567890",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
