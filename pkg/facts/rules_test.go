package facts

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/schemas"
)

// order is a request with a parameter, and a person, of every kind.
const order = `{"id":"PR-1","type":"purchase","status":"pending","asset":{"id":"AS-1","external_id":"ext-9","status":"processing",
"product":{"id":"PRD-1"},"marketplace":{"id":"MP-1","name":"Everywhere"},"connection":{"id":"CT-1","type":"production"},"contract":{"id":"CRD-1"},
"items":[{"id":"1","mpn":"SEAT","display_name":"Seat","quantity":"5","old_quantity":0},{"id":"2","quantity":"unlimited"}],
"configuration":{"params":[{"id":"reseller","type":"password","value":"pw-of-the-planted-reseller"}]},
"params":[
{"id":"subscription_id","type":"text","value":"T-1"},
{"id":"plan","type":"choice","value":"gold"},
{"id":"extras","type":"checkbox","structured_value":{"backup":true}},
{"id":"admin_email","type":"email","value":"jane.planted@example.org"},
{"id":"admin_password","type":"password","value":"hunter2-planted"},
{"id":"license_key","type":"dropdown","value":"planted-license"},
{"id":"note","type":"text","value":"planted-note for Jane"},
{"id":"webhook","type":"text","value":"sk_live_planted"},
{"id":"office","type":"address","structured_value":{"address_line1":"5 Hauptstrasse-planted","city":"Berlinplanted"}},
{"id":"hash","type":"choice","value":"planted0123456789abcdef0123456789abcdef"}],
"tiers":{"customer":{"id":"TA-1","external_id":"jane@planted.example","name":"Planted GmbH","tax_id":"DE-planted","contact_info":{"address_line1":"1 Planted Street",
"city":"Plantedham","country":"DE","contact":{"first_name":"Janeplanted","last_name":"Doeplanted","email":"doe@planted.example",
"phone_number":{"country_code":"+49","area_code":"30","phone_number":"5550123"}}}},"tier1":{"id":"TA-2","name":"Planted Sales"}}}}`

const vendorSays = `refused hunter2-planted and planted-license for planted-note for Jane (sk_live_planted): ` +
	`"Janeplanted Doeplanted" <doe@planted.example>, JANEPLANTED, +49305550123, other@planted.example, planted0123456789abcdef0123456789abcdef, ` +
	`5 Hauptstrasse-planted in Berlinplanted, pw-of-the-planted-reseller, T-1`

func drafted(r Rules, s Story) *draft {
	return &draft{Story: s, rules: New(nil, r).rules, now: time.Now}
}

func bodyOf(t *testing.T, r Rules, request, reason string) (fulfillment.EventBody, string) {
	t.Helper()
	key := fulfillment.Key{Type: fulfillment.Purchase, Product: "PRD-1", Asset: "AS-1", Request: "PR-1"}
	s := Story{Key: key, Episode: 1, Status: "failed", Reason: reason, About: AboutBody(key.Type, []byte(request))}
	body := drafted(r, s).body(fulfillment.EventFailed)
	var text bytes.Buffer
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false)
	if err := e.Encode(body); err != nil {
		t.Fatal(err)
	}
	if err := schemas.Validate(fulfillment.EventSchema(fulfillment.EventFailed), text.Bytes()); err != nil {
		t.Error(err)
	}
	return body, text.String()
}

func TestRules_ByDefault_NeitherSecretsNorPeopleLeave(t *testing.T) {
	t.Parallel()
	body, text := bodyOf(t, Rules{}, order, vendorSays)
	lower := strings.ToLower(text)
	for _, planted := range []string{"planted", "jane", "doe", "hunter", "5550123", "DE-"} {
		if strings.Contains(lower, strings.ToLower(planted)) {
			t.Errorf("%q is in %s", planted, text)
		}
	}
	s := body.Subscription
	if s.Tenant != "T-1" || len(s.Items) != 2 || s.Items[1].Quantity != fulfillment.Unlimited || body.Customer.ID != "TA-1" || body.Tier1.ID != "TA-2" || body.Tier2 != nil {
		t.Errorf("%+v", text)
	}
	if len(s.Parameters) != 3 || s.Parameters[2].Value != `{"backup":true}` || !strings.Contains(body.Reason, "T-1") {
		t.Errorf("%+v, %s", s.Parameters, body.Reason)
	}
}

