package profile

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/headrace/headrace/pkg/fulfillment"
)

func TestTry_Calls_AreShownNotMade(t *testing.T) {
	t.Parallel()
	set, err := load(t, `
vendor:
  endpoint: http://127.0.0.1:1/v2
  auth: {type: oauth2, token_url: "http://127.0.0.1:1/token", client_id: me, client_secret: {env: NOT_SET}}
`+created)
	if err != nil {
		t.Fatal(err)
	}
	body := []byte(strings.NewReplacer("TYPE", "purchase", `"TENANT"`, `""`).Replace(order))
	trial, err := set.Try(t.Context(), body, []byte(`{"id": "a", "login": "x", "state": "up", "url": "u"}`))
	if err != nil {
		t.Fatal(err)
	}
	if len(trial.Calls) != 3 || trial.Decision != fulfillment.Approve || params(trial.Params)["url"] != "u" {
		t.Fatalf("%+v", trial)
	}
	first := trial.Calls[0]
	if first.URL != "http://127.0.0.1:1/v2/t" || first.Method != http.MethodPost || string(first.Body) != `{"ref":"AS-1"}` ||
		first.Header["Authorization"] != "Bearer [redacted]" || first.Header["Idempotency-Key"] != "PR-1" {
		t.Errorf("%+v", first)
	}
	trial, err = set.Try(t.Context(), body, nil)
	if err != nil || trial.Decision != "" || len(trial.Calls) != 3 || !strings.HasSuffix(trial.Calls[1].URL, "/t/TENANT/seats") {
		t.Errorf("without an answer: %+v, %v", trial, err)
	}
	if _, err := set.Try(t.Context(), []byte("{}"), nil); err == nil {
		t.Error("what is no request was tried")
	}
}

// TestTry_Passwords_AreNotShown has passwords among the parameters, those of the
// configuration, and what is saved, and looks for them all over the trial.
func TestTry_Passwords_AreNotShown(t *testing.T) {
	t.Parallel()
	set, err := load(t, `
validation: [{param: note, pattern: "hunter2-.*"}]
purchase:
  call:
    method: POST
    path: '/t/{param("note")}?p={params.note}'
    headers: {X-Pass: param("note")}
    body: '{"pass": param("note"), "half": params.note[:3], "config": config("template")}'
    save: {login: answer.pass}
  then: [{method: PUT, path: /u, body: '{"login": param("login")}'}]
templates: {approve: {tile: '"Log in with " + param("login")'}}
`)
	if err != nil {
		t.Fatal(err)
	}
	body := []byte(strings.NewReplacer("TYPE", "purchase", `"TENANT"`, `""`,
		`{"id": "note", "phase": "ordering", "value": ""}`, `{"id": "note", "phase": "ordering", "type": "password", "value": "hunter2-ORDER"}`,
		`{"id": "login",`, `{"id": "login", "type": "password",`,
		`{"id": "template",`, `{"id": "template", "type": "password",`).Replace(order))
	trial, err := set.Try(t.Context(), body, []byte(`{"tenantId": "a", "pass": "hunter2-ANSWER"}`))
	if err != nil {
		t.Fatal(err)
	}
	shown, err := json.Marshal(trial)
	if err != nil {
		t.Fatal(err)
	}
	if trial.Decision != fulfillment.Approve || len(trial.Calls) != 2 || trial.Calls[0].Header["X-Pass"] != "[redacted]" ||
		params(trial.Params)["login"] != "[redacted]" || trial.Tile != "Log in with [redacted]" {
		t.Errorf("%s", shown)
	}
	for _, one := range []string{"hun", "TL-9", "ORDER", "ANSWER"} {
		if strings.Contains(string(shown), one) {
			t.Errorf("%s is shown in %s", one, shown)
		}
	}
}

func TestTry_DecisionWithoutAnswer_OnlyWhereItIsSure(t *testing.T) {
	t.Parallel()
	body := []byte(strings.NewReplacer("TYPE", "purchase", `"TENANT"`, `""`).Replace(order))
	for profile, want := range map[string]fulfillment.Decision{
		`purchase: {call: {method: POST, path: /a}}`:                                                                            "",
		`purchase: {call: {method: POST, path: /a}, then: [{method: PUT, path: '/{items[9].mpn}'}]}`:                            fulfillment.Hold,
		`purchase: {call: {method: POST, path: /a, save: {login: answer.x}}, then: [{method: PUT, path: '/{param("login")}'}]}`: "",
		`limits: [{item: SEAT, max: 1}]`:                                                                                        fulfillment.Fail,
		`purchase: {policy: approve}`:                                                                                           fulfillment.Approve,
	} {
		set, err := load(t, profile)
		if err != nil {
			t.Fatal(err)
		}
		trial, err := set.Try(t.Context(), body, nil)
		if err != nil || trial.Decision != want || (want == fulfillment.Hold) != strings.Contains(trial.Reason, "an index is out of range") {
			t.Errorf("%s: %+v, %v", profile, trial, err)
		}
	}
}
