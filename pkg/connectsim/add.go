package connectsim

import (
	"encoding/json"
	"time"
)

// NewRequest describes a request to add. Everything may be left empty.
type NewRequest struct {
	Type   string // purchase if empty; any word
	Status string // pending if empty
	// AssetID is an asset of the simulator's, or the id that a new one gets.
	// If empty, or not known, there is a new asset in the state that the type
	// asks for, with the tenant of TenantOf in its subscription_id.
	AssetID string
	// ProductID is the first start product if empty. A product that is not
	// known is added, with the items, parameters and templates of that one.
	ProductID string
	// Connection is production, test or preview; production if empty.
	Connection string
	Lines      []Line
	Params     map[string]string // values of the asset's parameters by id
	Customer   Account
	// Reseller and Reseller2 are tier 1 and 2; left out if they have neither
	// id nor name.
	Reseller, Reseller2 Account
	Created             time.Time // now if zero
}

// Line is one item of a request; items without a line have quantity 0.
type Line struct {
	Item          string // MPN, id or global id
	Quantity, Old string // "5", "1.5", "-1", "unlimited"; "0" if empty
}

// NewTierRequest describes a tier request to add.
type NewTierRequest struct {
	Type       string // setup, update or adjustment; setup if empty
	Status     string // pending if empty
	ProductID  string
	Account    Account // the reseller
	Level      int     // 1 or 2; 1 if 0
	Connection string
	Params     map[string]string
	// Parent is the id of the configuration of the second tier that a request
	// in tiers_setup waits for.
	Parent string
}

// AddRequest adds a request and returns its id. It checks less than the API
// does, so that tests can have states that take long to reach otherwise.
func (s *Server) AddRequest(n NewRequest) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.addRequest(n).id
}

func (s *Server) addRequest(n NewRequest) *record {
	n.Type = or(n.Type, typePurchase)
	var asset object
	if r := s.assets.byID[n.AssetID]; r != nil {
		asset = fork(r.body)
		s.applyLines(asset, n, true)
	} else {
		asset = s.assetFor(n)
	}
	for id, value := range n.Params {
		if p := find(rows(asset, "params"), "id", id); p != nil {
			p["value"] = value
		}
	}
	created := s.now()
	if !n.Created.IsZero() {
		created = stamp(n.Created)
	}
	return s.open(asset, n.Type, or(n.Status, statusPending), created)
}

// assetFor makes the asset of a request as what came before has left it.
func (s *Server) assetFor(n NewRequest) object {
	asset := s.newAsset(s.productOrLikeIt(n.ProductID), or(n.Connection, "production"))
	asset["id"] = or(n.AssetID, text(asset, "id"))
	if !n.Created.IsZero() {
		asset["events"] = events(stamp(n.Created))
	}
	tiers := child(asset, "tiers")
	tiers["customer"] = s.tierAccount(n.Customer, "customer", "customer")
	for tier, a := range map[string]Account{"tier1": n.Reseller, "tier2": n.Reseller2} {
		if a.ID != "" || a.Name != "" {
			tiers[tier] = s.tierAccount(a, "reseller", tier)
		}
	}
	s.applyLines(asset, n, false)
	if n.Type == typePurchase {
		return asset
	}
	if _, known := allowedOn[n.Type]; !known {
		return asset
	}
	asset["status"] = assetActive
	if n.Type == typeResume {
		asset["status"] = assetSuspended
	}
	for _, p := range rows(asset, "params") {
		if p["id"] == subscriptionID {
			p["value"] = TenantOf(text(asset, "id"))
		}
	}
	return asset
}

func (s *Server) applyLines(asset object, n NewRequest, existing bool) {
	items := rows(asset, "items")
	if existing {
		for _, it := range items {
			it["old_quantity"] = it["quantity"]
			if n.Type == typeCancel {
				it["quantity"] = "0"
			}
		}
	}
	for _, l := range n.Lines {
		it := findItem(items, object{"id": l.Item})
		if it == nil {
			continue
		}
		it["quantity"] = or(l.Quantity, "0")
		if !existing || l.Old != "" {
			it["old_quantity"] = or(l.Old, "0")
		}
	}
}

func (s *Server) productOrLikeIt(id string) *record {
	models := startProducts()
	id = or(id, models[0].ID)
	if s.products.byID[id] == nil {
		p := models[0]
		p.ID, p.Name = id, ""
		for i := range p.Templates {
			p.Templates[i].ID = ""
		}
		s.addProduct(p)
	}
	return s.products.byID[id]
}

// AddTierRequest adds a tier request, and its configuration if the reseller
// has none for the product yet, and returns its id.
func (s *Server) AddTierRequest(n NewTierRequest) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.addTierRequest(n).id
}

func (s *Server) addTierRequest(n NewTierRequest) *record {
	level := max(n.Level, 1)
	kind := or(n.Type, "setup")
	account := s.tierAccount(n.Account, "reseller", tierScope(object{"tier_level": level}))
	config := s.tierConfig(s.productOrLikeIt(n.ProductID), account, level, or(n.Connection, "production"))
	if kind != "setup" {
		config["status"] = assetActive
	}
	for id, value := range n.Params {
		if p := find(rows(config, "params"), "id", id); p != nil {
			p["value"] = value
		}
	}
	r := s.openTierRequest(config, kind, or(n.Status, statusPending))
	if n.Parent != "" {
		body := fork(r.body)
		body["parent_configuration"] = object{"id": n.Parent}
		r = s.tierRequests.put(body)
	}
	return r
}

// AddRaw puts a row into the list of requests just as it is, be it no request
// or no JSON at all. It is listed as pending unless it says otherwise, and a
// filter for what it lacks does not leave it out.
func (s *Server) AddRaw(row json.RawMessage) {
	s.mu.Lock()
	defer s.mu.Unlock()
	body := object{}
	if v, err := decode(row); err == nil {
		if o, ok := v.(object); ok {
			body = o
		}
	}
	id := text(body, "id")
	match := clone(body)
	if text(match, "status") == "" {
		match["status"] = statusPending
	}
	s.requests.store(&record{id: id, body: match, loose: true, encoded: append([]byte(nil), row...)})
}
