package fulfillment

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// Subscription is what an event tells of a subscription: what Connect had of it
// when the event was published, less what may not leave. What is empty in
// Connect is missing.
type Subscription struct {
	ID          string      `json:"id"` // AS-…
	ExternalID  string      `json:"external_id,omitempty"`
	Status      string      `json:"status,omitempty"` // processing, active, suspended, …
	Tenant      string      `json:"tenant,omitempty"` // what the vendor calls it
	Marketplace *Named      `json:"marketplace,omitempty"`
	Connection  *Connection `json:"connection,omitempty"`
	Contract    *Referred   `json:"contract,omitempty"`
	Items       []Item      `json:"items,omitempty"`
	Parameters  []Parameter `json:"parameters,omitempty"`
}

// Configuration is what an event tells of a tier configuration.
type Configuration struct {
	ID          string      `json:"id"` // TC-…
	Status      string      `json:"status,omitempty"`
	Account     *Account    `json:"account,omitempty"`
	TierLevel   int         `json:"tier_level,omitempty"` // 1 or 2
	Marketplace *Named      `json:"marketplace,omitempty"`
	Connection  *Connection `json:"connection,omitempty"`
	Contract    *Referred   `json:"contract,omitempty"`
	Parameters  []Parameter `json:"parameters,omitempty"`
}

// Named is an object of Connect's that has a name.
type Named struct {
	ID   string `json:"id"`
	Name string `json:"name,omitempty"`
}

// Referred is an object of Connect's, by its id.
type Referred struct {
	ID string `json:"id"`
}

// Connection is the way a sale reached the vendor.
type Connection struct {
	ID   string `json:"id"`
	Type string `json:"type,omitempty"` // preview, test or production
}

// Item is one line of a subscription.
type Item struct {
	ID          string   `json:"id"`
	MPN         string   `json:"mpn,omitempty"`
	Name        string   `json:"name,omitempty"`
	Quantity    Quantity `json:"quantity"`
	OldQuantity Quantity `json:"old_quantity"`
}

// Parameter is the value of one parameter. One that may not leave is missing.
type Parameter struct {
	ID    string `json:"id"`
	Value string `json:"value"`
}

// Account is a party of a sale: the customer or a reseller. All but the ids is
// personal data, and missing unless a setting lets it in.
type Account struct {
	ID         string   `json:"id"` // TA-…
	ExternalID string   `json:"external_id,omitempty"`
	Name       string   `json:"name,omitempty"`
	TaxID      string   `json:"tax_id,omitempty"`
	Contact    *Contact `json:"contact,omitempty"`
	Address    *Address `json:"address,omitempty"`
}

// Contact is the person to reach.
type Contact struct {
	FirstName string `json:"first_name,omitempty"`
	LastName  string `json:"last_name,omitempty"`
	Email     string `json:"email,omitempty"`
	Phone     string `json:"phone,omitempty"` // all its parts, beginning with the country's
}

// Address is where an account is.
type Address struct {
	Line1      string `json:"line1,omitempty"`
	Line2      string `json:"line2,omitempty"`
	City       string `json:"city,omitempty"`
	State      string `json:"state,omitempty"`
	PostalCode string `json:"postal_code,omitempty"`
	Country    string `json:"country,omitempty"` // ISO 3166 alpha-2, of either case
}

// Quantity is how much of an item is ordered: a decimal as text, or Unlimited.
// In JSON it is a number, or the string "unlimited". "" is 0.
type Quantity string

// Unlimited is a quantity without limit.
const Unlimited Quantity = "unlimited"

// MarshalJSON writes a number, or "unlimited". It fails on what is neither.
func (q Quantity) MarshalJSON() ([]byte, error) {
	switch q {
	case "":
		return []byte("0"), nil
	case Unlimited:
		return []byte(`"unlimited"`), nil
	}
	// What is no number of JSON's is refused by the encoder.
	return []byte(q), nil
}

// UnmarshalJSON reads what MarshalJSON writes; else it fails.
func (q *Quantity) UnmarshalJSON(b []byte) error {
	text := string(b)
	if strings.HasPrefix(text, `"`) {
		var s string
		if err := json.Unmarshal(b, &s); err != nil {
			return err
		}
		if Quantity(s) != Unlimited {
			return fmt.Errorf("read quantity: %q is not %q", s, Unlimited)
		}
		*q = Unlimited
		return nil
	}
	if _, err := strconv.ParseFloat(text, 64); err != nil {
		return fmt.Errorf("read quantity: %w", err)
	}
	*q = Quantity(text)
	return nil
}
