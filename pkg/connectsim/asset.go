package connectsim

import (
	"net/http"
	"strings"
)

// The statuses of an asset.
const (
	assetProcessing  = "processing"
	assetActive      = "active"
	assetTerminating = "terminating"
	assetSuspended   = "suspended"
	assetTerminated  = "terminated"
)

func (s *Server) routeAssets(mux *http.ServeMux) {
	s.collectionOf(mux, "/assets", func() *collection { return s.assets })
	mux.HandleFunc("GET /assets/{id}/requests", s.read(func(c *call) (answer, error) {
		if _, err := s.assets.get(c.id); err != nil {
			return answer{}, err
		}
		// The requests of one asset are few, so a collection of their own is
		// quickly made.
		own := newCollection()
		for _, id := range s.byAsset[c.id] {
			own.put(s.requests.byID[id].body)
		}
		return s.list(c, own)
	}))
	mux.HandleFunc("GET /assets/{id}/render", s.read(func(c *call) (answer, error) {
		r, err := s.assets.get(c.id)
		if err != nil {
			return answer{}, err
		}
		body := ""
		if t := s.part(text(r.body, "product", "id"), "templates").byID[text(r.body, "template", "id")]; t != nil {
			body = render(text(t.body, "body"), rows(r.body, "params"))
		}
		return answer{markdown: &body}, nil
	}))
}

// newAsset builds an asset of a product with every item at zero and every
// parameter empty.
func (s *Server) newAsset(product *record, kind string) object {
	digits, now := s.digits(), s.now()
	asset := object{
		"id": "AS-" + digits, "status": assetProcessing,
		"external_id": strings.ReplaceAll(digits, "-", "")[5:], "external_uid": uid(digits), "external_name": "",
		"product":     productRef(product.body),
		"connection":  connection(kind),
		"marketplace": marketplace(), "contract": contract(),
		"events": events(now), "tiers": object{"customer": object{}, "tier1": object{}, "tier2": object{}},
	}
	var items, params, settings []any
	for _, r := range s.part(product.id, "items").rows {
		items = append(items, line(r.body))
	}
	for _, r := range s.part(product.id, "parameters").rows {
		switch {
		case text(r.body, "phase") == phaseConfiguration:
			settings = append(settings, s.setting(product.id, r.body))
		case text(r.body, "scope") == "asset":
			params = append(params, paramObject(r.body))
		}
	}
	asset["items"], asset["params"] = items, params
	asset["configuration"] = object{"params": settings}
	return asset
}

func productRef(p object) object {
	return object{"id": p["id"], "name": p["name"], "icon": p["icon"], "status": p["status"]}
}

// line is an item as a request lists it, not bought yet.
func line(item object) object {
	return object{
		"id": item["local_id"], "global_id": item["id"], "mpn": item["mpn"], "display_name": item["display_name"],
		"quantity": "0", "old_quantity": "0", "type": at(item, "unit", "title"), "period": item["period"],
		"item_type": item["type"],
	}
}

func paramObject(d object) object {
	p := object{
		"id": d["name"], "name": d["name"], "title": d["title"], "description": d["description"],
		"type": d["type"], "phase": d["phase"], "value": "", "value_error": "", "constraints": clone(child(d, "constraints")),
	}
	// Only parameters of tiers tell their scope.
	if scope := text(d, "scope"); strings.HasPrefix(scope, "tier") {
		p["scope"] = scope
	}
	return p
}

func (s *Server) setting(product string, d object) object {
	p := paramObject(d)
	p["scope"] = d["scope"]
	delete(p, "value_error")
	for _, r := range s.part(product, "configurations").rows {
		if at(r.body, "parameter", "id") == d["name"] {
			p["value"] = r.body["value"]
		}
	}
	return p
}

// openRequest is the request of the asset that is not done, adjustments left
// out; nil if there is none.
func (s *Server) openRequest(asset string) *record {
	for _, id := range s.byAsset[asset] {
		r := s.requests.byID[id]
		if !isTerminal(text(r.body, "status")) && text(r.body, "type") != typeAdjustment {
			return r
		}
	}
	return nil
}
