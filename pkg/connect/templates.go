package connect

import "context"

// The scopes and types of a template.
const (
	ScopeAsset = "asset"
	ScopeTier1 = "tier1"
	ScopeTier2 = "tier2"

	TemplateFulfillment = "fulfillment" // for an approval
	TemplateInquire     = "inquire"
	TemplatePending     = "pending"
)

// TemplatesService reads the texts that customers are shown.
type TemplatesService struct{ client *Client }

// Template is one of those texts.
type Template struct {
	ID    string `json:"id"` // TL-…
	Name  string `json:"name"`
	Title string `json:"title"`
	Scope string `json:"scope"` // ScopeAsset, …
	Type  string `json:"type"`  // TemplateFulfillment, …; may be missing
}

// List returns the product's templates of a scope and a type; "" is any. Names
// are to be matched by the caller, as Connect documents no filter for them.
func (s *TemplatesService) List(ctx context.Context, productID, scope, typ string) ([]Template, error) {
	to, err := at("/products/{id}/templates", productID)
	if err != nil {
		return nil, err
	}
	var filters []Filter
	if scope != "" {
		filters = append(filters, Eq("scope", scope))
	}
	if typ != "" {
		filters = append(filters, Eq("type", typ))
	}
	return listAll[Template](ctx, s.client, to, And(filters...))
}
