package connectsim_test

import (
	"net/http"
	"testing"

	"github.com/headrace/headrace/pkg/connectsim"
)

func TestAnswerTier_Inquired_IsPendingAgainWithoutErrors(t *testing.T) {
	t.Parallel()
	p := newPortal(t, connectsim.Options{Empty: true})
	first, second := p.AddTierRequest(connectsim.NewTierRequest{}), p.AddTierRequest(connectsim.NewTierRequest{})
	if err := p.AnswerTier(first, nil); err == nil {
		t.Error("a pending tier request was answered")
	}
	for _, id := range []string{first, second} {
		path := "/tier/config-requests/" + id
		p.ok(200, "PUT", path, `{"params":[{"id":"reseller_contact","value_error":"This field is required."}]}`)
		p.ok(204, "POST", path+"/inquire", "")
	}
	if err := p.AnswerTier(first, map[string]string{"nothing": "x"}); err == nil {
		t.Error("a parameter that there is not was set")
	}
	if err := p.AnswerTier(first, map[string]string{"reseller_contact": "a@example.com"}); err != nil {
		t.Fatal(err)
	}
	if r := p.call("POST", "/_sim/forms/"+second, `{"reseller_contact":"a@example.com"}`, ""); r.status != http.StatusOK {
		t.Fatalf("answering: %d %s", r.status, r.text)
	}
	for _, id := range []string{first, second} {
		if r := p.tierStatus(id, "pending"); r.Params["reseller_contact"] != "a@example.com" || len(r.ParamErrors) != 0 {
			t.Errorf("answered tier request is %+v", r)
		}
	}
}

func TestFailTier_PurchaseWaits_FailsToo(t *testing.T) {
	t.Parallel()
	p := newPortal(t, connectsim.Options{Empty: true})
	reseller := connectsim.Account{ID: "TA-1", Name: "R"}
	tier := p.AddTierRequest(connectsim.NewTierRequest{Account: reseller})
	id := p.AddRequest(connectsim.NewRequest{Status: "tiers_setup", Reseller: reseller})
	if err := p.FailTier(tier, "no such partner"); err != nil {
		t.Fatal(err)
	}
	p.status(id, "failed")
	if r, _ := p.Request(id); r.Reason != "no such partner" {
		t.Errorf("the purchase failed for %q", r.Reason)
	}
	if got := p.Statuses(); got[tier] != "failed" || got[id] != "failed" || len(got) != 2 {
		t.Errorf("statuses are %v", got)
	}
	if err := p.FailTier(tier, "again"); err == nil {
		t.Error("a failed tier request was failed")
	}
}

func TestLoad_OtherTypes_HaveTenants(t *testing.T) {
	t.Parallel()
	p := newPortal(t, connectsim.Options{Empty: true})
	tenants := p.Load(connectsim.LoadOptions{Adjustments: 1, Renews: 2, Transfers: 1})
	counts := p.Counts()
	if counts["adjustment"]["pending"] != 1 || counts["renew"]["pending"] != 2 || counts["transfer"]["pending"] != 1 || len(tenants) != 4 {
		t.Errorf("%v with %d tenants", counts, len(tenants))
	}
	for _, r := range p.Requests() {
		if r.Params["subscription_id"] != connectsim.TenantOf(r.AssetID) || r.AssetStatus != "active" {
			t.Errorf("%s: asset %s with tenant %q", r.Type, r.AssetStatus, r.Params["subscription_id"])
		}
	}
}
