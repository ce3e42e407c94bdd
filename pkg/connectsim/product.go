package connectsim

import (
	"fmt"
	"net/http"
	"strings"
)

// Product is a product of the vendor's, with what belongs to it. Add one with
// AddProduct.
type Product struct {
	ID, Name  string
	Items     []Item
	Params    []Param
	Templates []Template
	// TierSetup makes a purchase through a reseller that is new to the product
	// wait in tiers_setup for a tier request.
	TierSetup bool
}

// Item is what can be bought. Its ids are made from the product's.
type Item struct {
	MPN, Name string
	Unit      string // "Seats"; "Units" if empty
	Period    string // "Monthly" if empty
	PPU       bool   // pay as you go: bought as -1
}

// Param defines a parameter.
type Param struct {
	ID, Title string
	Type      string // text, email, phone, …; text if empty
	Phase     string // ordering, fulfillment or configuration
	Scope     string // asset, tier1, tier2, product, …; asset if empty
	Required  bool
	// Value is what a configuration parameter holds everywhere.
	Value string
	// Reconciliation marks the parameter that usage reports name an asset by.
	Reconciliation bool
}

// Template is a template of a product: scope asset, tier1 or tier2; type
// fulfillment, inquire or pending.
type Template struct {
	ID                      string // made up if empty
	Name, Scope, Type, Body string
}

// The phases of a parameter.
const (
	phaseOrdering      = "ordering"
	phaseFulfillment   = "fulfillment"
	phaseConfiguration = "configuration"
)

// AddProduct adds or replaces a product.
func (s *Server) AddProduct(p Product) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.addProduct(p)
}

func (s *Server) addProduct(p Product) {
	if p.Name == "" {
		p.Name = "Product " + p.ID
	}
	now := s.now()
	s.setsUpTiers[p.ID] = p.TierSetup
	s.products.put(object{
		"id": p.ID, "name": p.Name, "status": "published", "version": 1, "latest": true,
		"icon":              "/media/" + vendorID + "/" + p.ID + "/media/logo.png",
		"short_description": p.Name, "detailed_description": p.Name,
		"owner": owner(), "capabilities": s.capabilities(), "events": events(now),
	})
	for _, kind := range productParts() {
		s.owned[p.ID+"/"+kind] = newCollection()
	}
	for _, kind := range []string{"production", "test"} {
		c := connection(kind)
		c["product"] = object{"id": p.ID, "name": p.Name}
		s.owned[p.ID+"/connections"].put(c)
	}
	for i, it := range p.Items {
		s.owned[p.ID+"/items"].put(itemObject(p.ID, i+1, it, now))
	}
	for i, d := range p.Params {
		s.addParam(p.ID, i+1, d)
	}
	for i, t := range p.Templates {
		s.owned[p.ID+"/templates"].put(templateObject(p.ID, i+1, t, now))
	}
}

// productParts are the collections that belong to a product.
func productParts() []string {
	return []string{"items", "parameters", "templates", "configurations", "connections"}
}

func (s *Server) capabilities() object {
	validation := s.opts.Validation
	return object{
		"ppu":       object{"ppu": true, "schema": "QT"},
		"cart":      object{"validation": validation},
		"inquiring": object{"validation": validation},
		"tiers": object{
			"updates": true, "validation": validation,
			"configs": object{"level": 2},
		},
		"subscription": object{
			"hold": true, "schema": "evergreen",
			"change":   object{"validation": validation, "scheduling": true, "simultaneous_adjustment": true},
			"cancel":   object{"scheduling": true},
			"suspend":  object{"scheduling": true},
			"resume":   object{"scheduling": true},
			"purchase": object{"scheduling": true},
			"renew":    object{"enable_renew": true},
			"transfer": object{"enable_transfer": true},
		},
	}
}

func itemObject(product string, position int, it Item, now string) object {
	kind, precision := "Reservation", "Integer"
	if it.PPU {
		kind, precision = "PPU", "Decimal(2)"
	}
	number := fmt.Sprintf("%04d", position)
	return object{
		"id": product + "-" + number, "local_id": strings.ReplaceAll(product, "-", "_") + "_" + number,
		"mpn": it.MPN, "name": it.Name, "display_name": it.Name, "description": it.Name,
		"type": kind, "precision": precision, "period": or(it.Period, "Monthly"), "status": "published",
		"unit":   object{"id": strings.ToLower(or(it.Unit, "Units")), "title": or(it.Unit, "Units")},
		"events": events(now),
	}
}

func (s *Server) addParam(product string, position int, d Param) {
	now := s.now()
	id := fmt.Sprintf("PRM-%s-%04d", strings.TrimPrefix(product, "PRD-"), position)
	s.owned[product+"/parameters"].put(object{
		"id": id, "name": d.ID, "title": or(d.Title, d.ID), "description": or(d.Title, d.ID),
		"type": or(d.Type, "text"), "phase": d.Phase, "scope": or(d.Scope, "asset"), "position": position * 10000,
		"constraints": constraints(d), "events": events(now),
	})
	if d.Phase == phaseConfiguration {
		s.owned[product+"/configurations"].put(object{
			"id": "PCF-" + id, "value": d.Value,
			"parameter": object{"id": d.ID, "title": or(d.Title, d.ID), "scope": or(d.Scope, "product"), "type": or(d.Type, "text")},
			"events":    events(now),
		})
	}
}

func constraints(d Param) object {
	return object{
		"required": d.Required, "hidden": false, "readonly": false, "unique": false,
		"reconciliation": d.Reconciliation, "meta": object{},
	}
}

func templateObject(product string, position int, t Template, now string) object {
	digits := strings.TrimPrefix(product, "PRD-")
	return object{
		"id":   or(t.ID, fmt.Sprintf("TL-%s-%03d", digits[:min(7, len(digits))], position)),
		"name": t.Name, "title": t.Name, "body": t.Body, "scope": t.Scope, "type": t.Type,
		"position": position * 10000, "events": events(now),
	}
}

// or is the first that is not empty.
func or(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}

// part is the collection of one kind that belongs to the object id.
func (s *Server) part(id, kind string) *collection { return s.owned[id+"/"+kind] }

func (s *Server) routeProducts(mux *http.ServeMux) {
	s.collectionOf(mux, "/products", func() *collection { return s.products })
	for _, kind := range productParts() {
		mux.HandleFunc("GET /products/{id}/"+kind, s.read(func(c *call) (answer, error) {
			of := s.part(c.id, kind)
			if of == nil {
				return answer{}, errNotFound
			}
			return s.list(c, of)
		}))
		mux.HandleFunc("GET /products/{id}/"+kind+"/{sub}", s.read(func(c *call) (answer, error) {
			of := s.part(c.id, kind)
			if of == nil {
				return answer{}, errNotFound
			}
			r, err := of.get(c.sub)
			return answer{record: r}, err
		}))
	}
	for _, action := range []string{"render", "preview"} {
		mux.HandleFunc("GET /products/{id}/templates/{sub}/"+action, s.read(s.showTemplate))
	}
	for _, kind := range []string{"messages", "actions", "media", "versions"} {
		mux.HandleFunc("GET /products/{id}/"+kind, s.read(func(c *call) (answer, error) {
			if _, err := s.products.get(c.id); err != nil {
				return answer{}, err
			}
			return s.list(c, newCollection())
		}))
	}
}
