package connectsim_test

import (
	"net/http"
	"testing"

	"github.com/headrace/headrace/pkg/connectsim"
)

func TestRequest_PurchaseFulfilled_ApprovesAndActivates(t *testing.T) {
	t.Parallel()
	p := newPortal(t, connectsim.Options{Empty: true})
	id := p.AddRequest(connectsim.NewRequest{Params: map[string]string{"admin_email": "a@example.com"}})
	path := "/requests/" + id

	p.refused("REQ_003", "subscription_id", "POST", path+"/approve", `{"template_id":"`+activation+`"}`)
	got := p.ok(200, "PUT", path, `{"asset":{"params":[{"id":"subscription_id","value":"T-1","value_error":"","structured_value":""}]},"note":"hi"}`)
	if got["note"] != "hi" || got["status"] != "pending" {
		t.Fatalf("after PUT: note %v, status %v", got["note"], got["status"])
	}
	got = p.ok(200, "POST", path+"/approve", `{"template_id":"`+activation+`"}`)
	r, _ := p.Request(id)
	if r.Status != "approved" || r.AssetStatus != "active" || r.TemplateID != activation || r.Params["subscription_id"] != "T-1" {
		t.Errorf("approved request is %+v", r)
	}
	if want := "# Welcome\n\nYour subscription **T-1** is ready."; got["activation_key"] != want {
		t.Errorf("activation_key = %q, want %q", got["activation_key"], want)
	}
	if a := p.Assets(); len(a) != 1 || a[0].Status != "active" || a[0].Params["subscription_id"] != "T-1" {
		t.Errorf("assets are %+v", a)
	}
	p.refused("REQ_003", "Only pending and inquiring requests can be approved.", "POST", path+"/approve", `{"template_id":"`+activation+`"}`)
	p.refused("REQ_003", "Only pending requests can be failed.", "POST", path+"/fail", `{"reason":"x"}`)
	p.refused("REQ_003", "Only pending requests can be moved to inquiring status.", "POST", path+"/inquire", "")
	p.refused("REQ_003", "Only pending, draft or inquiring Fulfillments with enabled validation capability can be updated.", "PUT", path, `{"note":"x"}`)
}

func TestRequest_InquiredAndAnswered_IsPendingAgain(t *testing.T) {
	t.Parallel()
	p := newPortal(t, connectsim.Options{Empty: true})
	id := p.AddRequest(connectsim.NewRequest{Params: map[string]string{"admin_email": "a@"}})
	path := "/requests/" + id

	p.refused("REQ_003", "at least one parameter should be marked as invalid", "POST", path+"/inquire", "")
	p.ok(200, "PUT", path, `{"asset":{"params":[{"id":"admin_email","value_error":"No e-mail address."}]}}`)
	got := p.ok(200, "POST", path+"/inquire", `{"template_id":"`+inquiry+`"}`)
	form, _ := got["params_form_url"].(string)
	if got["status"] != "inquiring" || form != p.url+"/_sim/forms/"+id {
		t.Fatalf("inquired: status %v, form %q", got["status"], form)
	}
	if r := p.call("POST", "/_sim/forms/"+id, `{"admin_email":"a@example.com"}`, ""); r.status != http.StatusOK {
		t.Fatalf("answering: %d %s", r.status, r.text)
	}
	r, _ := p.Request(id)
	if r.Status != "pending" || !r.Answered || r.Params["admin_email"] != "a@example.com" || len(r.ParamErrors) != 0 {
		t.Errorf("answered request is %+v", r)
	}
}

func TestRequest_FailWithoutReason_REQ005(t *testing.T) {
	t.Parallel()
	p := newPortal(t, connectsim.Options{Empty: true})
	id := p.AddRequest(connectsim.NewRequest{})
	p.refused("REQ_005", "Missed fields: reason.", "POST", "/requests/"+id+"/fail", "")
	p.ok(200, "POST", "/requests/"+id+"/fail/", `{"reason":"Region not served."}`)
	r, _ := p.Request(id)
	if r.Status != "failed" || r.Reason != "Region not served." || r.AssetStatus != "terminated" {
		t.Errorf("failed request is %+v", r)
	}
}
