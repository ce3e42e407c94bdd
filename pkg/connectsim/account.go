package connectsim

// Account is a customer or a reseller. What is empty is made up.
type Account struct {
	ID, ExternalID, Name   string
	Email, FirstName, City string
	Country                string // ISO 3166, two letters
}

// The parties of every contract.
const (
	vendorID      = "VA-310-442"
	providerID    = "PA-225-771"
	hubID         = "HB-4410-2207"
	marketplaceID = "MP-27311"
	contractID    = "CRD-41077-20938-55610"
)

func owner() object    { return object{"id": vendorID, "name": "Meridian Software"} }
func provider() object { return object{"id": providerID, "name": "Lakeside Distribution"} }
func hub() object      { return object{"id": hubID, "name": "Lakeside Hub"} }
func contract() object { return object{"id": contractID, "name": "Meridian distribution"} }
func marketplace() object {
	return object{"id": marketplaceID, "name": "Lakeside Netherlands", "icon": ""}
}

// connection is how a request reached the vendor: production, test or preview.
// Preview uses the ids that stand for nothing.
func connection(kind string) object {
	id, hub := "CT-5512-0098-3321", hub()
	switch kind {
	case "test":
		id = "CT-5512-0098-3322"
	case "preview":
		id, hub = "CT-0000-0000-0000", object{"id": "HB-0000-0000", "name": "None"}
	}
	return object{"id": id, "type": kind, "provider": provider(), "vendor": owner(), "hub": hub}
}

// tierAccount stores an account and returns its body.
func (s *Server) tierAccount(a Account, kind, scope string) object {
	if r := s.tierAccounts.byID[a.ID]; r != nil {
		return clone(r.body)
	}
	digits := s.digits()
	body := object{
		"id": or(a.ID, "TA-"+digits), "version": 1, "type": kind,
		"external_id": or(a.ExternalID, digits[5:9]), "external_uid": uid(digits),
		"name": or(a.Name, "Customer "+digits[10:]), "tax_id": "", "scopes": []any{scope},
		"owner": provider(), "hub": hub(), "events": events(s.now()),
		"contact_info": contactInfo(a),
	}
	s.tierAccounts.put(body)
	return clone(body)
}

func contactInfo(a Account) object {
	return object{
		"address_line1": "Kade 12", "address_line2": "", "city": or(a.City, "Utrecht"), "state": "",
		"postal_code": "3511 AA", "country": or(a.Country, "NL"),
		"contact": object{
			"first_name": or(a.FirstName, "Ilse"), "last_name": "de Wit", "email": or(a.Email, "office@example.com"),
			"phone_number": object{"country_code": "+31", "area_code": "30", "phone_number": "5550142", "extension": ""},
		},
	}
}

// uid makes a UUID of digits, which are twelve in groups of four.
func uid(digits string) string {
	return "0e0c" + digits[0:4] + "-8d" + digits[5:7] + "-4bd3-9d" + digits[7:9] + "-5d0c6a6b" + digits[10:14]
}

// accountFrom stores the account of a tier in a created request: an id that is
// known, or an object that describes it.
func (s *Server) accountFrom(given object, kind, scope string) object {
	if r := s.tierAccounts.byID[text(given, "id")]; r != nil {
		return clone(r.body)
	}
	body := s.tierAccount(Account{ID: text(given, "id")}, kind, scope)
	for _, key := range []string{"external_id", "external_uid", "name", "tax_id", "contact_info"} {
		if v, ok := given[key]; ok {
			body[key] = v
		}
	}
	s.tierAccounts.put(body)
	return clone(body)
}
