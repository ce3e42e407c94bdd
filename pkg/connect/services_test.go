package connect

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTemplates_List_FiltersOnTheServer(t *testing.T) {
	t.Parallel()
	s := script(t, step{200, `[{"id":"TL-1","name":"Default Activation Template","scope":"asset","type":"fulfillment"},{"id":"TL-2","name":null,"type":null}]`}, step{200, `[]`}, step{200, `[]`})
	c := s.client(t)
	got, err := c.Templates.List(t.Context(), "PRD-1", ScopeAsset, TemplateFulfillment)
	if err != nil {
		t.Fatal(err)
	}
	want := []Template{{ID: "TL-1", Name: "Default Activation Template", Scope: "asset", Type: "fulfillment"}, {ID: "TL-2"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	first := s.seen()[0]
	if first.Path != "/public/v1/products/PRD-1/templates" || first.Query != "and(eq(scope,asset),eq(type,fulfillment))&limit=100&offset=0" {
		t.Errorf("got %s?%s", first.Path, first.Query)
	}
}

func TestProducts_Calls(t *testing.T) {
	t.Parallel()
	s := newServer(t, func(_ int, w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Range", "items 0-0/1")
		switch r.URL.Path {
		case "/public/v1/products":
			answer(w, 200, `[{"id":"PRD-1","name":"One","status":"published","icon":{}}]`)
		case "/public/v1/products/PRD-1":
			answer(w, 200, `{"id":"PRD-1","name":"One","status":"published"}`)
		case "/public/v1/products/PRD-1/parameters":
			answer(w, 200, `[{"id":"PRM-1","name":"subscription_id","phase":"fulfillment","constraints":{"required":true},"default":{}}]`)
		default:
			answer(w, 404, `{}`)
		}
	})
	c := s.client(t)
	list, err := c.Products.List(t.Context())
	one, err1 := c.Products.Get(t.Context(), "PRD-1")
	params, err2 := c.Products.Parameters(t.Context(), "PRD-1")
	_, err3 := c.Products.Get(t.Context(), "PRD-2")
	if err != nil || err1 != nil || err2 != nil || !IsNotFound(err3) {
		t.Fatal(err, err1, err2, err3)
	}
	if len(list) != 1 || list[0] != *one || one.Name != "One" || len(params) != 1 || params[0].Name != "subscription_id" || !params[0].Constraints.Required {
		t.Errorf("got %+v, %+v, %+v", list, one, params)
	}
}

func TestConversations_ForRequest_NoneIsNil(t *testing.T) {
	t.Parallel()
	s := script(t, step{200, `[]`}, step{200, `[{"id":"CO-1","instance_id":"PR-1"}]`})
	c := s.client(t).Conversations
	if got, err := c.ForRequest(t.Context(), "PR-1"); err != nil || got != nil {
		t.Errorf("got %v, %v", got, err)
	}
	if got, err := c.ForRequest(t.Context(), "PR-1"); err != nil || got == nil || got.ID != "CO-1" {
		t.Errorf("got %v, %v", got, err)
	}
	if q := s.seen()[0].Query; q != "eq(instance_id,PR-1)&limit=1&offset=0" {
		t.Errorf("asked %s", q)
	}
}

func TestConversations_PostMessage_CutsAndSendsOnce(t *testing.T) {
	t.Parallel()
	s := script(t, step{201, `{"id":"ME-1"}`}, step{500, ``})
	c := s.client(t).Conversations
	if err := c.PostMessage(t.Context(), "CO-1", strings.Repeat("ö", 600), ""); err != nil {
		t.Fatal(err)
	}
	var sent map[string]string
	if err := json.Unmarshal([]byte(s.seen()[0].Body), &sent); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]string{"text": strings.Repeat("ö", 539) + "…", "type": "message"}, sent); diff != "" {
		t.Error(diff)
	}
	if err := c.PostMessage(t.Context(), "CO-1", "x", MessagePrivate); !IsTransient(err) || len(s.seen()) != 2 {
		t.Errorf("got %v after %d calls", err, len(s.seen()))
	}
}

func TestAccounts_Whoami(t *testing.T) {
	t.Parallel()
	s := script(t, step{200, `[{"id":"VA-1","name":"Vendor"}]`}, step{401, `{"error_code":"AUTH_001","errors":["API request is unauthorized."]}`})
	c := s.client(t).Accounts
	if got, err := c.Whoami(t.Context()); err != nil || got.ID != "VA-1" {
		t.Errorf("got %v, %v", got, err)
	}
	if _, err := c.Whoami(t.Context()); !IsUnauthorized(err) {
		t.Errorf("got %v", err)
	}
}

func TestRequests_Create_ReturnsIt(t *testing.T) {
	t.Parallel()
	s := script(t, step{201, requestBody("PR-1", "pending")})
	body := map[string]any{"type": "cancel", "asset": map[string]any{"id": "AS-1"}}
	if r, err := s.client(t).Requests.Create(t.Context(), body); err != nil || r.ID != "PR-1" {
		t.Errorf("got %v, %v", r, err)
	}
	if c := s.seen()[0]; c.Method+" "+c.Path+" "+c.Body != `POST /public/v1/requests {"asset":{"id":"AS-1"},"type":"cancel"}` {
		t.Errorf("got %+v", c)
	}
}

func TestTierRequests_UpdateParams_Wire(t *testing.T) {
	t.Parallel()
	s := script(t, step{200, `{}`})
	c, value := s.client(t).TierRequests, "x"
	if err := c.UpdateParams(t.Context(), "TCR-1", nil); err != nil || len(s.seen()) != 0 {
		t.Errorf("nothing to save: %v, %d calls", err, len(s.seen()))
	}
	if err := c.UpdateParams(t.Context(), "TCR-1", []ParamUpdate{{ID: "a", Value: &value}}); err != nil {
		t.Fatal(err)
	}
	if c := s.seen()[0]; c.Method+" "+c.Path+" "+c.Body != `PUT /public/v1/tier/config-requests/TCR-1 {"params":[{"id":"a","value":"x"}]}` {
		t.Errorf("got %+v", c)
	}
}

func TestAssets_Get_ReadsTheSubscriptionAsItIs(t *testing.T) {
	t.Parallel()
	s := script(t, step{200, `{"id":"AS-1","status":"active","product":{"id":"PRD-1"},"params":[{"id":"subscription_id","value":7}]}`},
		step{200, `{"id":"AS-1"}`}, step{404, `{}`})
	c := s.client(t)
	a, err := c.Assets.Get(t.Context(), "AS-1")
	if err != nil || a.Status != "active" || a.Params[0].Value != "7" || s.seen()[0].Path != "/public/v1/assets/AS-1" {
		t.Errorf("%+v, %v of %s", a, err, s.seen()[0].Path)
	}
	if _, err := c.Assets.Get(t.Context(), "AS-1"); !errors.Is(err, ErrIncomplete) {
		t.Errorf("without a product: %v", err)
	}
	if _, err := c.Assets.Get(t.Context(), "AS-2"); !IsNotFound(err) {
		t.Errorf("unknown: %v", err)
	}
}

func TestRequests_List_OfOneAsset(t *testing.T) {
	t.Parallel()
	s := script(t, step{200, `[]`}, step{200, `[]`})
	if _, err := s.client(t).Requests.List(t.Context(), RequestQuery{Assets: []string{"AS-1"}, Types: []string{"adjustment"}}); err != nil {
		t.Fatal(err)
	}
	if q := s.seen()[0].Query; !strings.Contains(q, "in(type,(adjustment)),in(asset.id,(AS-1))") {
		t.Errorf("asked for %s", q)
	}
}
