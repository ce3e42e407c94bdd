package connect

// Account is a party of the sales chain: the customer or a reseller (a "tier").
// ID is empty only in bodies that create a request.
type Account struct {
	ID          string      `json:"id,omitempty"`
	Type        string      `json:"type,omitempty"` // customer, reseller
	ExternalID  string      `json:"external_id,omitempty"`
	ExternalUID string      `json:"external_uid,omitempty"`
	Name        string      `json:"name,omitempty"` // may be missing
	TaxID       string      `json:"tax_id,omitempty"`
	Parent      Ref         `json:"parent,omitzero"`
	ContactInfo ContactInfo `json:"contact_info,omitzero"`
}

// ContactInfo is personal data: it must not be logged.
type ContactInfo struct {
	AddressLine1 string  `json:"address_line1,omitempty"`
	AddressLine2 string  `json:"address_line2,omitempty"`
	City         string  `json:"city,omitempty"`
	State        string  `json:"state,omitempty"`
	PostalCode   string  `json:"postal_code,omitempty"`
	Country      string  `json:"country,omitempty"` // ISO 3166 alpha-2, of either case
	Contact      Contact `json:"contact,omitzero"`
}

// Contact is the person to reach.
type Contact struct {
	FirstName string `json:"first_name,omitempty"`
	LastName  string `json:"last_name,omitempty"`
	Email     string `json:"email,omitempty"`
	Phone     Phone  `json:"phone_number,omitzero"`
}

// Phone is a telephone number in its parts. CountryCode has a leading "+".
type Phone struct {
	CountryCode string `json:"country_code,omitempty"`
	AreaCode    string `json:"area_code,omitempty"`
	PhoneNumber string `json:"phone_number,omitempty"`
	Extension   string `json:"extension,omitempty"`
}

// Tiers are the accounts of a sale. Connect sends an absent tier as {}, null
// or not at all; all three are nil here.
type Tiers struct {
	Customer *Account `json:"customer,omitempty"`
	Tier1    *Account `json:"tier1,omitempty"`
	Tier2    *Account `json:"tier2,omitempty"`
}

// settle turns empty accounts into nil.
func (t *Tiers) settle() {
	for _, a := range []**Account{&t.Customer, &t.Tier1, &t.Tier2} {
		if *a != nil && **a == (Account{}) {
			*a = nil
		}
	}
}
