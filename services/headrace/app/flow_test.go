package app_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/headrace/headrace/pkg/connectsim"
	"github.com/headrace/headrace/pkg/deadletter"
	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/pipelinetest"
	"github.com/headrace/headrace/pkg/simfault"
	"github.com/headrace/headrace/pkg/stream"
	"github.com/headrace/headrace/pkg/vendorsim"
)

// The tests here are the boxes and arrows of Connect's flowchart for a
// processor, as docs/explanation/decision-flow.md lists them.

// What they use of the simulator's first product.
const (
	activation = "TL-620-114-001"
	inquiry    = "TL-620-114-002"
	note       = "company_phone" // an ordering parameter that nobody needs
)

// flow is a world without requests, to be filled by the test before it runs.
type flow struct {
	*world
	client *stream.Client
}

func newFlow(t *testing.T) *flow {
	t.Helper()
	return &flow{world: newWorld(t, connectsim.Options{Empty: true}, vendorsim.Options{})}
}

// run starts all services.
func (f *flow) run() {
	f.t.Helper()
	f.start()
	f.client = f.world.client()
}

// ordered is a purchase with the parameters that an order needs, and with
// others.
func ordered(params map[string]string) connectsim.NewRequest {
	n := connectsim.NewRequest{
		Lines:  []connectsim.Line{{Item: "MW-SEAT", Quantity: "5"}},
		Params: map[string]string{"admin_email": "ada@example.com"},
	}
	for id, value := range params {
		n.Params[id] = value
	}
	return n
}

// product is one with what an order needs, plus params.
func product(templates []connectsim.Template, params ...connectsim.Param) connectsim.Product {
	return connectsim.Product{
		ID: "PRD-1", Items: []connectsim.Item{{MPN: "MW-SEAT"}}, Params: params, Templates: templates,
	}
}

func activations() []connectsim.Template {
	return []connectsim.Template{
		{Name: "Any", Scope: "asset", Type: "fulfillment", Body: "# Welcome"},
		{Name: "Any", Scope: "tier1", Type: "fulfillment", Body: "# Welcome"},
	}
}

func tenantParam() connectsim.Param {
	return connectsim.Param{ID: "subscription_id", Phase: "fulfillment", Required: true}
}

// reaches waits for the request's status.
func (f *flow) reaches(id, status string) connectsim.Request {
	f.t.Helper()
	f.until(id+" is "+status, func() bool { return f.connect.Statuses()[id] == status })
	r, _ := f.connect.Request(id)
	return r
}

// held waits for the letter by which the request is left to a person, and
// returns its reason. The request must be pending.
func (f *flow) held(id string) string {
	f.t.Helper()
	reason := ""
	f.until(id+" is held", func() bool {
		letters, err := deadletter.List(f.t.Context(), f.client, deadletter.Filter{})
		if err != nil {
			f.t.Fatal(err)
		}
		i := slices.IndexFunc(letters, func(l deadletter.Entry) bool { return l.RequestID == id })
		if i < 0 {
			return false
		}
		if letters[i].Stage != fulfillment.StageHold {
			f.t.Fatalf("%s ended in %s: %s", id, letters[i].Stage, letters[i].Reason)
		}
		reason = letters[i].Reason
		return true
	})
	if status := f.connect.Statuses()[id]; status != "pending" {
		f.t.Errorf("%s is %s, held for %q", id, status, reason)
	}
	return reason
}

