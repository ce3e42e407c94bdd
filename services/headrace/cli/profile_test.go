package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/headrace/headrace/pkg/connectsim"
)

const profileText = `products:
  - id: PRD-620-114-337
    vendor:
      endpoint: http://127.0.0.1:1/api
      auth: {type: bearer, token: {env: TOKEN_OF_THE_VENDOR}}
    purchase: {call: {method: POST, path: /t, body: '{"n": 1.50}'}, tenant: answer.id}
`

// inFile writes a file into the program's directory.
func (p *Program) inFile(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(p.WorkDir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// aPurchase is a request as Connect's API gives it.
func aPurchase(t *testing.T) string {
	t.Helper()
	c := connectsim.New(connectsim.Options{})
	for _, r := range c.Requests() {
		if r.Type == "purchase" && r.ProductID == "PRD-620-114-337" {
			return string(r.JSON)
		}
	}
	t.Fatal("the simulator has no such purchase")
	return ""
}

func TestProfileCheck_Faults_AreTheResult(t *testing.T) {
	t.Parallel()
	p, _, _ := subject(t)
	p.inFile(t, "good.yaml", profileText)
	p.inFile(t, "bad.yaml", strings.Replace(profileText, "answer.id", "answr.id", 1)+"    overdu: 1h\nsinc: always\n")
	for name, want := range map[string]outcome{
		"good.yaml": {0, "warning: good.yaml:5: products[0].vendor.auth.token.env: TOKEN_OF_THE_VENDOR is not set; it must be when Headrace starts\n" +
			"good.yaml: ok, with profiles of PRD-620-114-337\n", ""},
		"bad.yaml": {1, "bad.yaml: sinc: is not a setting; did you mean sync?\n" +
			"bad.yaml:6: products[0].purchase.tenant: unknown name answr, at character 1\n" +
			"bad.yaml:7: products[0].overdu: is not known; did you mean overdue?\n", ""},
	} {
		if got := p.try(t, "profile", "check", name); got != want {
			t.Errorf("%s: %+v, want %+v", name, got, want)
		}
	}
	p.Environ = append(p.Environ, "TOKEN_OF_THE_VENDOR=t0ken")
	if got := p.try(t, "profile", "check", "good.yaml"); got.status != 0 || strings.Contains(got.stdout, "warning") {
		t.Errorf("with its secret: %+v", got)
	}
	if got := p.try(t, "profile", "check"); got.status != 2 {
		t.Errorf("without a file: %+v", got)
	}
	if got := p.try(t, "profile", "check", "nowhere.yaml"); got.status != 1 || !strings.Contains(got.stdout, "nowhere.yaml") {
		t.Errorf("a file that is not there: %+v", got)
	}
}

func TestProfileTry_Request_ShowsCallsAndDecision(t *testing.T) {
	t.Parallel()
	p, _, _ := subject(t)
	p.inFile(t, "h.yaml", profileText)
	p.inFile(t, "r.json", aPurchase(t))
	p.inFile(t, "a.json", `{"id": "T-77"}`)
	got := p.try(t, "profile", "try", "h.yaml", "r.json", "--answer", "a.json")
	for _, want := range []string{
		"POST http://127.0.0.1:1/api/t\n", "  Authorization: Bearer [redacted]\n", `"n": 1.5`,
		"decision: approve\n", "parameter subscription_id: T-77\n",
	} {
		if got.status != 0 || !strings.Contains(got.stdout, want) {
			t.Errorf("no %q in %+v", want, got)
		}
	}
	got = p.try(t, "profile", "try", "h.yaml", "r.json")
	if got.status != 0 || !strings.HasSuffix(got.stdout, "decision: depends on the answer; give one with --answer\n") {
		t.Errorf("without an answer: %+v", got)
	}
	got = p.try(t, "profile", "try", "h.yaml", "r.json", "--output", "json", "--answer", "a.json")
	var trial struct {
		Calls []struct {
			Body map[string]any `json:"body"`
		} `json:"calls"`
		Decision string `json:"decision"`
	}
	if err := json.Unmarshal([]byte(got.stdout), &trial); err != nil || trial.Decision != "approve" || len(trial.Calls) != 1 || trial.Calls[0].Body["n"] != 1.5 {
		t.Errorf("%v: %+v", err, got)
	}
	p.inFile(t, "no.json", `{"id": "PR-1"}`)
	if got := p.try(t, "profile", "try", "h.yaml", "no.json"); got.status != 1 || !strings.Contains(got.stderr, "no.json") {
		t.Errorf("what is no request: %+v", got)
	}
}

func TestUp_WrongProfile_StartsNothing(t *testing.T) {
	t.Parallel()
	p, _, errs := subject(t, strings.Fields(complete)...)
	p.inFile(t, "headrace.yaml", strings.Replace(profileText, "method: POST", "method: PSOT", 1))
	if status := p.Run(t.Context(), []string{"up"}); status != 2 ||
		!strings.HasPrefix(errs.String(), "headrace: headrace.yaml:6: products[0].purchase.call.method: is not known; did you mean POST?") {
		t.Errorf("status %d: %s", status, errs)
	}
}

func TestDoctor_Profiles_AreLookedAt(t *testing.T) {
	t.Parallel()
	_, environ := surroundings(t)
	p, _, _ := subject(t, environ...)
	vendor := ""
	for _, one := range environ {
		if v, ok := strings.CutPrefix(one, "HEADRACE_VENDOR_ENDPOINT="); ok {
			vendor = v
		}
	}
	text := strings.Replace(profileText, "http://127.0.0.1:1", vendor, 1)
	p.inFile(t, "headrace.yaml", text)
	if status, found := diagnose(t, p); status != 1 || !strings.Contains(found, "TOKEN_OF_THE_VENDOR is not set") {
		t.Errorf("without its secret: %d\n%s", status, found)
	}
	p.Environ = append(p.Environ, "TOKEN_OF_THE_VENDOR=t0ken")
	if status, found := diagnose(t, p); status != 0 || !strings.Contains(found, "ok vendor: "+vendor+"/api answers (404, without credentials)") {
		t.Errorf("all well: %d\n%s", status, found)
	}
	p.inFile(t, "headrace.yaml", text+"    templates: {approve: {name: No Such}, inquire: {name: Inquire}}\n    tenant_param: no_such\n"+
		"    validation: [{param: admin_emial, required: true}, {param: admin_email, required: true}]\n")
	_, found := diagnose(t, p)
	for _, want := range []string{
		"FAIL templates: PRD-620-114-337 has no template No Such of type fulfillment", "PRD-620-114-337 has no parameter no_such",
		"FAIL products: PRD-620-114-337 has no parameter admin_emial, for which its profile has a rule",
	} {
		if !strings.Contains(found, want) {
			t.Errorf("no %q in\n%s", want, found)
		}
	}
	if strings.Contains(found, "template Inquire") || strings.Contains(found, "no parameter admin_email") {
		t.Errorf("a template that is there is missed:\n%s", found)
	}
}
