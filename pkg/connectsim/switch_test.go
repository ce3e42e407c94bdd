package connectsim_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/headrace/headrace/pkg/connectsim"
)

func TestUpdate_OnlyValuesChange(t *testing.T) {
	t.Parallel()
	p := newPortal(t, connectsim.Options{Empty: true})
	id := p.AddRequest(connectsim.NewRequest{Params: map[string]string{"admin_email": "a@example.com"}})
	req := p.ok(200, "PUT", "/requests/"+id, `{"type":"cancel","status":"approved","asset":{"id":"AS-0","params":[
		{"id":"subscription_id","value":42,"structured_value":{},"title":"x","phase":"ordering"},
		{"id":"company_phone","value":"+31","structured_value":{"country_code":"+31"}}]}}`)
	r, _ := p.Request(id)
	if r.Type != "purchase" || r.Status != "pending" || r.Params["subscription_id"] != "42" || r.Params["admin_email"] != "a@example.com" {
		t.Errorf("request is %+v", r)
	}
	for _, v := range req["asset"].(map[string]any)["params"].([]any) {
		v := v.(map[string]any)
		_, structured := v["structured_value"]
		if structured != (v["id"] == "company_phone") || v["title"] == "x" {
			t.Errorf("parameter is %v", v)
		}
	}
	if before, after := r.Created, r.Updated; !after.After(before) {
		t.Errorf("updated %v, created %v", after, before)
	}
	for body, text := range map[string]string{
		`{"id":"x","value":"1"}`:                "Parameter x does not exist.",
		`{"value":"1"}`:                         "id: This field is required.",
		`{"id":"subscription_id","value":true}`: "Not a valid string.",
		`{"id":"subscription_id","value":"` + strings.Repeat("ä", 2049) + `"}`:      "2048",
		`{"id":"subscription_id","value_error":"` + strings.Repeat("ä", 513) + `"}`: "512",
	} {
		// The first change is good; as the second is not, neither may stay.
		p.refused("VAL_001", text, "PUT", "/requests/"+id, `{"asset":{"params":[{"id":"subscription_id","value":"new"},`+body+`]}}`)
	}
	if r, _ := p.Request(id); r.Params["subscription_id"] != "42" {
		t.Errorf("a refused update left %q", r.Params["subscription_id"])
	}
}

func TestApprove_BadBodies_Refused(t *testing.T) {
	t.Parallel()
	p := newPortal(t, connectsim.Options{Empty: true})
	id := p.AddRequest(connectsim.NewRequest{Params: map[string]string{"subscription_id": "T-1"}})
	path := "/requests/" + id + "/approve"
	p.refused("REQ_005", "Missed fields", "POST", path, "")
	p.refused("REQ_005", "Missed fields", "POST", path, `{"template_id":null,"activation_tile":""}`)
	p.refused("VAL_001", "does not exist", "POST", path, `{"template_id":"-"}`)
	p.refused("VAL_001", "scope asset and type fulfillment", "POST", path, `{"template_id":"`+inquiry+`"}`)
	p.refused("VAL_001", "effective_date: Datetime has wrong format.", "POST", path, `{"template_id":"`+activation+`","effective_date":"soon"}`)
	p.status(id, "pending")
	req := p.ok(200, "POST", path, `{"activation_tile":"# Hi","effective_date":"2026-03-02T10:00:00+01:00"}`)
	if req["activation_key"] != "# Hi" || req["effective_date"] != "2026-03-02T09:00:00+00:00" {
		t.Errorf("activation_key %v, effective_date %v", req["activation_key"], req["effective_date"])
	}
	if r := p.send("GET", "/requests/"+id+"/render", ""); r.text != "# Hi" || r.header.Get("Content-Type") != "text/markdown" {
		t.Errorf("rendered %q as %s", r.text, r.header.Get("Content-Type"))
	}
}

func TestActions_InWrongState_REQ003(t *testing.T) {
	t.Parallel()
	p := newPortal(t, connectsim.Options{Empty: true})
	id := p.AddRequest(connectsim.NewRequest{Status: "tiers_setup"})
	for action, body := range map[string]string{
		"approve": `{"activation_tile":"x"}`, "fail": `{"reason":"x"}`, "inquire": "", "pend": "", "purchase": "", "submit": "{}",
		"schedule": `{"planned_date":"2126-01-01T00:00:00Z"}`, "revoke": `{"reason":"x"}`, "confirm": "", "validate": "",
	} {
		p.refused("REQ_003", "", "POST", "/requests/"+id+"/"+action, body)
	}
	p.status(id, "tiers_setup")
}

func TestAssign_ByIDAndEmail(t *testing.T) {
	t.Parallel()
	p := newPortal(t, connectsim.Options{Empty: true})
	path := "/requests/" + p.AddRequest(connectsim.NewRequest{})
	if a := p.ok(200, "POST", path+"/assign", `{"id":"UR-1"}`)["assignee"].(map[string]any); a["id"] != "UR-1" {
		t.Errorf("assignee %v", a)
	}
	if a := p.ok(200, "POST", path+"/unassign", "")["assignee"]; a != "" {
		t.Errorf("assignee %v", a)
	}
}

// clock is a time that tests move.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) read() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func TestSchedule_DateReached_PendingAgain(t *testing.T) {
	t.Parallel()
	c := &clock{now: time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)}
	p := newPortal(t, connectsim.Options{Empty: true, Now: c.read})
	id := p.AddRequest(connectsim.NewRequest{Type: "suspend"})
	p.refused("VAL_001", "planned_date", "POST", "/requests/"+id+"/schedule", "")
	p.ok(200, "POST", "/requests/"+id+"/schedule", `{"planned_date":"2026-06-01T01:00:00+00:00"}`)
	c.advance(59 * time.Minute)
	p.status(id, "scheduled")
	c.advance(time.Minute)
	if rows, _ := p.list("/requests?status=pending"); len(rows) != 1 {
		t.Errorf("%d pending requests, want 1", len(rows))
	}
}

func TestSwitches_UndocumentedPoints(t *testing.T) {
	t.Parallel()
	p := newPortal(t, connectsim.Options{
		Empty: true, Validation: true, AllowUnknownParams: true, AllowEmptyRequired: true, AllowAnyTemplate: true,
		RefusePreview: true, ConfirmSubmitsDraft: true, AssetWhileCancelling: "active",
	})
	req := p.ok(201, "POST", "/requests", order)
	path := "/requests/" + req["id"].(string)
	if req["status"] != "draft" {
		t.Fatalf("status %v, want draft", req["status"])
	}
	p.ok(200, "PUT", path, `{"asset":{"params":[{"id":"nothing","value":"x"},{"id":"admin_email","value_error":"bad"}]}}`)
	p.ok(200, "POST", path+"/confirm", "")
	p.ok(200, "POST", path+"/inquire", `{"template_id":"`+activation+`"}`)
	p.ok(200, "PUT", path, `{"asset":{"params":[{"id":"admin_email","value":"a@example.com","value_error":""}]}}`)
	p.ok(200, "POST", path+"/pend", "")
	p.ok(200, "POST", path+"/approve", `{"template_id":"`+inquiry+`"}`)
	p.refused("VAL_001", "preview", "GET", "/requests?in(asset.connection.type,(preview))", "")
	r, _ := p.Request(p.AddRequest(connectsim.NewRequest{Type: "cancel"}))
	if r.AssetStatus != "active" {
		t.Errorf("asset is %s while its cancellation is open", r.AssetStatus)
	}
}
