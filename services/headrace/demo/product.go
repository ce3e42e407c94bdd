package demo

import "github.com/headrace/headrace/pkg/connectsim"

// What the demo uses of its own product.
const (
	productID     = "PRD-842-336-559"
	itemMPN       = "MD-USER"
	paramEmail    = "admin_email"
	paramNote     = "order_note"
	paramRegion   = "region_wish"
	paramReseller = "reseller_contact"
	paramTenant   = "subscription_id"
)

// product is what the special orders are for: its resellers are set up first,
// and its vendor can be told through a note to reject an order or to take long.
func product() connectsim.Product {
	const activation = "Default Activation Template"
	return connectsim.Product{
		ID: productID, Name: "Meridian Directory", TierSetup: true,
		Items: []connectsim.Item{{MPN: itemMPN, Name: "Directory user", Unit: "Users"}},
		Params: []connectsim.Param{
			{ID: paramEmail, Title: "Administrator e-mail", Type: "email", Phase: "ordering", Required: true},
			{ID: paramNote, Title: "Note to the vendor", Phase: "ordering"},
			{ID: paramRegion, Title: "Region", Phase: "ordering"},
			{ID: paramTenant, Title: "Subscription id", Phase: "fulfillment", Required: true},
			{ID: paramReseller, Title: "Reseller contact", Type: "email", Phase: "ordering", Scope: "tier1", Required: true},
		},
		Templates: []connectsim.Template{
			{Name: activation, Scope: "asset", Type: "fulfillment", Body: "# Welcome\n\nYour directory **{{ subscription_id }}** is ready."},
			{Name: "Inquire", Scope: "asset", Type: "inquire", Body: "# We need more information"},
			{Name: activation, Scope: "tier1", Type: "fulfillment", Body: "# Reseller ready"},
		},
	}
}
