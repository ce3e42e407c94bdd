package connectsim_test

import (
	"strings"
	"testing"

	"github.com/headrace/headrace/pkg/connectsim"
)

const tierActivation = "TL-620-114-004"

func (p *portal) tierStatus(id, want string) connectsim.TierRequest {
	p.t.Helper()
	for _, r := range p.TierRequests() {
		if r.ID == id {
			if r.Status != want {
				p.t.Fatalf("tier request %s is %q, want %q", id, r.Status, want)
			}
			return r
		}
	}
	p.t.Fatalf("there is no tier request %s", id)
	return connectsim.TierRequest{}
}

func TestTier_Approve_AnswersTemplateAndActivates(t *testing.T) {
	t.Parallel()
	p := newPortal(t, connectsim.Options{Empty: true})
	id := p.AddTierRequest(connectsim.NewTierRequest{Params: map[string]string{"reseller_contact": "a@example.com"}})
	path := "/tier/config-requests/" + id
	req := p.ok(200, "PUT", path, `{"params":[{"id":"reseller_ref","value":"P-52","value_error":""}],"notes":"hi"}`)
	if req["notes"] != "hi" || req["status"] != "pending" {
		t.Errorf("after PUT: notes %v, status %v", req["notes"], req["status"])
	}
	p.refused("VAL_001", "template", "POST", path+"/approve", "")
	p.refused("VAL_001", "scope tier1", "POST", path+"/approve", `{"template":{"id":"`+activation+`"}}`)
	got := p.ok(200, "POST", path+"/approve", `{"template":{"id":"`+tierActivation+`"}}`)
	template, _ := got["template"].(map[string]any)
	if template["id"] != tierActivation || template["representation"] != "# Reseller ready\n\nYour id is P-52." || got["effective_date"] == "" || got["status"] != nil {
		t.Errorf("approve answered %v", got)
	}
	r := p.tierStatus(id, "approved")
	config := p.ok(200, "GET", "/tier/configs/"+r.ConfigurationID, "")
	if config["status"] != "active" || config["open_request"] != nil || r.ConfigurationStatus != "active" {
		t.Errorf("configuration is %v", config)
	}
	if rows, _ := p.list("/tier/configs?params.id=reseller_ref&params.value=P-52"); len(rows) != 1 {
		t.Error("the configuration did not get the request's values")
	}
	for action, body := range map[string]string{
		"/approve": `{"template":{"id":"` + tierActivation + `"}}`, "/fail": `{"reason":"x"}`, "/inquire": "", "/pend": "", "/submit": "", "/validate": "",
	} {
		p.refused("TC_006", "Tier configuration request status transition is not allowed.", "POST", path+action, body)
	}
	p.refused("TC_006", "", "PUT", path, `{"params":[]}`)
}

func TestTier_OtherActions_Answer204(t *testing.T) {
	t.Parallel()
	p := newPortal(t, connectsim.Options{Empty: true})
	id := p.AddTierRequest(connectsim.NewTierRequest{})
	path := "/tier/config-requests/" + id
	for _, step := range []struct{ action, body, status string }{
		{"assign", `{"email":"a@example.com"}`, "pending"}, {"unassign", "", "pending"},
		{"inquire", "", "inquiring"}, {"pend", "", "pending"}, {"fail", `{"reason":"no"}`, "failed"},
	} {
		if step.action == "fail" {
			p.refused("VAL_001", "reason", "POST", path+"/fail", "")
		}
		if got := p.ok(204, "POST", path+"/"+step.action, step.body); got != nil {
			t.Errorf("%s answered %v", step.action, got)
		}
		p.tierStatus(id, step.status)
	}
}

