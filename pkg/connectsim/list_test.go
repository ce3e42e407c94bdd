package connectsim_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/headrace/headrace/pkg/connectsim"
)

func TestList_LimitAndOffset_ContentRange(t *testing.T) {
	t.Parallel()
	p := newPortal(t, connectsim.Options{Empty: true, MaxLimit: 8, DefaultLimit: 5})
	for range 10 {
		p.AddRequest(connectsim.NewRequest{})
	}
	for query, want := range map[string]struct {
		rows    int
		content string
	}{
		"":                   {5, "items 0-4/10"},
		"?limit=3":           {3, "items 0-2/10"},
		"?limit=3&offset=9":  {1, "items 9-9/10"},
		"?limit=3&offset=10": {0, "items 10-10/10"},
		"?limit=3&offset=99": {0, "items 99-99/10"},
		"?limit=0":           {0, "items 0-0/10"},
		"?limit=1000":        {8, "items 0-7/10"},
		"?limit=abc":         {5, "items 0-4/10"},
		"?status=failed":     {0, "items 0-0/0"},
	} {
		rows, content := p.list("/requests" + query)
		if len(rows) != want.rows || content != want.content {
			t.Errorf("%s: got %d rows, %q, want %d, %q", query, len(rows), content, want.rows, want.content)
		}
	}
	if got := p.send("GET", "/requests?limit=0", "").text; got != "[]" {
		t.Errorf("limit=0: body %q", got)
	}
}

func TestList_RowsLeaveTheFilter_WindowMoves(t *testing.T) {
	t.Parallel()
	p := newPortal(t, connectsim.Options{Empty: true})
	var ids []string
	for range 4 {
		ids = append(ids, p.AddRequest(connectsim.NewRequest{}))
	}
	first, _ := p.list("/requests?status=pending&limit=2&offset=0")
	for _, r := range first {
		p.ok(200, "POST", "/requests/"+r["id"].(string)+"/fail", `{"reason":"x"}`)
	}
	if rows, content := p.list("/requests?status=pending&limit=2&offset=2"); len(rows) != 0 || content != "items 2-2/2" {
		t.Errorf("second page: %d rows, %q", len(rows), content)
	}
	if rows, _ := p.list("/requests?status=pending&limit=2&offset=0"); len(rows) != 2 || rows[0]["id"] != ids[2] {
		t.Errorf("first page again: %v", rows)
	}
}

// The queries of CloudBlue's Python client, PHP SDK and runner, as they were
// seen on the wire; each is answered and finds what it should.
func TestList_OfficialQueries_Found(t *testing.T) {
	t.Parallel()
	p := newPortal(t, connectsim.Options{Empty: true})
	id := p.AddRequest(connectsim.NewRequest{Connection: "preview"})
	asset, _ := p.Request(id)
	tier := p.AddTierRequest(connectsim.NewTierRequest{Connection: "preview", Account: connectsim.Account{ID: "TA-1"}})
	const both = "PRD-111-222-333," + productID
	for query, want := range map[string]int{
		"/requests?and(in(asset.product.id,(" + both + ")),in(asset.connection.type,(preview)),in(status,(pending)))&limit=100&offset=0":                             1,
		"/tier/config-requests?and(in(configuration.product.id,(" + both + ")),in(configuration.connection.type,(preview)),in(status,(pending)))&limit=100&offset=0": 1,
		"/products/" + productID + "/templates?and(eq(name,Default%20Activation%20Template),eq(scope,asset))&limit=1&offset=0":                                       1,
		"/requests?select(-asset.items,-activation_key)&eq(status,pending)&ordering(-created)&limit=50&offset=0":                                                     1,
		"/requests?and(ge(created,2024-01-01T00:00:00+00:00),like(asset.external_id,*ab%20c*))&limit=100&offset=0":                                                   0,
		"/requests?or(eq(asset.id,AS-1),not(eq(status,failed)))&limit=100&offset=0":                                                                                  1,
		"/conversations?instance_id=" + id + "&limit=1&offset=0":                                                                                                     1,
		"/conversations?instance_id=" + id + "&limit=0&offset=0":                                                                                                     0,
		"/contracts?and(in(type,(distribution)),in(status,(active)))&limit=100&offset=0":                                                                             1,
		"/assets?and(in(contract.id,(CRD-41077-20938-55610)),in(id,(" + asset.AssetID + ")))&limit=100&offset=0":                                                     1,
		"/requests?status=pending&asset.product.id__in=" + both:                                                                                                      1,
		"/tier/config-requests?status=pending&configuration__product__id__in=PRD-A%2C" + productID:                                                                   1,
		"/tier/config-requests?status=approved&configuration__product__id=" + productID + "&configuration__account__id=TA-1":                                         0,
		"/tier/config-requests?and(eq(id," + tier + "),in(status,(pending)))&limit=0&offset=0":                                                                       0,
		"/tier/config-requests?search=foo+bar&limit=100&offset=0":                                                                                                    0,
		"/requests/?status=pending": 1,
		"/accounts":                 1,
		"/hubs":                     1,
		"/marketplaces?limit=10":    1,
		"/usage/files":              0,
		"/tier/account-requests":    0,
		"/products/" + productID + "/configurations":                           1,
		"/products/" + productID + "/parameters?scope=asset&phase=fulfillment": 2,
		"/products/" + productID + "/connections?hub.id=HB-4410-2207":          2,
		"/assets/" + asset.AssetID + "/requests?limit=10":                      1,
	} {
		if rows, content := p.list(query); len(rows) != want || !strings.HasPrefix(content, "items ") {
			t.Errorf("%s: %d rows, %q, want %d", query, len(rows), content, want)
		}
	}
	if _, content := p.list("/tier/config-requests?and(eq(id," + tier + "),in(status,(pending)))&limit=0&offset=0"); content != "items 0-0/1" {
		t.Errorf("counting: %q", content)
	}
}

