package profile

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/processor"
)

// wrong is what a validation tells the customer, by parameter.
func wrong(t *testing.T, kind, rules string) map[string]string {
	t.Helper()
	w := workWith(t, kind, "a", "validation:\n"+rules, Options{})
	v, stopped := w.Profile.Validate(w)
	if !stopped {
		return nil
	}
	if v.Decision != fulfillment.Inquire {
		t.Fatalf("%s: %+v", rules, v)
	}
	told := map[string]string{}
	for _, p := range v.Params {
		told[p.ID] = *p.ValueError
	}
	return told
}

func TestValidation_WrongValues_AreToldInSentences(t *testing.T) {
	t.Parallel()
	for rule, want := range map[string]string{
		"{param: note, required: true}":                                               "This field is required.",
		"{param: note, required: true, message: 'Say \"why\".'}":                      `Say "why".`,
		"{param: note, required: true, when: 'param(\"region\") == \"us\"'}":          "",
		"{param: note, pattern: '[a-z]+'}":                                            "",
		"{param: address, required: true}":                                            "",
		"{param: address, pattern: x, min: 1, choices: [y]}":                          "",
		"{param: address, valid: 'params.address.city == \"Bonn\"'}":                  "This value is not accepted.",
		"{param: region, pattern: '[a-z]'}":                                           "This value does not have the expected form.",
		"{param: region, pattern: '[a-z]+'}":                                          "",
		"{param: region, choices: [us, asia]}":                                        "Choose one of: us, asia.",
		"{param: region, choices: [us, eu]}":                                          "",
		"{param: region, min: 1}":                                                     "Enter a number.",
		"{param: seats, min: 7, max: 7}":                                              "",
		"{param: seats, min: 7.5}":                                                    "Enter a number of at least 7.5.",
		"{param: seats, max: 6}":                                                      "Enter a number of at most 6.",
		"{param: seats, valid: 'int(param(\"seats\")) > 7'}":                          "This value is not accepted.",
		"{param: seats, valid: 'item(\"SEAT\").quantity >= float(param(\"seats\"))'}": "",
		"{param: seats, max: 1, scope: tier1}":                                        "",
		"{param: gone, max: 1}":                                                       "",
	} {
		told := wrong(t, "purchase", "  - "+rule)
		if got := strings.Join(texts(told), ""); got != want {
			t.Errorf("%s: %q, want %q", rule, got, want)
		}
	}
	if told := wrong(t, "cancel", "  - {param: note, required: true}"); told != nil {
		t.Errorf("a cancellation is asked for %v", told)
	}
	if diff := cmp.Diff(map[string]string{"contact": "An address, please."}, wrong(t, "tier-setup",
		"  - {param: contact, scope: tier1, pattern: '.+@.+', message: 'An address, please.'}")); diff != "" {
		t.Error(diff)
	}
}

func texts(m map[string]string) []string {
	var out []string
	for _, v := range m {
		out = append(out, v)
	}
	return out
}

func TestValidation_AllThatIsWrong_IsAskedAtOnce(t *testing.T) {
	t.Parallel()
	got := wrong(t, "change", `
  - {param: note, required: true}
  - {param: region, choices: [us]}
  - {param: region, pattern: x}
`)
	if diff := cmp.Diff(map[string]string{"note": "This field is required.", "region": "Choose one of: us."}, got); diff != "" {
		t.Error(diff)
	}
}

func TestValidate_Refused_FailsOrHolds(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		kind, rules string
		decision    fulfillment.Decision
		reason      string
	}{
		{"purchase", "limits: [{item: SEAT, max: 9}]", fulfillment.Fail, "SEAT can be ordered up to a quantity of 9, and 10 was ordered."},
		{"purchase", "limits: [{item: GB, min: 2}]", fulfillment.Fail, "GB can be ordered from a quantity of 2 on, and 1.5 was ordered."},
		{"purchase", "limits: [{item: ALL, max: 9999, reason: Too much.}]", fulfillment.Fail, "Too much."},
		{"purchase", "limits: [{item: '*', min: 1.5}, {item: CALLS, max: 1}, {item: OFF, min: 1}]", "", ""},
		{"cancel", "limits: [{item: SEAT, max: 9}]", "", ""},
		{"change", "limits: [{item: SEAT, max: 9}]", "", ""}, // 10 of 12
		{"change", "limits: [{item: SEAT, min: 11}]", fulfillment.Fail, "SEAT can be ordered from"},
		{"change", "limits: [{item: GB, min: 2}]", fulfillment.Fail, "GB can be ordered from"},
		{"change", "limits: [{item: ALL, min: 9}, {item: GB, max: 2}]", "", ""},
		{"change", "limits: [{item: ALL, max: 9}]", fulfillment.Fail, "ALL can be ordered up to"},
		{"change", "limits: [{item: KEPT, max: 4}, {item: KEPT, min: 6}]", "", ""},
		{"change", "refuse: [{when: 'item(\"GB\").quantity > 1 && param(\"region\") == \"eu\"', reason: Not here.}]", fulfillment.Fail, "Not here."},
		{"cancel", "refuse: [{when: 'true', reason: Never.}]", "", ""},
		{"cancel", "refuse: [{when: 'true', reason: Never., types: [cancel]}]", fulfillment.Fail, "Never."},
		{"change", "refuse: [{when: 'items[9].quantity > 0', reason: x}]", fulfillment.Hold, "headrace.yaml:3: products[0].refuse[0].when: "},
		{"change", "validation: [{param: note, required: true}, {param: login, required: true}]", fulfillment.Hold, "the profile does not accept the parameter login (This field is required.), and the customer cannot correct it: it is of phase \"fulfillment\""},
		{"change", "validation: [{param: secret, pattern: x}]", fulfillment.Hold, "the profile does not accept the parameter secret (This value does not have the expected form.), and the customer cannot correct it: it is hidden"},
		{"change", "validation: [{param: fixed, pattern: x}]", fulfillment.Hold, "the profile does not accept the parameter fixed (This value does not have the expected form.), and the customer cannot correct it: it is readonly"},
		{"change", "validation: [{param: fixed, pattern: f}]", "", ""},
		{"change", "validation: [{param: gone, required: true}]", fulfillment.Hold, "the request has no parameter gone"},
	} {
		w := workWith(t, tt.kind, "a", tt.rules, Options{})
		v, stopped := w.Profile.Validate(w)
		if stopped != (tt.decision != "") || v.Decision != tt.decision || !strings.HasPrefix(v.Reason, tt.reason) {
			t.Errorf("%s, %s: %+v", tt.kind, tt.rules, v)
		}
	}
}