// events are those of the request that close an episode, once there are as many
// as wanted; each is of a later episode than the one before, and all events are in
// order.
func (f *flow) events(id string, want ...fulfillment.Event) []fulfillment.EventBody {
	f.t.Helper()
	var found, all []fulfillment.EventBody
	f.until("events of "+id, func() bool {
		found, all = nil, nil
		for m, err := range f.client.Read(f.t.Context(), fulfillment.StreamEvents, fulfillment.RootEvents+".*.*.*.*."+id, 1) {
			if err != nil {
				f.t.Fatal(err)
			}
			var e fulfillment.EventBody
			if err := json.Unmarshal(m.Body, &e); err != nil {
				f.t.Fatal(err)
			}
			if all = append(all, e); e.Event.Closes() {
				found = append(found, e)
			}
		}
		return len(found) >= len(want)
	})
	for _, wrong := range pipelinetest.Disorder(all) {
		f.t.Error(wrong)
	}
	var names []fulfillment.Event
	for i, e := range found {
		names = append(names, e.Event)
		if i > 0 && e.Episode <= found[i-1].Episode {
			f.t.Errorf("episode %d after %d", e.Episode, found[i-1].Episode)
		}
	}
	if diff := cmp.Diff(want, names); diff != "" {
		f.t.Errorf("events of %s: %s", id, diff)
	}
	return found
}

// effects are the kinds of what the vendor did for the request.
func (f *flow) effects(id string, want ...string) {
	f.t.Helper()
	var kinds []string
	for _, op := range f.vendor.Operations() {
		if op.IdempotencyKey == id {
			kinds = append(kinds, op.Kind)
		}
	}
	if diff := cmp.Diff(want, kinds); diff != "" {
		f.t.Errorf("effects of %s at the vendor: %s", id, diff)
	}
}

func contains(t *testing.T, what, text, part string) {
	t.Helper()
	if !strings.Contains(text, part) {
		t.Errorf("%s is %q, which does not say %q", what, text, part)
	}
}

func TestFlow_NothingMissing_IsApprovedWithTheTemplate(t *testing.T) {
	t.Parallel()
	f := newFlow(t)
	id := f.connect.AddRequest(ordered(nil))
	f.run()
	r := f.reaches(id, "approved")
	if r.Params["subscription_id"] != "T-1" || r.TemplateID != activation || r.AssetStatus != "active" {
		t.Errorf("approved as %+v", r)
	}
	contains(t, "what the customer reads", r.ActivationKey, "T-1")
	f.effects(id, vendorsim.Create)
	f.events(id, fulfillment.EventApproved)
}

func TestFlow_InquiryAnswered_IsApprovedInASecondEpisode(t *testing.T) {
	t.Parallel()
	f := newFlow(t)
	id := f.connect.AddRequest(ordered(map[string]string{"admin_email": ""}))
	f.run()
	r := f.reaches(id, "inquiring")
	if r.ParamErrors["admin_email"] == "" || len(r.ParamErrors) != 1 || r.TemplateID != inquiry {
		t.Errorf("inquired with errors %v and template %q", r.ParamErrors, r.TemplateID)
	}
	f.effects(id)
	if err := f.connect.Answer(id, map[string]string{"admin_email": "ada@example.com"}); err != nil {
		t.Fatal(err)
	}
	if r := f.reaches(id, "approved"); r.TemplateID != activation {
		t.Errorf("approved with template %q", r.TemplateID)
	}
	f.effects(id, vendorsim.Create)
	events := f.events(id, fulfillment.EventInquiring, fulfillment.EventApproved)
	contains(t, "the reason", events[0].Reason, "required ordering parameters")
}

func TestFlow_AnsweredWithNothing_IsInquiredAgain(t *testing.T) {
	t.Parallel()
	f := newFlow(t)
	id := f.connect.AddRequest(ordered(map[string]string{"admin_email": ""}))
	f.run()
	f.events(id, fulfillment.EventInquiring)
	if err := f.connect.Answer(id, map[string]string{"admin_email": ""}); err != nil {
		t.Fatal(err)
	}
	f.events(id, fulfillment.EventInquiring, fulfillment.EventInquiring)
	if r := f.reaches(id, "inquiring"); r.ParamErrors["admin_email"] == "" {
		t.Error("the second inquiry does not say what is missing")
	}
	f.effects(id)
}

