package connect

// Item is one line of a subscription. Connect may list every item of the
// product, untouched ones with quantity and old quantity 0 among them.
type Item struct {
	ID          string   `json:"id,omitempty"`        // local id; the MPN in old bodies
	GlobalID    string   `json:"global_id,omitempty"` // PRD-…-0001
	MPN         string   `json:"mpn,omitempty"`
	DisplayName string   `json:"display_name,omitempty"`
	Quantity    Quantity `json:"quantity"`
	OldQuantity Quantity `json:"old_quantity"`
	Type        string   `json:"type,omitempty"`      // the unit's name, e.g. Seats
	Period      string   `json:"period,omitempty"`    // e.g. Monthly, OneTime
	ItemType    string   `json:"item_type,omitempty"` // Reservation or PPU
}