func TestRules_Personal_OnlySecretsStay(t *testing.T) {
	t.Parallel()
	_, text := bodyOf(t, Rules{Personal: true}, order, vendorSays)
	for _, secret := range []string{"hunter2-planted", "planted-license", "sk_live_planted", "planted0123456789"} {
		if strings.Contains(text, secret) {
			t.Errorf("%q is in %s", secret, text)
		}
	}
	for _, let := range []string{"Planted GmbH", "1 Planted Street", "+49 30 5550123", "jane.planted@example.org", "planted-note for Jane", "other@planted.example"} {
		if !strings.Contains(text, let) {
			t.Errorf("%q is not in %s", let, text)
		}
	}
}

func TestRules_TenantNamedAfterAPerson_StaysByDefault(t *testing.T) {
	t.Parallel()
	of := func(product string) string { return map[string]string{"PRD-1": "note"}[product] }
	if body, _ := bodyOf(t, Rules{Tenant: of}, strings.ReplaceAll(order, "planted-note for Jane", "Janeplanted-1"), ""); body.Subscription.Tenant != "" {
		t.Errorf("tenant %q", body.Subscription.Tenant)
	}
	if body, _ := bodyOf(t, Rules{Tenant: of, Personal: true}, order, ""); body.Subscription.Tenant != "planted-note for Jane" {
		t.Errorf("tenant %q", body.Subscription.Tenant)
	}
}

func TestRules_ShortNameWithinTheTenant_TheTenantIsTold(t *testing.T) {
	t.Parallel()
	request := strings.NewReplacer(`"T-1"`, `"3f2b1c44-ed12-4a5b-8c6d-7e8f9a0b1c2d"`, "Janeplanted", "Ed").Replace(order)
	body, _ := bodyOf(t, Rules{}, request, "")
	if body.Subscription.Tenant == "" {
		t.Error("no tenant: a name of two letters is in many ids")
	}
}

func TestRules_WhatConnectDoesNotHave_IsNeitherToldNorQuoted(t *testing.T) {
	t.Parallel()
	value := "Max Muster"
	s := Story{
		Key: fulfillment.Key{Type: fulfillment.Purchase, Product: "PRD-1", Asset: "AS-1", Request: "PR-1"}, Episode: 1, Status: "pending",
		Reason: "Connect refused contact_name=Max Muster", About: AboutBody(fulfillment.Purchase, []byte(order)),
	}
	s.About.Hidden = []fulfillment.Param{{ID: "contact_name", Value: &value}}
	if body := drafted(Rules{}, s).body(fulfillment.EventHeld); strings.Contains(body.Reason, "Muster") {
		t.Errorf("reason: %s", body.Reason)
	}
}

func TestHideKeys_WordsAndIDs_Stay(t *testing.T) {
	t.Parallel()
	for text, hidden := range map[string]bool{
		"tenant T-000123 of AS-1234-5678-9012":                   false,
		"5f6b2c9e-70b4-4a43-bb22-0c8a5cf1d2e3 is there":          false,
		"internationalization-of-everything":                     false,
		"the request PR-7302-1184-6650-001 of PRD-620-114-337":   false,
		"key 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822c":   true,
		"AbCdEf0123456789GhIjKlMn":                               true,
		"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl":      true,
		"ghp_0123456789abcdefghij and xoxb-12-34":                true,
		"-----BEGIN PRIVATE KEY-----":                            true,
		"SU-123-456-789:0123456789abcdef0123456789abcdef0123456": true,
	} {
		if got := looksSecret(text); got != hidden {
			t.Errorf("%s: %v", text, got)
		}
	}
}

