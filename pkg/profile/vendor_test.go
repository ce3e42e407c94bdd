package profile

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/processor"
	"github.com/headrace/headrace/pkg/vendorapi"
)

const created = `
purchase:
  call:
    method: POST
    path: /t
    body: '{"ref": asset.id}'
    requires: [answer.id, answer.login]
    save: {login: answer.login}
  tenant: answer.id
  then:
    - {method: PUT, path: "/t/{tenant}/seats", body: '{"n": item("SEAT").limit, "login": param("login")}'}
  status: {method: GET, path: "/t/{tenant}", requires: [answer.url], save: {url: answer.url}}
  ready: answer.state == "up"
  failed: answer.state == "broken"
  reason: answer.why
`

// params are an answer's, for comparison.
func params(list []fulfillment.Param) map[string]string {
	out := map[string]string{}
	for _, p := range list {
		out[p.ID] = *p.Value
	}
	return out
}

func TestVendor_Purchase_CreatesThenAsks(t *testing.T) {
	t.Parallel()
	s := newServer(t, map[string]string{
		"POST /t": `201 {"id": 12, "login": "root"}`, "PUT /t/12/seats": `200 {}`, "GET /t/12": `200 {"state": "up", "url": "u"}`,
	})
	w := workWith(t, "purchase", "", s.at()+created, Options{})
	a, err := w.Profile.Vendor.Create(t.Context(), w)
	if err != nil || a.State != processor.Unfinished {
		t.Fatalf("%+v, %v", a, err)
	}
	if diff := cmp.Diff(map[string]string{"subscription_id": "12", "login": "root"}, params(a.Params)); diff != "" {
		t.Error(diff)
	}
	a, err = w.Profile.Vendor.Continue(t.Context(), w, "12")
	if err != nil || a.State != processor.Ready {
		t.Fatalf("%+v, %v", a, err)
	}
	if diff := cmp.Diff(map[string]string{"subscription_id": "12", "url": "u"}, params(a.Params)); diff != "" {
		t.Error(diff)
	}
	want := []string{`POST /t PR-1 {"ref":"AS-1"}`, `PUT /t/12/seats PR-1-2 {"login":"","n":10}`, `GET /t/12`}
	if diff := cmp.Diff(want, s.seen); diff != "" {
		t.Error(diff)
	}
}

func TestVendor_Purchase_AnswersAreJudged(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		post, get string
		state     processor.State
		reason    string
	}{
		{`201 {"id": "a", "login": ""}`, "", processor.Rejected, "lacks what the product needs (answer.login)"},
		{`201 {"id": "a"}`, "", processor.Rejected, "answer.login"},
		{`201 {"id": null, "login": "x"}`, "", processor.Rejected, "without a tenant id"},
		{`201 [1]`, "", processor.Strange, "purchase.tenant"},
		{`201`, "", processor.Strange, "purchase.tenant"},
		{`201 {"id": "a", "login": "x"}`, `200 {"state": "coming"}`, processor.Pending, ""},
		{`201 {"id": "a", "login": "x"}`, `200 {"state": "broken", "why": "no disk"}`, processor.Failed, "no disk"},
		{`201 {"id": "a", "login": "x"}`, `200 {"state": "up"}`, processor.Rejected, "answer.url"},
		{`201 {"id": "a", "login": "x"}`, `200 []`, processor.Strange, "purchase.failed"},
	} {
		s := newServer(t, map[string]string{"POST /t": tt.post, "PUT /t/a/seats": "204", "GET /t/a": tt.get})
		w := workWith(t, "purchase", "", s.at()+created, Options{})
		a, err := w.Profile.Vendor.Create(t.Context(), w)
		if err == nil && a.State == processor.Unfinished {
			a, err = w.Profile.Vendor.Continue(t.Context(), w, "a")
		}
		if err != nil || a.State != tt.state || !strings.Contains(a.Reason, tt.reason) {
			t.Errorf("%s, then %s: %+v, %v", tt.post, tt.get, a, err)
		}
	}
}