func TestFlow_VendorRejects_FailsWithItsWords(t *testing.T) {
	t.Parallel()
	f := newFlow(t)
	const words = "this region is not served"
	bought := f.connect.AddRequest(ordered(map[string]string{note: "reject: " + words}))
	n := ordered(map[string]string{note: "reject: " + words})
	n.Type, n.AssetID = "change", "AS-1111-2222-3333"
	changed := f.connect.AddRequest(n)
	f.vendor.Add(vendorsim.Tenant{ID: connectsim.TenantOf(n.AssetID), ExternalID: n.AssetID})
	f.run()
	for id, asset := range map[string]string{bought: "terminated", changed: "active"} {
		if r := f.reaches(id, "failed"); r.Reason != words || r.AssetStatus != asset {
			t.Errorf("%s failed for %q, its asset is %s", r.Type, r.Reason, r.AssetStatus)
		}
		f.effects(id)
		if e := f.events(id, fulfillment.EventFailed); e[0].Reason != words {
			t.Errorf("the event's reason is %q", e[0].Reason)
		}
	}
}

func TestFlow_NoTenantInTheAnswer_Fails(t *testing.T) {
	t.Parallel()
	f := newFlow(t)
	if err := f.vendor.Faults().Set([]simfault.Fault{{
		Method: http.MethodPost, Status: http.StatusCreated, Body: json.RawMessage(`{"status":"ready"}`),
	}}); err != nil {
		t.Fatal(err)
	}
	id := f.connect.AddRequest(ordered(nil))
	f.run()
	contains(t, "the reason", f.reaches(id, "failed").Reason, "without a tenantId")
	f.events(id, fulfillment.EventFailed)
}

func TestFlow_TenantSlow_ItsIDIsSavedAtOnce(t *testing.T) {
	t.Parallel()
	f := newFlow(t)
	id := f.connect.AddRequest(ordered(map[string]string{note: "slow: 3s"}))
	f.run()
	f.until("the tenant's id is saved while the request is pending", func() bool {
		r, _ := f.connect.Request(id)
		return r.Params["subscription_id"] == "T-1" && r.Status == "pending"
	})
	tenant, _ := f.vendor.Tenant("T-1")
	if r := f.reaches(id, "approved"); r.Updated.Before(tenant.ReadyAt) {
		t.Errorf("approved %s before the tenant was ready", tenant.ReadyAt.Sub(r.Updated))
	}
	f.effects(id, vendorsim.Create)
	f.events(id, fulfillment.EventApproved)
}

func TestFlow_TenantFails_FailsTheRequest(t *testing.T) {
	t.Parallel()
	f := newFlow(t)
	atOnce := f.connect.AddRequest(ordered(map[string]string{note: "status: failed"}))
	f.connect.AddProduct(product(activations(), tenantParam(),
		connectsim.Param{ID: "a", Phase: "ordering"}, connectsim.Param{ID: "b", Phase: "ordering"}))
	later := f.connect.AddRequest(connectsim.NewRequest{
		ProductID: "PRD-1", Params: map[string]string{"a": "slow: 2s", "b": "status: error"},
	})
	f.run()
	for id, status := range map[string]string{atOnce: "failed", later: "error"} {
		contains(t, "the reason", f.reaches(id, "failed").Reason, "reports the tenant as "+status)
		f.effects(id, vendorsim.Create)
		f.events(id, fulfillment.EventFailed)
	}
}

func TestFlow_TenantInAnUnknownState_IsHeldWithItsID(t *testing.T) {
	t.Parallel()
	f := newFlow(t)
	id := f.connect.AddRequest(ordered(map[string]string{note: "status: confused"}))
	f.run()
	contains(t, "the reason", f.held(id), `"confused"`)
	f.until("the tenant's id is saved", func() bool {
		r, _ := f.connect.Request(id)
		return r.Params["subscription_id"] == "T-1"
	})
	f.effects(id, vendorsim.Create)
}