func TestTier_CreateUpdate_KeepsOldValuesUntilApproved(t *testing.T) {
	t.Parallel()
	p := newPortal(t, connectsim.Options{Empty: true})
	first := p.tierStatus(p.AddTierRequest(connectsim.NewTierRequest{Params: map[string]string{"reseller_contact": "old@example.com"}}), "pending")
	body := `{"configuration":{"id":"` + first.ConfigurationID + `"},"params":[{"id":"reseller_contact","value":"new@example.com"}]}`
	p.refused("VAL_001", "open request", "POST", "/tier/config-requests", body)
	p.refused("VAL_001", "does not exist", "POST", "/tier/config-requests", `{"configuration":{"id":"TC-0"}}`)
	p.ok(200, "POST", "/tier/config-requests/"+first.ID+"/approve", `{"template":{"representation":"ok"}}`)
	req := p.ok(201, "POST", "/tier/config-requests", body)
	second := p.tierStatus(req["id"].(string), "pending")
	if second.Type != "update" || second.Params["reseller_contact"] != "new@example.com" || !strings.HasSuffix(second.ID, "-002") {
		t.Errorf("created %+v", second)
	}
	query := "/tier/configs?params.value=new@example.com"
	if rows, _ := p.list(query); len(rows) != 0 {
		t.Error("the configuration has the value before the approval")
	}
	p.ok(200, "POST", "/tier/config-requests/"+second.ID+"/approve", `{"template":{"representation":"ok"}}`)
	if rows, _ := p.list(query); len(rows) != 1 {
		t.Error("the configuration has not got the value after the approval")
	}
}

func TestTier_LinkedPurchase_MovesWhenAllAreDone(t *testing.T) {
	t.Parallel()
	for action, want := range map[string]string{"approve": "pending", "fail": "failed"} {
		p := newPortal(t, connectsim.Options{Empty: true})
		t1, t2 := connectsim.Account{ID: "TA-1"}, connectsim.Account{ID: "TA-2"}
		second := p.tierStatus(p.AddTierRequest(connectsim.NewTierRequest{Account: t2, Level: 2}), "pending")
		first := p.AddTierRequest(connectsim.NewTierRequest{Account: t1, Status: "tiers_setup", Parent: second.ConfigurationID})
		id := p.AddRequest(connectsim.NewRequest{Status: "tiers_setup", Reseller: t1, Reseller2: t2})
		other := p.AddRequest(connectsim.NewRequest{Status: "tiers_setup", Reseller: connectsim.Account{ID: "TA-3"}})

		p.ok(200, "POST", "/tier/config-requests/"+second.ID+"/approve", `{"template":{"representation":"ok"}}`)
		p.tierStatus(first, "pending")
		p.status(id, "tiers_setup")
		if action == "approve" {
			p.ok(200, "POST", "/tier/config-requests/"+first+"/approve", `{"template":{"id":"`+tierActivation+`"}}`)
		} else {
			p.ok(204, "POST", "/tier/config-requests/"+first+"/fail", `{"reason":"no"}`)
			if r := p.tierStatus(first, "failed"); r.ConfigurationStatus != "active" {
				t.Errorf("configuration is %s", r.ConfigurationStatus)
			}
		}
		p.status(id, want)
		p.status(other, "tiers_setup")
	}
}

func TestTier_ProductWithSetup_PurchaseWaits(t *testing.T) {
	t.Parallel()
	p := newPortal(t, connectsim.Options{Empty: true})
	p.AddProduct(connectsim.Product{
		ID: "PRD-1", TierSetup: true, Items: []connectsim.Item{{MPN: "X"}},
		Params:    []connectsim.Param{{ID: "ref", Phase: "fulfillment", Scope: "tier1", Required: true}},
		Templates: []connectsim.Template{{ID: "TL-1", Name: "T", Scope: "tier1", Type: "fulfillment", Body: "{{ ref }}"}},
	})
	body := `{"type":"purchase","asset":{"product":{"id":"PRD-1"},"tiers":{"tier1":{"id":"TA-1","name":"R"}}}}`
	req := p.ok(201, "POST", "/requests", body)
	p.status(req["id"].(string), "tiers_setup")
	tier := p.TierRequests()
	if len(tier) != 1 || tier[0].Type != "setup" || tier[0].AccountID != "TA-1" {
		t.Fatalf("tier requests are %+v", tier)
	}
	path := "/tier/config-requests/" + tier[0].ID
	p.refused("TC_006", "ref", "POST", path+"/approve", `{"template":{"id":"TL-1"}}`)
	p.ok(200, "PUT", path, `{"params":[{"id":"ref","value":"r"}]}`)
	p.ok(200, "POST", path+"/approve", `{"template":{"id":"TL-1"}}`)
	p.status(req["id"].(string), "pending")
	if again := p.ok(201, "POST", "/requests", body); again["status"] != "pending" {
		t.Errorf("the second purchase is %v", again["status"])
	}
}
