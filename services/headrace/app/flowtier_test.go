package app_test

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/headrace/headrace/pkg/connect"
	"github.com/headrace/headrace/pkg/connectsim"
	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/processor"
	"github.com/headrace/headrace/pkg/stream"
	"github.com/headrace/headrace/pkg/vendorapi"
	"github.com/headrace/headrace/pkg/vendorsim"
	"github.com/headrace/headrace/services/tierconfig"
)

const tierActivation = "TL-620-114-004"

func reseller() connectsim.Account {
	return connectsim.Account{ID: "TA-1111-2222-3333", Name: "New Reseller", Email: "partner@example.com"}
}

// waiting is a purchase that waits for the set-up of its reseller, and the tier
// request of that.
func (f *flow) waiting(contact, product string) (id, tier string) {
	f.t.Helper()
	tier = f.connect.AddTierRequest(connectsim.NewTierRequest{
		ProductID: product, Account: reseller(), Params: map[string]string{"reseller_contact": contact},
	})
	n := ordered(nil)
	n.Status, n.ProductID, n.Reseller = "tiers_setup", product, reseller()
	return f.connect.AddRequest(n), tier
}

func (f *flow) tier(id string) connectsim.TierRequest {
	for _, r := range f.connect.TierRequests() {
		if r.ID == id {
			return r
		}
	}
	return connectsim.TierRequest{}
}

func TestFlow_TierSetUp_PurchaseFollows(t *testing.T) {
	t.Parallel()
	f := newFlow(t)
	id, tier := f.waiting("partner@example.com", "")
	f.run()
	if r := f.reaches(id, "approved"); r.Params["subscription_id"] == "" {
		t.Error("approved without a tenant")
	}
	if r := f.tier(tier); r.Status != "approved" || r.TemplateID != tierActivation || r.ConfigurationStatus != "active" {
		t.Errorf("tier request is %+v", r)
	}
	f.effects(tier)
	f.effects(id, vendorsim.Create)
	f.events(tier, fulfillment.EventApproved)
	for _, c := range f.connect.Faults().Calls() {
		if op := f.vendor.Operations()[0]; strings.HasSuffix(c.Path, tier+"/approve") && op.Start.Before(c.Time) {
			t.Errorf("the vendor was called at %v, before the reseller was set up at %v", op.Start, c.Time)
		}
	}
}

// tierVendor answers every call for a tier in the same way.
type tierVendor struct {
	processor.Vendor // the calls that are for assets
	answer           processor.Answer
	err              error
}

func (v tierVendor) Call(context.Context, *processor.Work, string) (processor.Answer, error) {
	return v.answer, v.err
}

// The service is asked by the test, as only a profile has it call a vendor, and
// what it decides goes its way through the stream to Connect.
func TestFlow_TierConfiguredByTheVendor_FollowsItsAnswer(t *testing.T) {
	t.Parallel()
	for status, vendor := range map[string]tierVendor{
		"approved": {answer: processor.Answer{State: processor.Ready, Params: []fulfillment.Param{processor.Value("reseller_ref", "P-52")}}},
		"failed":   {err: &vendorapi.Error{Kind: vendorapi.Rejected, Status: http.StatusUnprocessableEntity, Message: "no such partner"}},
	} {
		t.Run(status, func(t *testing.T) {
			t.Parallel()
			f := newFlow(t)
			id, tier := f.waiting("partner@example.com", "")
			f.shareBroker()
			f.start("fetcher", "committer")
			f.client = f.world.client()
			w := f.opened(tier)
			w.Profile = &processor.Profile{Vendor: vendor, TenantParam: processor.DefaultTenantParam}
			v, err := tierconfig.Service{}.Decide(t.Context(), w)
			if err != nil {
				t.Fatal(err)
			}
			f.decided(w, v)
			f.reaches(tier, status)
			if r := f.tier(tier); status == "approved" && r.Params["reseller_ref"] != "P-52" || status == "failed" && r.Reason != "no such partner" {
				t.Errorf("%s for %q with %v", r.Status, r.Reason, r.Params)
			}
			if got := f.connect.Statuses()[id]; got == "tiers_setup" || got == "failed" != (status == "failed") {
				t.Errorf("the purchase is %s", got)
			}
		})
	}
}

// opened waits until the fetcher has published the tier request.
func (f *flow) opened(tier string) *processor.Work {
	f.t.Helper()
	r := f.tier(tier)
	key := fulfillment.Key{Type: fulfillment.TierType(r.Type), Product: r.ProductID, Asset: r.ConfigurationID, Request: tier}
	w := &processor.Work{Key: key}
	f.until(tier+" is published", func() bool {
		m, err := f.client.Last(f.t.Context(), fulfillment.StreamRequests, key.Subject(fulfillment.RootRequests))
		if err != nil {
			return false
		}
		w.Episode = m.Sequence
		if w.Tier, err = connect.DecodeTierRequest(m.Body); err != nil {
			f.t.Fatal(err)
		}
		return true
	})
	return w
}

