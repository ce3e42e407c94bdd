package connectsim_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/headrace/headrace/pkg/connectsim"
)

const order = `{"type":"purchase","asset":{"product":{"id":"` + productID + `"},"connection":{"id":"CT-9","type":"test"},
	"external_id":"ext-1","external_uid":"u-1",
	"items":[{"id":"PRD_620_114_337_0001","quantity":5},{"mpn":"MW-STORE","quantity":1.5},{"id":"PRD-620-114-337-0003","quantity":"unlimited"}],
	"params":[{"id":"admin_email","value":"a@example.com"}],
	"tiers":{"customer":{"name":"Łódź"},"tier1":{"id":"TA-8814-2207-6635"}}},"marketplace":{"id":"MP-27311"}}`

// quantities are the lines of a request as "quantity/old quantity".
func quantities(req map[string]any) []string {
	var out []string
	for _, it := range req["asset"].(map[string]any)["items"].([]any) {
		it := it.(map[string]any)
		out = append(out, fmt.Sprintf("%v/%v", it["quantity"], it["old_quantity"]))
	}
	return out
}

func (p *portal) approve(id string) {
	p.t.Helper()
	p.ok(200, "PUT", "/requests/"+id, `{"asset":{"params":[{"id":"subscription_id","value":"T-9"}]}}`)
	p.ok(200, "POST", "/requests/"+id+"/approve", `{"template_id":"`+activation+`"}`)
}

func TestCreate_LifeOfASubscription(t *testing.T) {
	t.Parallel()
	p := newPortal(t, connectsim.Options{Empty: true})
	req := p.ok(201, "POST", "/requests", order)
	asset := req["asset"].(map[string]any)
	id := asset["id"].(string)
	first := "PR-" + strings.TrimPrefix(id, "AS-")
	if diff := cmp.Diff([]string{"5/0", "1.5/0", "unlimited/0"}, quantities(req)); diff != "" || req["id"] != first+"-001" || req["status"] != "pending" {
		t.Errorf("purchase %v is %v: %s", req["id"], req["status"], diff)
	}
	if c := asset["connection"].(map[string]any); c["id"] != "CT-9" || c["type"] != "test" || asset["external_id"] != "ext-1" {
		t.Errorf("connection %v, external id %v", c, asset["external_id"])
	}
	p.refused("VAL_001", "is processing", "POST", "/requests", `{"type":"suspend","asset":{"id":"`+id+`"}}`)
	p.approve(first + "-001")

	for i, step := range []struct {
		kind, lines, during, after string
		want                       []string
	}{
		{"change", `[{"id":"PRD_620_114_337_0001","quantity":8}]`, "active", "active", []string{"8/5", "1.5/1.5", "unlimited/unlimited"}},
		{"suspend", `[]`, "active", "suspended", []string{"8/8", "1.5/1.5", "unlimited/unlimited"}},
		{"resume", `[]`, "suspended", "active", []string{"8/8", "1.5/1.5", "unlimited/unlimited"}},
		{"renew", `[]`, "active", "active", []string{"8/8", "1.5/1.5", "unlimited/unlimited"}},
		{"transfer", `[]`, "active", "active", []string{"8/8", "1.5/1.5", "unlimited/unlimited"}},
		{"upgrade", `[]`, "active", "active", []string{"8/8", "1.5/1.5", "unlimited/unlimited"}},
		{"cancel", `[]`, "terminating", "terminated", []string{"0/8", "0/1.5", "0/unlimited"}},
	} {
		req := p.ok(201, "POST", "/requests", `{"type":"`+step.kind+`","asset":{"id":"`+id+`","items":`+step.lines+`}}`)
		reqID := fmt.Sprintf("%s-%03d", first, i+2)
		if diff := cmp.Diff(step.want, quantities(req)); diff != "" || req["id"] != reqID {
			t.Errorf("%s %v: %s", step.kind, req["id"], diff)
		}
		if before := req["previous_approved_request"].(map[string]any)["id"]; before != fmt.Sprintf("%s-%03d", first, i+1) {
			t.Errorf("%s: previous_approved_request is %v", step.kind, before)
		}
		p.refused("VAL_001", "", "POST", "/requests", `{"type":"renew","asset":{"id":"`+id+`"}}`)
		if got := p.ok(200, "GET", "/assets/"+id, "")["status"]; got != step.during {
			t.Errorf("%s open: asset is %v, want %s", step.kind, got, step.during)
		}
		p.ok(200, "POST", "/requests/"+reqID+"/approve", `{"activation_tile":"done"}`)
		if got := p.ok(200, "GET", "/assets/"+id, "")["status"]; got != step.after {
			t.Errorf("%s approved: asset is %v, want %s", step.kind, got, step.after)
		}
	}
	p.refused("VAL_001", "is terminated", "POST", "/requests", `{"type":"change","asset":{"id":"`+id+`"}}`)
	if rows, _ := p.list("/assets/" + id + "/requests"); len(rows) != 8 {
		t.Errorf("the asset has %d requests, want 8", len(rows))
	}
}