func TestFlow_TenantUnknownToTheVendor_IsHeldButForACancellation(t *testing.T) {
	t.Parallel()
	f := newFlow(t)
	n := ordered(nil)
	n.Type = "change"
	changed := f.connect.AddRequest(n)
	n.Type = "cancel"
	cancelled := f.connect.AddRequest(n)
	f.run()
	contains(t, "the reason", f.held(changed), "does not know the tenant")
	f.reaches(cancelled, "approved")
}

func TestFlow_RequiredFulfillmentParameterEmpty_Fails(t *testing.T) {
	t.Parallel()
	f := newFlow(t)
	f.connect.AddProduct(product(activations(), tenantParam(), connectsim.Param{ID: "license_key", Phase: "fulfillment", Required: true}))
	id := f.connect.AddRequest(connectsim.NewRequest{ProductID: "PRD-1"})
	f.run()
	contains(t, "the reason", f.reaches(id, "failed").Reason, "license_key")
	contains(t, "the event's reason", f.events(id, fulfillment.EventFailed)[0].Reason, "license_key")
}

func TestFlow_ConnectRefusesTheParameters_Fails(t *testing.T) {
	t.Parallel()
	f := newFlow(t)
	f.connect.AddProduct(product(activations())) // it has no subscription_id
	id := f.connect.AddRequest(connectsim.NewRequest{ProductID: "PRD-1"})
	f.run()
	contains(t, "the reason", f.reaches(id, "failed").Reason, "Parameter subscription_id does not exist")
	contains(t, "the event's reason", f.events(id, fulfillment.EventFailed)[0].Reason, "Connect refused the parameters")
}

func TestFlow_TemplateMissing_IsHeld(t *testing.T) {
	t.Parallel()
	f := newFlow(t)
	f.connect.AddProduct(product(nil, tenantParam()))
	id := f.connect.AddRequest(connectsim.NewRequest{ProductID: "PRD-1"})
	f.run()
	contains(t, "the reason", f.held(id), "there is no activation template")
	f.effects(id, vendorsim.Create)
}

func TestFlow_ConnectRefusesToApprove_IsHeld(t *testing.T) {
	t.Parallel()
	f := newFlow(t)
	if err := f.connect.Faults().Set([]simfault.Fault{{Path: "**/approve", Status: http.StatusBadRequest}}); err != nil {
		t.Fatal(err)
	}
	id := f.connect.AddRequest(ordered(nil))
	f.run()
	contains(t, "the reason", f.held(id), "Connect refuses to approve")
}

func TestFlow_OtherTypes_AreHeldUntouched(t *testing.T) {
	t.Parallel()
	f := newFlow(t)
	f.seed(f.connect.Load(connectsim.LoadOptions{Adjustments: 1, Renews: 1, Transfers: 1}))
	f.run()
	for _, r := range f.connect.Requests() {
		contains(t, "the reason", f.held(r.ID), "requests of type "+r.Type+" are left to a person")
		f.effects(r.ID)
	}
	for _, c := range f.connect.Faults().Calls() {
		if c.Method != http.MethodGet && !strings.HasSuffix(c.Path, "/messages") { // people are told
			t.Errorf("%s %s was sent to Connect", c.Method, c.Path)
		}
	}
	if calls := f.vendor.Faults().Calls(); len(calls) > 0 {
		t.Errorf("the vendor was called: %+v", calls)
	}
}

func TestFlow_HeldAndFinishedByAPerson_IsClosed(t *testing.T) {
	t.Parallel()
	f := newFlow(t)
	f.seed(f.connect.Load(connectsim.LoadOptions{Renews: 1}))
	f.run()
	id := f.connect.Requests()[0].ID
	f.held(id)
	if err := f.connect.SetStatus(id, "approved"); err != nil {
		t.Fatal(err)
	}
	f.events(id, fulfillment.EventApproved)
}
