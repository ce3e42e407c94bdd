package connectsim_test

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/headrace/headrace/pkg/connectsim"
)

func TestStartSet_CountsAndShape(t *testing.T) {
	t.Parallel()
	p := newPortal(t, connectsim.Options{})
	want := map[string]map[string]int{}
	for _, kind := range []string{"purchase", "change", "cancel", "suspend", "resume"} {
		want[kind] = map[string]int{"pending": 20}
	}
	if diff := cmp.Diff(want, p.Counts()); diff != "" {
		t.Error(diff)
	}
	if n := len(p.TierRequests()); n != 5 || len(p.TierCounts()) != 3 {
		t.Errorf("%d tier requests: %v", n, p.TierCounts())
	}
	tenants := map[string]connectsim.Tenant{}
	for _, tenant := range connectsim.StartTenants() {
		tenants[tenant.AssetID] = tenant
	}
	seen := map[string]bool{}
	for _, r := range p.Requests() {
		if seen[r.AssetID] || r.Params["admin_email"] == "" {
			t.Errorf("request %s: asset seen %v, parameters %v", r.ID, seen[r.AssetID], r.Params)
		}
		seen[r.AssetID] = true
		tenant := tenants[r.AssetID]
		if tenant.ID != r.Params["subscription_id"] || tenant.Suspended != (r.Type == "resume") || (tenant.ID == "") != (r.Type == "purchase") {
			t.Errorf("%s %s has subscription_id %q, tenant %+v", r.Type, r.ID, r.Params["subscription_id"], tenant)
		}
	}
	first := p.Requests()[0]
	if first.ID != "PR-7302-1184-6650-001" {
		t.Errorf("the first request is %s", first.ID)
	}
	body := p.send("GET", "/requests?limit=1000", "").text
	for _, part := range []string{`"unlimited"`, `"-1"`, `"1.5"`, `"quantity":"0"`, "株式会社さくら", "Canal Resellers", `"tier1":{}`} {
		if !strings.Contains(body, part) {
			t.Errorf("no request has %s", part)
		}
	}
	for _, product := range []string{productID, "PRD-731-225-448"} {
		rows, _ := p.list("/products/" + product + "/templates")
		var kinds []string
		for _, r := range rows {
			kinds = append(kinds, r["scope"].(string)+" "+r["type"].(string))
		}
		slices.Sort(kinds)
		if diff := cmp.Diff([]string{"asset fulfillment", "asset inquire", "asset pending", "tier1 fulfillment", "tier2 fulfillment"}, kinds); diff != "" {
			t.Error(diff)
		}
	}
}

func TestReset_ReturnsToStart(t *testing.T) {
	t.Parallel()
	p := newPortal(t, connectsim.Options{})
	ids := func() (out []string) {
		for _, r := range p.Requests() {
			out = append(out, r.ID+r.Status)
		}
		return out
	}
	before := ids()
	added := p.Seed(2)
	if len(added) != 8 || len(p.Requests()) != 110 {
		t.Errorf("Seed(2) added %d tenants, %d requests in all", len(added), len(p.Requests()))
	}
	p.ok(200, "POST", "/requests/PR-7302-1184-6650-001/fail", `{"reason":"x"}`)
	if r := p.call("POST", "/_sim/reset", "", ""); r.status != 204 {
		t.Errorf("reset: %d", r.status)
	}
	if diff := cmp.Diff(before, ids()); diff != "" {
		t.Error(diff)
	}
	if r := p.call("GET", "/_sim/counts", "", ""); !strings.Contains(r.text, `"purchase":{"pending":20}`) {
		t.Errorf("counts: %s", r.text)
	}
}

func TestEmpty_CatalogueStays(t *testing.T) {
	t.Parallel()
	p := newPortal(t, connectsim.Options{Empty: true})
	products, _ := p.list("/products")
	requests, _ := p.list("/requests")
	assets, _ := p.list("/assets")
	if len(products) != 2 || len(requests)+len(assets)+len(p.TierRequests()) != 0 {
		t.Errorf("%d products, %d requests, %d assets", len(products), len(requests), len(assets))
	}
}

func TestFaults_StrikeTheAPI(t *testing.T) {
	t.Parallel()
	p := newPortal(t, connectsim.Options{})
	if r := p.call("PUT", "/_sim/faults", `[{"method":"GET","path":"/public/v1/requests","status":503,"times":1}]`, ""); r.status != 200 {
		t.Fatalf("setting faults: %d %s", r.status, r.text)
	}
	if a, b := p.send("GET", "/requests", "").status, p.send("GET", "/requests", "").status; a != 503 || b != 200 {
		t.Errorf("got %d, then %d, want 503, then 200", a, b)
	}
	// A call is recorded when it has ended, which its caller may see earlier.
	deadline := time.After(5 * time.Second)
	for len(p.Faults().Calls()) != 2 {
		select {
		case <-deadline:
			t.Fatalf("%d calls, want 2", len(p.Faults().Calls()))
		case <-time.After(time.Millisecond):
		}
	}
}

