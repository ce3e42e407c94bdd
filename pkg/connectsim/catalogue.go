package connectsim

import "net/http"

// addCatalogue adds what every simulator has, Empty or not.
func (s *Server) addCatalogue() {
	now := s.now()
	s.accounts.put(object{"id": vendorID, "name": "Meridian Software", "type": "vendor", "brand": 1, "events": events(now)})
	s.hubs.put(object{"id": hubID, "name": "Lakeside Hub", "company": provider(), "events": events(now)})
	s.marketplaces.put(object{
		"id": marketplaceID, "name": "Lakeside Netherlands", "currency": "EUR", "description": "", "owner": provider(),
		"countries": []any{object{"id": "NL", "name": "Netherlands"}}, "hubs": []any{object{"hub": hub(), "external_id": "1"}},
	})
	s.contracts.put(object{
		"id": contractID, "name": "Meridian distribution", "type": "distribution", "status": "active", "version": 1,
		"marketplace": marketplace(), "owner": provider(), "events": events(now),
	})
	for _, p := range startProducts() {
		s.addProduct(p)
	}
}

func (s *Server) routeCatalogue(mux *http.ServeMux) {
	s.collectionOf(mux, "/accounts", func() *collection { return s.accounts })
	s.collectionOf(mux, "/hubs", func() *collection { return s.hubs })
	s.collectionOf(mux, "/marketplaces", func() *collection { return s.marketplaces })
	s.collectionOf(mux, "/contracts", func() *collection { return s.contracts })
}