func TestValidate_ApprovedWithoutACall_SavesWhatTheProfileSays(t *testing.T) {
	t.Parallel()
	const save = "purchase: {policy: approve, save: {subscription_id: asset.id, login: request.planned_date}}\ntier_setup: {save: {ref: tier.id}}"
	for kind, want := range map[string]map[string]string{
		"purchase": {"subscription_id": "AS-1"}, "tier-setup": {"ref": "TC-1"},
	} {
		w := workWith(t, kind, "", save, Options{})
		v, stopped := w.Profile.Validate(w)
		if !stopped || v.Decision != fulfillment.Approve || cmp.Diff(want, params(v.Params)) != "" {
			t.Errorf("%s: %+v", kind, v)
		}
	}
	w := workWith(t, "purchase", "", "validation: [{param: note, required: true}]\n"+save, Options{})
	if v, _ := w.Profile.Validate(w); v.Decision != fulfillment.Inquire {
		t.Errorf("what is wrong: %+v", v)
	}
	w = workWith(t, "purchase", "", "purchase: {policy: approve, save: {login: 'items[9].mpn'}}", Options{})
	if v, _ := w.Profile.Validate(w); v.Decision != fulfillment.Hold {
		t.Errorf("what cannot be calculated: %+v", v)
	}
}

func TestRejection_AsTheProfileSays(t *testing.T) {
	t.Parallel()
	s := newServer(t, map[string]string{"PUT /t": `422 {"message": "no such region"}`})
	for rejected, want := range map[string]fulfillment.Decision{
		"":                             fulfillment.Fail,
		", rejected: {decision: fail}": fulfillment.Fail,
		", rejected: {decision: hold}": fulfillment.Hold,
		", rejected: {decision: inquire, param: region}": fulfillment.Inquire,
		", rejected: {decision: inquire, param: gone}":   fulfillment.Hold,
		", rejected: {decision: inquire, param: login}":  fulfillment.Hold,
		", rejected: {decision: inquire, param: secret}": fulfillment.Hold,
	} {
		w := workWith(t, "change", "a", s.at()+"change: {call: {method: PUT, path: /t}"+rejected+"}", Options{})
		v, err := processor.CallTenant(t.Context(), w)
		if err != nil || !v.Refused {
			t.Fatalf("%+v, %v", v, err)
		}
		v = w.Profile.Rejection(w, v)
		if v.Decision != want || !strings.Contains(v.Reason, "no such region") {
			t.Errorf("%s: %+v", rejected, v)
		}
		if want == fulfillment.Inquire && (len(v.Params) != 1 || *v.Params[0].ValueError != "no such region") {
			t.Errorf("the customer is told %+v", v.Params)
		}
	}
}

func TestTemplates_Chosen_BySource(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		kind, templates string
		want            fulfillment.Template
		fault           string
	}{
		{"purchase", "{}", fulfillment.Template{}, ""},
		{"purchase", "{approve: {id: TL-1}}", fulfillment.Template{ID: "TL-1"}, ""},
		{"purchase", "{approve: {name: Hello}}", fulfillment.Template{Name: "Hello"}, ""},
		{"purchase", "{approve: {param: template}}", fulfillment.Template{ID: "TL-9"}, ""},
		{"purchase", "{approve: {param: nothing}}", fulfillment.Template{}, "configuration parameter nothing is empty"},
		{"purchase", `{approve: {tile: '"Hi " + param("login") + " at " + tenant'}}`, fulfillment.Template{Tile: "Hi root at T-1"}, ""},
		{"purchase", `{approve: {tile: 'param("region")[9:]'}}`, fulfillment.Template{}, "is empty"},
		{"tier-setup", "{approve: {id: TL-1}, tier_approve: {id: TL-2}}", fulfillment.Template{ID: "TL-2"}, ""},
	} {
		w := workWith(t, tt.kind, "", "templates: "+tt.templates, Options{})
		v := processor.Approve(processor.Value("login", "root"), processor.Value("subscription_id", "T-1"))
		got, err := w.Profile.Approval(w, v)
		if tt.fault != "" {
			if err == nil || !strings.Contains(err.Error(), tt.fault) {
				t.Errorf("%s: %+v, %v", tt.templates, got, err)
			}
			continue
		}
		if err != nil || got != tt.want {
			t.Errorf("%s: %+v, %v", tt.templates, got, err)
		}
	}
	w := workWith(t, "purchase", "", "templates: {inquire: {name: Ask}}", Options{})
	if got, err := w.Profile.Inquiry(w, processor.Verdict{}); err != nil || got.Name != "Ask" {
		t.Errorf("%+v, %v", got, err)
	}
}
