package vendorapi_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/headrace/headrace/pkg/connect"
	"github.com/headrace/headrace/pkg/vendorapi"
)

func TestNewTenantBody_HasTheContractsForm(t *testing.T) {
	t.Parallel()
	request, err := connect.DecodeRequest([]byte(`{
		"id": "PR-1", "type": "change", "status": "pending",
		"asset": {
			"id": "AS-1", "external_id": 99, "product": {"id": "PRD-1", "name": "Cloud <Ünï>"},
			"items": [
				{"id": "A", "global_id": "PRD-1-0001", "mpn": "MA", "quantity": "10", "old_quantity": "5.50"},
				{"id": "B", "mpn": "MB", "quantity": "unlimited", "old_quantity": -1},
				{"id": "C", "mpn": "MC", "quantity": "0", "old_quantity": 0},
				{"id": "D", "mpn": "MD", "quantity": 0, "old_quantity": "3"}
			],
			"params": [
				{"id": "domain", "phase": "ordering", "value": "a.example"},
				{"id": "empty", "phase": "ordering", "value": ""},
				{"id": "address", "phase": "ordering", "value": "", "structured_value": {"city": "Bern"}},
				{"id": "subscription_id", "phase": "fulfillment", "value": "T-1"}
			],
			"tiers": {"customer": {"id": "TA-1", "external_id": 7, "name": "Zoë", "contact_info": {"contact": {"email": "z@x.example"}}}}
		}}`))
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"externalId":"AS-1","requestId":"PR-1","product":{"id":"PRD-1","name":"Cloud <Ünï>"},"items":[
		{"id":"A","mpn":"MA","quantity":10,"oldQuantity":5.5},
		{"id":"B","mpn":"MB","quantity":"unlimited","oldQuantity":"unlimited"},
		{"id":"D","mpn":"MD","quantity":0,"oldQuantity":3}],
		"customer":{"id":"TA-1","externalId":"7","name":"Zoë","email":"z@x.example"},
		"parameters":{"domain":"a.example","address":{"city":"Bern"}}}`
	if diff := cmp.Diff(decoded(t, []byte(want)), encoded(t, vendorapi.NewTenantBody(request))); diff != "" {
		t.Errorf("body (-want +got):\n%s", diff)
	}
}

func TestNewTenantBody_BareRequest_HasEveryField(t *testing.T) {
	t.Parallel()
	const want = `{"externalId":"","requestId":"","product":{"id":"","name":""},"items":[],
		"customer":{"id":"","externalId":"","name":"","email":""},"parameters":{}}`
	if diff := cmp.Diff(decoded(t, []byte(want)), encoded(t, vendorapi.NewTenantBody(&connect.Request{}))); diff != "" {
		t.Errorf("body (-want +got):\n%s", diff)
	}
}

func encoded(t *testing.T, v any) any {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return decoded(t, data)
}

func decoded(t *testing.T, data []byte) any {
	t.Helper()
	var v any
	if err := json.Unmarshal(data, &v); err != nil {
		t.Fatal(err)
	}
	return v
}