func TestList_BadQuery_400(t *testing.T) {
	t.Parallel()
	p := newPortal(t, connectsim.Options{})
	p.refused("BAD_000", "RQL", "GET", "/requests?gte(created,2024-01-01)", "")
}

func TestList_Select_DropsAndShows(t *testing.T) {
	t.Parallel()
	p := newPortal(t, connectsim.Options{Empty: true})
	id := p.AddRequest(connectsim.NewRequest{})
	rows, _ := p.list("/requests?select(-asset.items,-activation_key,-asset.params.title,asset.product.capabilities)")
	asset := rows[0]["asset"].(map[string]any)
	_, items := asset["items"]
	_, key := rows[0]["activation_key"]
	_, title := asset["params"].([]any)[0].(map[string]any)["title"]
	_, shown := asset["product"].(map[string]any)["capabilities"]
	if items || key || title || !shown {
		t.Errorf("items %v, activation_key %v, title %v, capabilities %v", items, key, title, shown)
	}
	if whole := p.ok(200, "GET", "/requests/"+id, ""); whole["asset"].(map[string]any)["items"] == nil {
		t.Error("select changed what is stored")
	}
	rows, _ = p.list("/assets?select(pending_request)")
	if open, _ := rows[0]["pending_request"].(map[string]any); open["id"] != id {
		t.Errorf("pending_request is %v", rows[0]["pending_request"])
	}
}

func TestList_Ordering(t *testing.T) {
	t.Parallel()
	for _, newest := range []bool{false, true} {
		p := newPortal(t, connectsim.Options{Empty: true, NewestFirst: newest})
		now := time.Now()
		late := p.AddRequest(connectsim.NewRequest{Created: now})
		early := p.AddRequest(connectsim.NewRequest{Created: now.Add(-time.Hour)})
		first := map[bool]string{false: late, true: early}[newest]
		for query, want := range map[string]string{"": first, "?ordering(created)": early, "?ordering(-created)": late} {
			if rows, _ := p.list("/requests" + query); rows[0]["id"] != want {
				t.Errorf("newest %v, %s: first is %v, want %s", newest, query, rows[0]["id"], want)
			}
		}
	}
}

