package vendorapi

import "github.com/headrace/headrace/pkg/connect"

// A TenantBody is what POST and PUT send: the order, in the vendor's terms.
type TenantBody struct {
	ExternalID string   `json:"externalId"` // of the asset
	RequestID  string   `json:"requestId"`
	Product    Product  `json:"product"`
	Items      []Item   `json:"items"`
	Customer   Customer `json:"customer"`
	// Parameters are strings; a parameter that has nothing but a structured value is that value.
	Parameters map[string]any `json:"parameters"`
}

// A Product is what was bought.
type Product struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// An Item is one limit. Quantities are JSON numbers, or the string "unlimited".
type Item struct {
	ID          string           `json:"id"` // Connect's id of the item
	MPN         string           `json:"mpn"`
	Quantity    connect.Quantity `json:"quantity"`
	OldQuantity connect.Quantity `json:"oldQuantity"`
}

// A Customer is who bought it; what is not known is empty.
type Customer struct {
	ID         string `json:"id"`
	ExternalID string `json:"externalId"`
	Name       string `json:"name"`
	Email      string `json:"email"`
}

// NewTenantBody puts a request in the vendor's terms. It leaves out items whose quantity was 0 and stays so, parameters that
// are empty, and those that the customer does not fill in.
func NewTenantBody(r *connect.Request) TenantBody {
	b := TenantBody{
		ExternalID: r.Asset.ID,
		RequestID:  r.ID,
		Product:    Product{ID: r.Asset.Product.ID, Name: r.Asset.Product.Name},
		Items:      []Item{},
		Parameters: map[string]any{},
	}
	if c := r.Asset.Tiers.Customer; c != nil {
		b.Customer = Customer{ID: c.ID, ExternalID: c.ExternalID, Name: c.Name, Email: c.ContactInfo.Contact.Email}
	}
	for _, item := range r.Asset.Items {
		if item.Quantity.IsZero() && item.OldQuantity.IsZero() {
			continue
		}
		b.Items = append(b.Items, Item{ID: item.ID, MPN: item.MPN, Quantity: item.Quantity, OldQuantity: item.OldQuantity})
	}
	for _, p := range r.Asset.Params {
		switch {
		case p.Phase != connect.PhaseOrdering || p.Empty():
		case p.Value != "":
			b.Parameters[p.ID] = p.Value
		default:
			b.Parameters[p.ID] = p.StructuredValue
		}
	}
	return b
}