// TestVendor_StrangePurchase_IsNotApprovedWhenItComesAgain has a tenant held for
// its status. Redriven, nothing can ask for that.
func TestVendor_StrangePurchase_IsNotApprovedWhenItComesAgain(t *testing.T) {
	t.Parallel()
	s := newServer(t, map[string]string{"POST /t": `201 {"tenantId": "a", "status": "odd"}`})
	w := workWith(t, "purchase", "", s.at()+"purchase: {call: {method: POST, path: /t}}", Options{})
	a, err := w.Profile.Vendor.Create(t.Context(), w)
	if err != nil || a.State != processor.Strange || params(a.Params)["subscription_id"] != "a" {
		t.Fatalf("%+v, %v", a, err)
	}
	a, err = w.Profile.Vendor.Continue(t.Context(), w, "a")
	if err != nil || a.State != processor.Strange || !strings.Contains(a.Reason, "--outcome done") || params(a.Params)["subscription_id"] != "a" {
		t.Errorf("%+v, %v", a, err)
	}
}

func TestVendor_Password_IsSavedAsItIs(t *testing.T) {
	t.Parallel()
	s := newServer(t, map[string]string{"PUT /t": `200 {"pass": "hunter2"}`})
	w := workWith(t, "change", "a", s.at()+"change: {call: {method: PUT, path: /t, save: {login: answer.pass}}}", Options{})
	paramOf(w, "login").Type = typePassword
	v, err := processor.CallTenant(t.Context(), w)
	if err != nil || v.Decision != fulfillment.Approve || params(v.Params)["login"] != "hunter2" {
		t.Errorf("%+v, %v", v, err)
	}
}

func TestVendor_StatusNotJSON_TeachesNothing(t *testing.T) {
	t.Parallel()
	s := newServer(t, map[string]string{"PUT /t/a/seats": "204", "GET /t/a": "200 <html>"})
	w := workWith(t, "purchase", "", s.at()+created, Options{})
	_, err := w.Profile.Vendor.Continue(t.Context(), w, "a")
	var fault *vendorapi.Error
	if !errors.As(err, &fault) || fault.Kind != vendorapi.Unexpected {
		t.Errorf("%v", err)
	}
}

func TestVendor_Gone_IsDoneWhereTheProfileSaysSo(t *testing.T) {
	t.Parallel()
	const calls = `
cancel: {call: {method: DELETE, path: "/t/{tenant}"}}
suspend: {call: {method: PUT, path: "/t/{tenant}/off"}}
resume: {call: {method: PUT, path: "/t/{tenant}/on", not_found: done}}
`
	const asked = `
cancel:
  call: {method: POST, path: "/t/{tenant}/end"}
  then: [{method: DELETE, path: "/users/{tenant}"}]
  status: {method: GET, path: "/t/{tenant}"}
  pending: 'true'
`
	ended := newServer(t, map[string]string{"POST /t/a/end": "204"})
	w := workWith(t, "cancel", "a", ended.at()+asked, Options{})
	if v, err := processor.CallTenant(t.Context(), w); err != nil || v.Decision != fulfillment.Approve || len(ended.seen) != 3 {
		t.Errorf("gone when asked for: %+v, %v, %v", v, err, ended.seen)
	}
	s := newServer(t, nil)
	for kind, want := range map[string]fulfillment.Decision{
		"cancel": fulfillment.Approve, "suspend": fulfillment.Hold, "resume": fulfillment.Approve,
	} {
		w := workWith(t, kind, "a", s.at()+calls, Options{})
		if v, err := processor.CallTenant(t.Context(), w); err != nil || v.Decision != want {
			t.Errorf("%s: %+v, %v", kind, v, err)
		}
	}
}

func TestVendor_Tenant_NeverLeadsElsewhere(t *testing.T) {
	t.Parallel()
	s := newServer(t, map[string]string{"DELETE /t/a%2Fb%3Fc?q=x+y": "204"})
	const cancel = `cancel: {call: {method: DELETE, path: "/t/{tenant}?q={'x y'}"}}`
	w := workWith(t, "cancel", "a/b?c", s.at()+cancel, Options{})
	if v, err := processor.CallTenant(t.Context(), w); err != nil || v.Decision != fulfillment.Approve {
		t.Errorf("%+v, %v", v, err)
	}
	for _, tenant := range []string{".", ".."} {
		w := workWith(t, "cancel", tenant, s.at()+cancel, Options{})
		v, err := processor.CallTenant(t.Context(), w)
		if err != nil || v.Decision != fulfillment.Hold || !strings.Contains(v.Reason, "{tenant}") {
			t.Errorf("%s: %+v, %v", tenant, v, err)
		}
	}
	w = workWith(t, "suspend", "a", s.at()+`suspend: {call: {method: PUT, path: '/t/{param("login")}'}}`, Options{})
	if v, err := processor.CallTenant(t.Context(), w); err != nil || v.Decision != fulfillment.Hold {
		t.Errorf("an empty segment: %+v, %v", v, err)
	}
	if len(s.seen) != 1 {
		t.Errorf("calls: %v", s.seen)
	}
}