func TestAuth_Keys(t *testing.T) {
	t.Parallel()
	const other = "ApiKey SU-1:abc"
	for name, c := range map[string]struct {
		configured, sent string
		status           int
	}{
		"any well-formed":  {"", testKey, 200},
		"none":             {"", "", 401},
		"no prefix":        {"", strings.TrimPrefix(testKey, "ApiKey "), 401},
		"malformed":        {"", "ApiKey nonsense", 401},
		"the right one":    {testKey, testKey, 200},
		"without prefix":   {strings.TrimPrefix(testKey, "ApiKey "), testKey, 200},
		"not the right":    {testKey, other, 401},
		"a prefix doubled": {"", "ApiKey " + testKey, 401},
	} {
		p := newPortal(t, connectsim.Options{APIKey: c.configured})
		r := p.call("GET", connectsim.BasePath+"/accounts", "", c.sent)
		if r.status != c.status {
			t.Errorf("%s: status %d, want %d", name, r.status, c.status)
		}
		if want := `{"error_code":"AUTH_001","errors":["API request is unauthorized."]}`; c.status == 401 && r.text != want {
			t.Errorf("%s: body %s", name, r.text)
		}
	}
}

func TestRaw_BrokenRows_ListedAsPending(t *testing.T) {
	t.Parallel()
	p := newPortal(t, connectsim.Options{Empty: true})
	p.AddRequest(connectsim.NewRequest{})
	for _, row := range []string{`{"id":"PR-9","asset":[1]}`, `7`, `null`, `{"id":5}`} {
		p.AddRaw(json.RawMessage(row))
	}
	r := p.send("GET", "/requests?and(in(asset.product.id,("+productID+")),in(status,(pending)))&ordering(created,id)", "")
	for _, want := range []string{`{"id":"PR-9","asset":[1]}`, `7`, `null`, `{"id":5}`} {
		if !strings.Contains(r.text, want) {
			t.Errorf("%s is not in the list", want)
		}
	}
	if got := r.header.Get("Content-Range"); got != "items 0-4/5" {
		t.Errorf("Content-Range %q", got)
	}
	if rows, _ := p.list("/requests?status=approved"); len(rows) != 0 {
		t.Errorf("approved: %v", rows)
	}
	for _, action := range []string{"approve", "fail", "inquire", "pend", "assign", "schedule", "validate"} {
		if r := p.send("POST", "/requests/PR-9/"+action, `{"reason":"x","activation_tile":"x","id":"UR-1"}`); r.status >= 500 {
			t.Errorf("%s of a broken row: %d", action, r.status)
		}
	}
	if r := p.call("POST", "/_sim/rows", `{"broken`, ""); r.status != http.StatusNoContent {
		t.Errorf("posting a row: %d", r.status)
	}
	if r := p.send("GET", "/requests", ""); !strings.Contains(r.text, `{"broken`) || json.Valid([]byte(r.text)) {
		t.Errorf("a row that is no JSON is not sent as it is")
	}
}

func TestUnknown_Path_404(t *testing.T) {
	t.Parallel()
	p := newPortal(t, connectsim.Options{Empty: true})
	for _, path := range []string{"/requests/PR-0", "/nothing", "/products/PRD-0/templates", "/assets/AS-0/requests", "/conversations/CO-0"} {
		if r := p.send("GET", path, ""); r.status != 404 || !strings.Contains(r.text, "NFND_000") {
			t.Errorf("%s: %d %s", path, r.status, r.text)
		}
	}
	if r := p.send("POST", "/requests/PR-0/approve", `{}`); r.status != 404 {
		t.Errorf("approve: %d", r.status)
	}
	if r := p.send("PUT", "/requests/PR-0", `{"a":`); r.status != 400 {
		t.Errorf("bad JSON: %d", r.status)
	}
}

func BenchmarkList_PendingAmong10000(b *testing.B) {
	sim := connectsim.New(connectsim.Options{Empty: true})
	sim.Seed(2000)
	query := fmt.Sprintf("%s/requests?and(in(asset.product.id,(%s)),in(status,(pending)))&ordering(created,id)&limit=100&offset=0",
		connectsim.BasePath, productID)
	benchmark(b, sim, http.MethodGet, query, "")
}

func BenchmarkUpdate(b *testing.B) {
	sim := connectsim.New(connectsim.Options{Empty: true})
	id := sim.AddRequest(connectsim.NewRequest{})
	benchmark(b, sim, http.MethodPut, connectsim.BasePath+"/requests/"+id, `{"asset":{"params":[{"id":"subscription_id","value":"T-1"}]}}`)
}