func TestPerson_ActsInThePortal(t *testing.T) {
	t.Parallel()
	p := newPortal(t, connectsim.Options{})
	const id = "PR-7302-1184-6650-001"
	if err := p.Answer(id, nil); err == nil {
		t.Error("a pending request was answered")
	}
	if err := p.SetStatus("PR-0", "failed"); err == nil {
		t.Error("a request that is not there was changed")
	}
	if r := p.call("POST", "/_sim/requests/"+id+"/status", `{"status":"approved"}`, ""); r.status != 200 {
		t.Errorf("setting the status: %d %s", r.status, r.text)
	}
	if r, _ := p.Request(id); r.Status != "approved" || r.AssetStatus != "active" {
		t.Errorf("request is %+v", r)
	}
}

// What a request of the simulator's holds, Connect's do: compared by the keys
// and kinds of a body that was taken from Connect's documentation.
func TestRequest_Shape(t *testing.T) {
	t.Parallel()
	p := newPortal(t, connectsim.Options{})
	req := p.ok(200, "GET", "/requests/PR-7302-1184-6650-001", "")
	want := []string{
		"activation_key", "answered", "asset", "assignee", "contract", "created", "effective_date", "events", "external_attributes",
		"id", "marketplace", "note", "planned_date", "previous_approved_request", "reason", "status", "template", "type", "updated",
	}
	if diff := cmp.Diff(want, slices.Sorted(maps.Keys(req))); diff != "" {
		t.Error(diff)
	}
	want = []string{
		"configuration", "connection", "contract", "events", "external_id", "external_name", "external_uid",
		"id", "items", "marketplace", "params", "product", "status", "tiers",
	}
	asset := req["asset"].(map[string]any)
	if diff := cmp.Diff(want, slices.Sorted(maps.Keys(asset))); diff != "" {
		t.Error(diff)
	}
	var item struct {
		ID        string `json:"id"`
		GlobalID  string `json:"global_id"`
		Quantity  string `json:"quantity"`
		Old       string `json:"old_quantity"`
		ItemType  string `json:"item_type"`
		Period    string `json:"period"`
		UnitTitle string `json:"type"`
	}
	raw, _ := json.Marshal(asset["items"].([]any)[0])
	if err := json.Unmarshal(raw, &item); err != nil || item.ID != "PRD_620_114_337_0001" || item.GlobalID != "PRD-620-114-337-0001" || item.UnitTitle != "Seats" {
		t.Errorf("item %+v: %v", item, err)
	}
}

// Run with -race: readers, writers and tests reach the simulator at once.
func TestServer_ConcurrentUse(t *testing.T) {
	t.Parallel()
	p := newPortal(t, connectsim.Options{})
	var wg sync.WaitGroup
	for i, r := range p.Requests() {
		wg.Go(func() {
			path := "/requests/" + r.ID
			switch i % 4 {
			case 0:
				p.send("PUT", path, `{"asset":{"params":[{"id":"subscription_id","value":"T"}]}}`)
				p.send("POST", path+"/approve", `{"activation_tile":"x"}`)
			case 1:
				p.send("GET", "/requests?status=pending&ordering(-created)&limit=20", "")
			case 2:
				p.AddRequest(connectsim.NewRequest{})
				p.Counts()
			default:
				p.Request(r.ID)
				p.send("GET", path, "")
			}
		})
	}
	wg.Wait()
	approved := 0
	for _, byStatus := range p.Counts() {
		approved += byStatus["approved"]
	}
	if approved != 25 {
		t.Errorf("%d approved, want 25", approved)
	}
}

func TestConversation_MessagesOfARequest(t *testing.T) {
	t.Parallel()
	p := newPortal(t, connectsim.Options{})
	const id = "PR-7302-1184-6650-001"
	rows, _ := p.list("/conversations?instance_id=" + id)
	path := "/conversations/" + rows[0]["id"].(string)
	p.refused("VAL_001", "text", "POST", path+"/messages", "")
	if m := p.ok(201, "POST", path+"/messages", `{"text":"hello","type":"private"}`); m["type"] != "private" || m["conversation"] != rows[0]["id"] {
		t.Errorf("message is %v", m)
	}
	p.ok(201, "POST", "/conversations/"+id+"/messages", `{"text":"again"}`)
	if rows, _ := p.list(path + "/messages"); len(rows) != 2 {
		t.Errorf("%d messages, want 2", len(rows))
	}
	whole := p.ok(200, "GET", "/conversations/"+id, "")
	if m := whole["messages"].([]any); len(m) != 2 || m[1].(map[string]any)["text"] != "again" {
		t.Errorf("messages are %v", m)
	}
}