func TestCreate_AdjustmentBesideOpenRequest_SeenByIt(t *testing.T) {
	t.Parallel()
	p := newPortal(t, connectsim.Options{Empty: true})
	old := map[string]string{"admin_email": "old@example.com"}
	first, _ := p.Request(p.AddRequest(connectsim.NewRequest{Params: old}))
	p.approve(first.ID)
	change := p.ok(201, "POST", "/requests", `{"type":"change","asset":{"id":"`+first.AssetID+`",
		"items":[{"mpn":"MW-SEAT","quantity":7}],"params":[{"id":"admin_email","value":"new@example.com"}]}}`)["id"].(string)
	r, _ := p.Request(change)
	if asset := p.ok(200, "GET", "/assets/"+r.AssetID, ""); quantities(map[string]any{"asset": asset})[0] != "0/0" ||
		p.Assets()[0].Params["admin_email"] != "old@example.com" {
		t.Errorf("an open change has changed the asset: %v", asset)
	}
	p.refused("VAL_001", "open request "+change, "POST", "/requests", `{"type":"suspend","asset":{"id":"`+r.AssetID+`"}}`)
	adjustment := p.ok(201, "POST", "/requests", `{"type":"adjustment","asset":{"id":"`+r.AssetID+`"}}`)["id"].(string)
	p.approve(adjustment)
	if r, _ = p.Request(change); r.Params["subscription_id"] != "T-9" ||
		r.Params["admin_email"] != "new@example.com" || r.Status != "pending" {
		t.Errorf("the open change is %+v", r)
	}
}

func TestCreate_CancelFails_AssetAsBefore(t *testing.T) {
	t.Parallel()
	for _, end := range []string{"fail", "revoke"} {
		p := newPortal(t, connectsim.Options{Empty: true})
		id := p.AddRequest(connectsim.NewRequest{Type: "cancel"})
		r, _ := p.Request(id)
		if r.AssetStatus != "terminating" {
			t.Fatalf("asset is %s", r.AssetStatus)
		}
		if end == "fail" {
			p.ok(200, "POST", "/requests/"+id+"/fail", `{"reason":"no"}`)
		} else {
			p.ok(200, "POST", "/requests/"+id+"/schedule", `{"planned_date":"2126-06-30T22:00:00+00:00"}`)
			p.ok(200, "POST", "/requests/"+id+"/revoke", `{"reason":"no"}`)
			p.ok(200, "POST", "/requests/"+id+"/confirm", "")
			p.status(id, "revoked")
		}
		if a := p.Assets()[0]; a.Status != "active" {
			t.Errorf("%s: asset is %s", end, a.Status)
		}
	}
}

func TestCreate_BadBodies_Refused(t *testing.T) {
	t.Parallel()
	p := newPortal(t, connectsim.Options{Empty: true})
	for body, text := range map[string]string{
		``:                  "type",
		`[]`:                "dictionary",
		`{"type":"change"}`: "id: This field is required.",
		`{"type":"change","asset":{"id":"AS-0"}}`:                                                        "does not exist",
		`{"type":"purchase","asset":{"product":{"id":"PRD-0"}}}`:                                         "PRD-0",
		`{"type":"purchase","asset":{"product":{"id":"` + productID + `"},"items":[{"id":"X"}]}}`:        "Item X",
		`{"type":"purchase","asset":{"product":{"id":"` + productID + `"},"params":[{"id":"X"}]}}`:       "Parameter X",
		`{"type":"purchase","asset":{"product":{"id":"` + productID + `"},"params":"X"}}`:                "list",
		`{"type":"purchase","asset":{"product":{"id":"` + productID + `"},"items":[{"mpn":"MW-SEAT"}]}}`: "quantity",
	} {
		p.refused("VAL_001", text, "POST", "/requests", body)
	}
	if n := len(p.Requests()); n != 0 {
		t.Errorf("%d requests were made", n)
	}
}

func TestUnknownType_WithoutAsset_IsTaken(t *testing.T) {
	t.Parallel()
	p := newPortal(t, connectsim.Options{Empty: true})
	req := p.ok(201, "POST", "/requests", strings.Replace(order, "purchase", "mystery", 1))
	if req["type"] != "mystery" || req["status"] != "pending" {
		t.Errorf("got %v, %v", req["type"], req["status"])
	}
}

func TestCreate_Adjustment_ChangesTheAssetOnceApproved(t *testing.T) {
	t.Parallel()
	p := newPortal(t, connectsim.Options{Empty: true})
	r, _ := p.Request(p.AddRequest(connectsim.NewRequest{Params: map[string]string{"admin_email": "a@example.com"}}))
	p.approve(r.ID) // with the tenant T-9
	value := func() string { return p.Assets()[0].Params["subscription_id"] }
	body := `{"type":"adjustment","asset":{"id":"` + r.AssetID + `","params":[{"id":"subscription_id","value":"T-10"}]}}`
	id := p.ok(201, "POST", "/requests", body)["id"].(string)
	if value() != "T-9" {
		t.Errorf("before the approval: %s", value())
	}
	p.ok(200, "POST", "/requests/"+id+"/approve", `{"template_id":"`+activation+`"}`)
	if first, _ := p.Request(r.ID); value() != "T-10" || first.Params["subscription_id"] != "T-9" || p.Assets()[0].Status != "active" {
		t.Errorf("after it: %s, the purchase shows %s", value(), first.Params["subscription_id"])
	}
}

func TestCreate_RefuseAdjustments_RefusesThemAlone(t *testing.T) {
	t.Parallel()
	p := newPortal(t, connectsim.Options{Empty: true, RefuseAdjustments: true})
	r, _ := p.Request(p.AddRequest(connectsim.NewRequest{Params: map[string]string{"admin_email": "a@example.com"}}))
	p.approve(r.ID)
	p.refused("VAL_001", "not available", "POST", "/requests", `{"type":"adjustment","asset":{"id":"`+r.AssetID+`"}}`)
	p.ok(201, "POST", "/requests", `{"type":"suspend","asset":{"id":"`+r.AssetID+`"}}`)
}
