package profile

// Order is what an expression can speak of before a call. What a request does
// not have is empty: no name is ever nil. The JSON tags are for bodies that send
// a part as it is.
type Order struct {
	Request     OrderRequest           `expr:"request"`
	Asset       OrderAsset             `expr:"asset"`
	Items       []OrderItem            `expr:"items"`
	Item        func(string) OrderItem `expr:"item"`
	Params      map[string]any         `expr:"params"`
	Param       func(string) string    `expr:"param"`
	Config      func(string) string    `expr:"config"`
	Customer    OrderAccount           `expr:"customer"`
	Tier1       OrderAccount           `expr:"tier1"`
	Tier2       OrderAccount           `expr:"tier2"`
	Tier        OrderTier              `expr:"tier"`
	Tenant      string                 `expr:"tenant"`
	Environment string                 `expr:"environment"`
}

// Reply is what an expression can speak of after a call.
type Reply struct {
	Order
	Answer any `expr:"answer"`
}

// OrderRequest is the request, of a subscription or a reseller.
type OrderRequest struct {
	ID            string `expr:"id" json:"id"`
	Type          string `expr:"type" json:"type"` // as in subjects: purchase, tier-setup, …
	Status        string `expr:"status" json:"status"`
	Note          string `expr:"note" json:"note"`
	Created       string `expr:"created" json:"created"` // RFC 3339, or ""
	EffectiveDate string `expr:"effective_date" json:"effective_date"`
	PlannedDate   string `expr:"planned_date" json:"planned_date"`
}

// OrderRef is a thing with an id and a name.
type OrderRef struct {
	ID   string `expr:"id" json:"id"`
	Name string `expr:"name" json:"name"`
}

// OrderAsset is the subscription.
type OrderAsset struct {
	ID           string          `expr:"id" json:"id"`
	Status       string          `expr:"status" json:"status"`
	ExternalID   string          `expr:"external_id" json:"external_id"`
	ExternalUID  string          `expr:"external_uid" json:"external_uid"`
	ExternalName string          `expr:"external_name" json:"external_name"`
	Product      OrderRef        `expr:"product" json:"product"`
	Marketplace  OrderRef        `expr:"marketplace" json:"marketplace"`
	Contract     OrderRef        `expr:"contract" json:"contract"`
	Connection   OrderConnection `expr:"connection" json:"connection"`
}

// OrderConnection is the way of the sale.
type OrderConnection struct {
	ID       string   `expr:"id" json:"id"`
	Type     string   `expr:"type" json:"type"`
	Provider OrderRef `expr:"provider" json:"provider"`
	Hub      OrderRef `expr:"hub" json:"hub"`
}

// OrderItem is a line of the subscription. Quantity is +Inf where it is without
// limit; Limit is what to send: the exact number, or "unlimited".
type OrderItem struct {
	ID          string  `expr:"id" json:"id"`
	GlobalID    string  `expr:"global_id" json:"global_id"`
	MPN         string  `expr:"mpn" json:"mpn"`
	Name        string  `expr:"name" json:"name"`
	Quantity    float64 `expr:"quantity" json:"-"`
	OldQuantity float64 `expr:"old_quantity" json:"-"`
	Delta       float64 `expr:"delta" json:"-"`
	Limit       any     `expr:"limit" json:"limit"`
	OldLimit    any     `expr:"old_limit" json:"old_limit"`
	Unlimited   bool    `expr:"unlimited" json:"unlimited"`
	Change      string  `expr:"change" json:"change"`
	Unit        string  `expr:"unit" json:"unit"`
	Period      string  `expr:"period" json:"period"`
	ItemType    string  `expr:"item_type" json:"item_type"`
}

// OrderAccount is a customer or reseller.
type OrderAccount struct {
	ID           string `expr:"id" json:"id"`
	ExternalID   string `expr:"external_id" json:"external_id"`
	ExternalUID  string `expr:"external_uid" json:"external_uid"`
	Name         string `expr:"name" json:"name"`
	TaxID        string `expr:"tax_id" json:"tax_id"`
	Email        string `expr:"email" json:"email"`
	FirstName    string `expr:"first_name" json:"first_name"`
	LastName     string `expr:"last_name" json:"last_name"`
	Phone        string `expr:"phone" json:"phone"`
	AddressLine1 string `expr:"address_line1" json:"address_line1"`
	AddressLine2 string `expr:"address_line2" json:"address_line2"`
	City         string `expr:"city" json:"city"`
	State        string `expr:"state" json:"state"`
	PostalCode   string `expr:"postal_code" json:"postal_code"`
	Country      string `expr:"country" json:"country"`
}

// OrderTier is the configuration that a reseller's request is about.
type OrderTier struct {
	ID          string          `expr:"id" json:"id"`
	Name        string          `expr:"name" json:"name"`
	Status      string          `expr:"status" json:"status"`
	Level       int             `expr:"level" json:"level"`
	Account     OrderAccount    `expr:"account" json:"account"`
	Product     OrderRef        `expr:"product" json:"product"`
	Marketplace OrderRef        `expr:"marketplace" json:"marketplace"`
	Connection  OrderConnection `expr:"connection" json:"connection"`
}