func TestVendor_TypesLeftOut_AreTheTenantAPIs(t *testing.T) {
	t.Parallel()
	s := newServer(t, map[string]string{"PUT /tenant/a/disable": "204", "PUT /tenant/a": "200 {}"})
	for _, kind := range []string{"suspend", "change"} {
		w := workWith(t, kind, "a", s.at(), Options{})
		if v, err := processor.CallTenant(t.Context(), w); err != nil || v.Decision != fulfillment.Approve {
			t.Errorf("%s: %+v, %v", kind, v, err)
		}
	}
}

func TestVendor_Tier_CalledAndAskedAgain(t *testing.T) {
	t.Parallel()
	s := newServer(t, map[string]string{
		"POST /r": `201 {"id": "R-1"}`, "GET /r/TC-1": `200 {"status": "processing"}`,
	})
	w := workWith(t, "tier-setup", "", s.at()+`
tier_setup:
  call: {method: POST, path: /r, body: '{"name": tier.account.name}', headers: {X-Level: tier.level}, save: {ref: answer.id}}
  status: {method: GET, path: "/r/{tier.id}"}
`, Options{})
	a, err := w.Profile.Vendor.Call(t.Context(), w, "")
	if err != nil || a.State != processor.Pending || params(a.Params)["ref"] != "R-1" {
		t.Fatalf("%+v, %v", a, err)
	}
	w.Waited = true
	if _, err := w.Profile.Vendor.Call(t.Context(), w, ""); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{`POST /r TCR-1 {"name":"Reseller"}`, "GET /r/TC-1", "GET /r/TC-1"}, s.seen); diff != "" {
		t.Error(diff)
	}
	if got := s.calls[0].Header.Get("X-Level"); got != "1" {
		t.Errorf("X-Level is %q", got)
	}
}

func TestVendor_BodyWithoutLimit_IsNeverSent(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil)
	w := workWith(t, "change", "a", s.at()+`change: {call: {method: PUT, path: /t, body: '{"n": item("ALL").quantity}'}}`, Options{})
	v, err := processor.CallTenant(t.Context(), w)
	if err != nil || v.Decision != fulfillment.Hold || !strings.Contains(v.Reason, "use limit") || len(s.seen) > 0 {
		t.Errorf("%+v, %v, calls %v", v, err, s.seen)
	}
}

// TestVendor_AnswerNotUnderstood_IsNotTakenForDone has the answer to the first of
// two calls hold a change. Sent again, both calls are made.
func TestVendor_AnswerNotUnderstood_IsNotTakenForDone(t *testing.T) {
	t.Parallel()
	s := newServer(t, map[string]string{"PUT /a": `200 {"login": "x"}`, "PUT /b": "204"})
	w := workWith(t, "change", "a", s.at()+`
change:
  call: {method: PUT, path: /a, save: {login: answer.login, region: answer.no.such}}
  then: [{method: PUT, path: /b}]
`, Options{})
	v, err := processor.CallTenant(t.Context(), w)
	if err != nil || v.Decision != fulfillment.Hold || len(v.Params) > 0 {
		t.Errorf("%+v, %v", v, err)
	}
	w.Waited = true
	if _, err := processor.CallTenant(t.Context(), w); err != nil || len(s.seen) != 2 || !strings.HasPrefix(s.seen[1], "PUT /a") {
		t.Errorf("%v, calls %v", err, s.seen)
	}
}

func TestVendor_HeaderWithLineBreak_IsNeverSent(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil)
	w := workWith(t, "change", "a", s.at()+`change: {call: {method: PUT, path: /a, headers: {X-A: '"a\nb"'}}}`, Options{})
	if v, err := processor.CallTenant(t.Context(), w); err != nil || v.Decision != fulfillment.Hold || len(s.seen) > 0 {
		t.Errorf("%+v, %v", v, err)
	}
}
