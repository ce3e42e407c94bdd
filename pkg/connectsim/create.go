package connectsim

import (
	"encoding/json"
	"net/http"
	"slices"

	"github.com/shopspring/decimal"
)

// createRequest takes an order. A body that names no asset begins a new one,
// whatever its type; Connect's types for an existing asset have to fit the
// asset's status, and unknown types are taken as they are.
func (s *Server) createRequest(c *call) (answer, error) {
	kind := text(c.body, "type")
	if kind == "" {
		return answer{}, invalid("type", "This field is required.")
	}
	if kind == typeAdjustment && s.opts.RefuseAdjustments {
		return answer{}, invalid("type", "Adjustment requests are not available for this product.")
	}
	var asset object
	var err error
	if id := text(c.body, "asset", "id"); id != "" {
		asset, err = s.assetForRequest(kind, id)
	} else {
		asset, err = s.assetFromOrder(kind, c.body)
	}
	if err != nil {
		return answer{}, err
	}
	if err := s.order(asset, kind, child(c.body, "asset")); err != nil {
		return answer{}, err
	}
	status := s.firstStatus(asset)
	if s.opts.Validation {
		status = statusDraft
	}
	return answer{status: http.StatusCreated, record: s.open(asset, kind, status, s.now())}, nil
}

// allowedOn are the statuses of the asset in which a type can be asked for.
var allowedOn = map[string][]string{
	typeChange:     {assetActive},
	typeSuspend:    {assetActive},
	typeResume:     {assetSuspended},
	typeCancel:     {assetActive, assetSuspended},
	typeAdjustment: {assetActive, assetSuspended, assetTerminating},
	typeRenew:      {assetActive, assetSuspended},
	typeTransfer:   {assetActive, assetSuspended},
}

func (s *Server) assetForRequest(kind, id string) (object, error) {
	asset, err := s.assets.edit(id)
	if err != nil {
		return nil, invalid("asset", "Asset %s does not exist.", id)
	}
	status := text(asset, "status")
	if fit, known := allowedOn[kind]; kind == typePurchase || known && !slices.Contains(fit, status) {
		return nil, invalid("asset", "Asset %s is %s and can't take a %s request.", id, status, kind)
	}
	if open := s.openRequest(id); open != nil && kind != typeAdjustment {
		return nil, invalid("asset", "Asset %s has an open request %s.", id, open.id)
	}
	return asset, nil
}

func (s *Server) assetFromOrder(kind string, body object) (object, error) {
	if _, known := allowedOn[kind]; known {
		return nil, invalid("asset", "id: This field is required.")
	}
	given := child(body, "asset")
	product, err := s.products.get(text(given, "product", "id"))
	if err != nil {
		return nil, invalid("asset", "Product %q does not exist.", text(given, "product", "id"))
	}
	connectionType := text(given, "connection", "type")
	asset := s.newAsset(product, or(connectionType, "production"))
	if id := text(given, "connection", "id"); id != "" {
		child(asset, "connection")["id"] = id
	}
	for _, key := range []string{"external_id", "external_uid", "external_name"} {
		if v, ok := given[key]; ok {
			asset[key] = v
		}
	}
	tiers := child(asset, "tiers")
	tiers["customer"] = s.accountFrom(child(given, "tiers", "customer"), "customer", "customer")
	for _, tier := range []string{"tier1", "tier2"} {
		if a := child(given, "tiers", tier); len(a) > 0 {
			tiers[tier] = s.accountFrom(a, "reseller", tier)
		}
	}
	return asset, nil
}

// order sets the lines and parameters that are asked for. Quantities are
// absolute targets, what is not listed stays.
func (s *Server) order(asset object, kind string, given object) error {
	items := rows(asset, "items")
	for _, it := range items {
		it["old_quantity"] = or(text(it, "quantity"), "0")
		if kind == typeCancel {
			it["quantity"] = "0"
		}
	}
	for _, want := range rows(given, "items") {
		it := findItem(items, want)
		if it == nil {
			return invalid("asset", "items: Item %s does not exist.", or(text(want, "id"), text(want, "mpn")))
		}
		quantity, ok := quantityOf(want["quantity"])
		if !ok {
			return invalid("asset", "items: quantity: A valid number is required.")
		}
		it["quantity"] = quantity
	}
	return s.setParams(rows(asset, "params"), given["params"])
}

func findItem(items []object, want object) object {
	for _, key := range []string{"id", "global_id", "mpn"} {
		for _, given := range []string{text(want, "id"), text(want, "global_id"), text(want, "mpn")} {
			if it := find(items, key, given); it != nil && given != "" {
				return it
			}
		}
	}
	return nil
}

// quantityOf writes a quantity as Connect's bodies hold it, a string.
func quantityOf(v any) (string, bool) {
	var s string
	switch v := v.(type) {
	case json.Number:
		s = v.String()
	case string:
		s = v
	}
	if s == "unlimited" {
		return s, true
	}
	d, err := decimal.NewFromString(s)
	if err != nil {
		return "", false
	}
	return d.String(), true
}

// firstStatus is where a request begins: behind the set-up of its reseller if
// the product wants one.
func (s *Server) firstStatus(asset object) string {
	if s.needsTierSetup(asset) {
		return statusTiersSetup
	}
	return statusPending
}

// open stores a request for asset, and the asset if it is new.
func (s *Server) open(asset object, kind, status, created string) *record {
	id := text(asset, "id")
	requestID := s.nextID("PR", id)
	if kind == typeCancel {
		s.oldStatus[requestID] = text(asset, "status")
		asset["status"] = s.opts.AssetWhileCancelling
	}
	stored := fork(asset)
	if old := s.assets.byID[id]; old != nil {
		// Only the approval makes the ordered lines and values the asset's.
		stored["items"], stored["params"] = old.body["items"], old.body["params"]
	}
	s.assets.put(stored)
	req := object{
		"id": requestID, "type": kind, "status": status, "note": "", "reason": "", "answered": false, "assignee": "",
		"activation_key": "", "template": nil, "previous_approved_request": s.previous(id),
		"effective_date": nil, "planned_date": nil, "created": created, "updated": created, "events": events(created),
		"asset": asset, "marketplace": asset["marketplace"], "contract": asset["contract"], "external_attributes": object{},
	}
	s.byAsset[id] = append(s.byAsset[id], requestID)
	s.addConversation(requestID, text(asset, "product", "name"), created)
	if status == statusTiersSetup {
		s.setUpTiers(asset)
	}
	return s.requests.put(req)
}

func (s *Server) previous(asset string) any {
	for _, id := range slices.Backward(s.byAsset[asset]) {
		if text(s.requests.byID[id].body, "status") == statusApproved {
			return object{"id": id}
		}
	}
	return nil
}