// decided stores a verdict for the committer.
func (f *flow) decided(w *processor.Work, v processor.Verdict) {
	f.t.Helper()
	body, err := json.Marshal(fulfillment.Result{
		RequestID: w.Key.Request, AssetID: w.Key.Asset, ProductID: w.Key.Product, Type: w.Key.Type,
		Episode: w.Episode, Attempt: 1, Decision: v.Decision, Reason: v.Reason, Params: v.Params, Time: time.Now(),
	})
	if err != nil {
		f.t.Fatal(err)
	}
	if _, err := f.client.Append(f.t.Context(), stream.Message{Subject: w.Key.Subject(fulfillment.RootResults), ID: w.Key.Request, Body: body}); err != nil {
		f.t.Fatal(err)
	}
}

func TestFlow_TierInquired_PurchaseWaitsUntilItIsAnswered(t *testing.T) {
	t.Parallel()
	f := newFlow(t)
	id, tier := f.waiting("", "")
	f.run()
	f.events(tier, fulfillment.EventInquiring)
	if r := f.tier(tier); r.Status != "inquiring" || r.ParamErrors["reseller_contact"] == "" || len(r.ParamErrors) != 1 {
		t.Errorf("tier request is %s with errors %v", r.Status, r.ParamErrors)
	}
	f.reaches(id, "tiers_setup")
	f.effects(id)
	if err := f.connect.AnswerTier(tier, map[string]string{"reseller_contact": "partner@example.com"}); err != nil {
		t.Fatal(err)
	}
	f.reaches(id, "approved")
	f.events(tier, fulfillment.EventInquiring, fulfillment.EventApproved)
	f.effects(id, vendorsim.Create)
}

func TestFlow_TierFailed_PurchaseFailsAndTheVendorIsNotCalled(t *testing.T) {
	t.Parallel()
	f := newFlow(t)
	id, tier := f.waiting("", "")
	f.run()
	f.reaches(tier, "inquiring")
	if err := f.connect.FailTier(tier, "no such partner"); err != nil {
		t.Fatal(err)
	}
	if r := f.reaches(id, "failed"); r.Reason != "no such partner" {
		t.Errorf("the purchase failed for %q", r.Reason)
	}
	f.effects(id)
}

func TestFlow_TierFulfillmentParameterEmpty_IsHeld(t *testing.T) {
	t.Parallel()
	f := newFlow(t)
	f.connect.AddProduct(product(activations(), tenantParam(),
		connectsim.Param{ID: "reseller_ref", Phase: "fulfillment", Scope: "tier1", Required: true}))
	id, tier := f.waiting("", "PRD-1")
	f.run()
	contains(t, "the reason", f.held(tier), "reseller_ref")
	f.reaches(id, "tiers_setup")
}

func TestFlow_TierTemplateMissing_IsHeld(t *testing.T) {
	t.Parallel()
	f := newFlow(t)
	f.connect.AddProduct(product(nil, tenantParam()))
	_, tier := f.waiting("", "PRD-1")
	f.run()
	contains(t, "the reason", f.held(tier), "there is no activation template")
}

func TestFlow_SecondTier_IsSetUpBeforeTheFirst(t *testing.T) {
	t.Parallel()
	f := newFlow(t)
	upper := f.connect.AddTierRequest(connectsim.NewTierRequest{
		Level: 2, Account: connectsim.Account{ID: "TA-9", Name: "Distributor"}, Params: map[string]string{"distributor_contact": "d@example.com"},
	})
	lower := f.connect.AddTierRequest(connectsim.NewTierRequest{
		Status: "tiers_setup", Parent: f.tier(upper).ConfigurationID, Account: reseller(), Params: map[string]string{"reseller_contact": "p@example.com"},
	})
	f.run()
	f.reaches(lower, "approved")
	first, second := f.events(upper, fulfillment.EventApproved), f.events(lower, fulfillment.EventApproved)
	if first[0].Episode >= second[0].Episode {
		t.Errorf("episodes %d and %d", first[0].Episode, second[0].Episode)
	}
	if r := f.tier(upper); r.TemplateID != "TL-620-114-005" {
		t.Errorf("the second tier is approved with template %q", r.TemplateID)
	}
}

func TestFlow_TierUpdateAndAdjustment_AreApproved(t *testing.T) {
	t.Parallel()
	f := newFlow(t)
	update := f.connect.AddTierRequest(connectsim.NewTierRequest{Type: "update", Params: map[string]string{"reseller_contact": "p@example.com"}})
	adjustment := f.connect.AddTierRequest(connectsim.NewTierRequest{Type: "adjustment", Account: reseller()})
	f.run()
	f.events(update, fulfillment.EventApproved)
	f.events(adjustment, fulfillment.EventApproved)
}