// However odd a request, what is made of it is valid, and holds no secret.
func TestRules_AnyRequest_IsValidAndSafe(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		secret := "Zq" + rapid.StringMatching(`[a-zA-Z0-9<>&"\\ é]{4,30}`).Draw(rt, "secret") + "qZ"
		var params []map[string]any
		for i := range rapid.IntRange(0, 6).Draw(rt, "params") {
			p := map[string]any{"id": fmt.Sprintf("%s_%d", rapid.SampledFrom([]string{"x", "api_key", "", "note", "secretary", "plan"}).Draw(rt, "id"), i)}
			p["type"] = rapid.SampledFrom([]any{"password", "text", "choice", "checkbox", nil, "object", "PASSWORD"}).Draw(rt, "type")
			p["value"] = rapid.SampledFrom([]any{"v", nil, 5, true, "long value " + fmt.Sprint(i)}).Draw(rt, "value")
			p["structured_value"] = rapid.SampledFrom([]any{nil, "", map[string]any{"a": 1}, []any{}}).Draw(rt, "structured")
			if strings.EqualFold(fmt.Sprint(p["type"]), "password") {
				p["value"] = secret
			}
			params = append(params, p)
		}
		account := rapid.SampledFrom([]any{nil, map[string]any{}, "TA-1", map[string]any{"id": "TA-1", "name": secret}, map[string]any{"name": secret}}).Draw(rt, "account")
		request, err := json.Marshal(map[string]any{
			"id": "PR-1", "type": "purchase", "status": "pending",
			"asset": map[string]any{
				"id": "AS-1", "product": map[string]any{"id": "PRD-1"}, "params": params, "tiers": map[string]any{"customer": account},
				"items": []any{map[string]any{"quantity": rapid.SampledFrom([]any{"5", 5, -1, "unlimited", nil, "", "0.50", "1e3"}).Draw(rt, "quantity")}},
			},
		})
		if err != nil {
			rt.Fatal(err)
		}
		_, text := bodyOf(t, Rules{}, string(request), "the vendor says "+secret)
		var plain any
		if err := json.Unmarshal([]byte(text), &plain); err != nil {
			rt.Fatal(err)
		}
		known := strings.Contains(string(request), "Zq") // else nobody could tell that it is one
		if known && strings.Contains(fmt.Sprint(plain), secret) {
			rt.Fatalf("%q is in %s", secret, text)
		}
	})
}

func FuzzAbout_AnyBody_IsValid(f *testing.F) {
	f.Add([]byte(order))
	f.Add([]byte(`{"id":1,"type":"setup","status":"pending","configuration":{"id":"TC-1","product":"PRD-1","tier_level":-1}}`))
	f.Add([]byte(`{"id":"PR-1","type":"x","status":"y","asset":{"id":"AS","product":{"id":"P"},"items":[{"quantity":"1e30"}],"params":[{"value":{"a":"b"}}]}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, typ := range []fulfillment.Type{fulfillment.Change, fulfillment.TierSetup, "teleport"} {
			for _, r := range []Rules{{}, {Personal: true}} {
				s := Story{
					Key:   fulfillment.Key{Type: typ, Product: "PRD-1", Asset: "AS-1", Request: "PR-1"},
					About: AboutBody(typ, body), Reason: "because", Episode: 1, Time: time.Unix(1, 0),
				}
				text, err := json.Marshal(drafted(r, s).body(fulfillment.EventFailed))
				if err != nil {
					t.Fatal(err)
				}
				if err := schemas.Validate(fulfillment.EventSchema(fulfillment.EventFailed), text); err != nil {
					t.Fatalf("%v: %s", err, text)
				}
			}
		}
	})
}
