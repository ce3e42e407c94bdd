package connectsim

import "strings"

// subscriptionID is the fulfillment parameter that holds the vendor's tenant.
const subscriptionID = "subscription_id"

// Tenant is a tenant that the vendor must have for the requests to succeed.
type Tenant struct {
	ID, AssetID string
	Suspended   bool
}

// TenantOf is the tenant id in the subscription_id of an asset that was there
// before its request: AS-7302-1184-6650 has T-7302-1184-6650.
func TenantOf(assetID string) string { return "T-" + strings.TrimPrefix(assetID, "AS-") }

// StartTenants are the tenants of the start set, the same at every start.
func StartTenants() []Tenant { return New(Options{}).Tenants() }

// Tenants are the tenants that belong to what the start set and Load added.
func (s *Server) Tenants() []Tenant {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return append([]Tenant(nil), s.tenants...)
}

// The counts of the start set.
const (
	startRequests     = 20 // of each type
	startTierRequests = 5
)

func (s *Server) addStartSet() {
	s.load(LoadOptions{
		Purchases: startRequests, Changes: startRequests, Cancels: startRequests,
		Suspends: startRequests, Resumes: startRequests, TierRequests: startTierRequests,
	})
}

// startProducts are made anew at each call, so that callers may change them.
func startProducts() []Product {
	templates := func(prefix string) []Template {
		const activation = "Default Activation Template"
		return []Template{
			{prefix + "-001", activation, "asset", "fulfillment", "# Welcome\n\nYour subscription **{{ subscription_id }}** is ready."},
			{prefix + "-002", "Inquire", "asset", "inquire", "# We need more information"},
			{prefix + "-003", "Pending", "asset", "pending", "# Your order is being processed"},
			{prefix + "-004", activation, "tier1", "fulfillment", "# Reseller ready\n\nYour id is {{ reseller_ref }}."},
			{prefix + "-005", activation, "tier2", "fulfillment", "# Reseller ready\n\nYour id is {{ distributor_ref }}."},
		}
	}
	tiers := []Param{
		{ID: "reseller_contact", Title: "Reseller contact", Type: "email", Phase: phaseOrdering, Scope: "tier1", Required: true},
		{ID: "reseller_ref", Title: "Partner id", Phase: phaseFulfillment, Scope: "tier1"},
		{ID: "distributor_contact", Title: "Distributor contact", Type: "email", Phase: phaseOrdering, Scope: "tier2", Required: true},
		{ID: "distributor_ref", Title: "Distributor id", Phase: phaseFulfillment, Scope: "tier2"},
	}
	return []Product{
		{
			ID: "PRD-620-114-337", Name: "Meridian Workspace", Templates: templates("TL-620-114"),
			Items: []Item{
				{MPN: "MW-SEAT", Name: "Workspace seat", Unit: "Seats"},
				{MPN: "MW-STORE", Name: "Storage pack", Unit: "Packs", Period: "Yearly"},
				{MPN: "MW-CALLS", Name: "API calls", Unit: "Calls", PPU: true},
			},
			Params: append([]Param{
				{ID: "admin_email", Title: "Administrator e-mail", Type: "email", Phase: phaseOrdering, Required: true},
				{ID: "company_phone", Title: "Phone", Type: "phone", Phase: phaseOrdering},
				{ID: subscriptionID, Title: "Subscription id", Phase: phaseFulfillment, Required: true, Reconciliation: true},
				{ID: "activation_url", Title: "Activation link", Type: "url", Phase: phaseFulfillment},
				{ID: "region", Title: "Region", Phase: phaseConfiguration, Scope: "product", Value: "eu-west"},
			}, tiers...),
		},
		{
			ID: "PRD-731-225-448", Name: "Meridian Backup", Templates: templates("TL-731-225"),
			Items: []Item{
				{MPN: "MB-GB", Name: "Backup space", Unit: "GB"},
				{MPN: "MB-AGENT", Name: "Backup agent", Unit: "Agents"},
			},
			Params: append([]Param{
				{ID: "admin_email", Title: "Administrator e-mail", Type: "email", Phase: phaseOrdering, Required: true},
				{ID: subscriptionID, Title: "Subscription id", Phase: phaseFulfillment, Required: true, Reconciliation: true},
			}, tiers...),
		},
	}
}
