package connect

import (
	"errors"
	"fmt"
)

// The statuses a request can have. Connect adds statuses without notice, so
// any other value survives decoding.
const (
	StatusDraft      = "draft"
	StatusTiersSetup = "tiers_setup"
	StatusPending    = "pending"
	StatusInquiring  = "inquiring"
	StatusApproved   = "approved"
	StatusFailed     = "failed"
	StatusScheduled  = "scheduled"
	StatusRevoking   = "revoking"
	StatusRevoked    = "revoked"
)

// ErrIncomplete is returned for a request that lacks a field nothing can be
// done without.
var ErrIncomplete = errors.New("incomplete request")

// Request is a fulfillment request: what a customer's order asks the vendor to
// do with one subscription. Fields that nobody decides on are left out.
type Request struct {
	ID               string `json:"id"`     // PR-…
	Type             string `json:"type"`   // purchase, change, cancel, …
	Status           string `json:"status"` // StatusPending, …
	Note             string `json:"note,omitempty"`
	Reason           string `json:"reason,omitempty"` // why it was failed
	Created          Time   `json:"created,omitzero"`
	Updated          Time   `json:"updated,omitzero"` // moves with every saved parameter
	EffectiveDate    Time   `json:"effective_date,omitzero"`
	PlannedDate      Time   `json:"planned_date,omitzero"`
	Answered         bool   `json:"answered,omitempty"` // the customer answered an inquiry
	Assignee         User   `json:"assignee,omitzero"`
	ActivationKey    string `json:"activation_key,omitempty"`  // rendered text, after approval
	ParamsFormURL    string `json:"params_form_url,omitempty"` // only when inquiring
	Template         Ref    `json:"template,omitzero"`
	Asset            Asset  `json:"asset"`
	Marketplace      Ref    `json:"marketplace,omitzero"`
	Contract         Ref    `json:"contract,omitzero"`
	PreviousApproved Ref    `json:"previous_approved_request,omitzero"`
}

// Asset is the subscription that a request is about.
type Asset struct {
	ID            string        `json:"id"` // AS-…
	Status        string        `json:"status,omitempty"`
	ExternalID    string        `json:"external_id,omitempty"`
	ExternalUID   string        `json:"external_uid,omitempty"`
	ExternalName  string        `json:"external_name,omitempty"`
	Product       Ref           `json:"product"`
	Connection    Connection    `json:"connection,omitzero"`
	Items         []Item        `json:"items,omitempty"`
	Params        []Param       `json:"params,omitempty"`
	Tiers         Tiers         `json:"tiers,omitzero"`
	Configuration Configuration `json:"configuration,omitzero"`
	Marketplace   Ref           `json:"marketplace,omitzero"`
	Contract      Ref           `json:"contract,omitzero"`
}

// Connection is the way a sale reached the vendor.
type Connection struct {
	ID       string `json:"id,omitempty"`
	Type     string `json:"type,omitempty"` // preview, test, production
	Provider Ref    `json:"provider,omitzero"`
	Vendor   Ref    `json:"vendor,omitzero"`
	Hub      Ref    `json:"hub,omitzero"`
}

// Configuration holds the parameters of PhaseConfiguration.
type Configuration struct {
	Params []Param `json:"params,omitempty"`
}

// DecodeRequest decodes the body of a request. It fails on what is not JSON,
// on a field of a kind that can't be made sense of (naming it), and with
// ErrIncomplete unless id, type, status, asset.id and asset.product.id are all
// there. Null, "" and missing fields are alike; ids may be numbers.
func DecodeRequest(data []byte) (*Request, error) {
	r := new(Request)
	if err := r.UnmarshalJSON(data); err != nil {
		return nil, fmt.Errorf("decode request: %w", err)
	}
	if err := r.check(); err != nil {
		return nil, fmt.Errorf("decode request: %w", err)
	}
	return r, nil
}

// UnmarshalJSON is DecodeRequest without the check for missing fields.
func (r *Request) UnmarshalJSON(data []byte) error {
	*r = Request{}
	type plain Request
	err := decodeTolerant(data, (*plain)(r))
	r.Asset.Tiers.settle()
	return err
}

func (r *Request) check() error {
	return require(
		field{"id", r.ID}, field{"type", r.Type}, field{"status", r.Status},
		field{"asset.id", r.Asset.ID}, field{"asset.product.id", r.Asset.Product.ID},
	)
}

// Param returns the asset's parameter with this id, or nil. The pointer is into
// r.
func (r *Request) Param(id string) *Param { return findParam(r.Asset.Params, id) }

// EmptyRequired lists the asset's parameters of phase that Connect demands and
// that have no value yet. With any of PhaseFulfillment, approval is refused.
func (r *Request) EmptyRequired(phase string) []Param {
	return emptyRequired(r.Asset.Params, phase)
}

// field is a required field and its value.
type field struct{ name, value string }

// require fails with ErrIncomplete, naming all fields without a value.
func require(fields ...field) error {
	var missing []error
	for _, f := range fields {
		if f.value == "" {
			missing = append(missing, fmt.Errorf("missing %s", f.name))
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return fmt.Errorf("%w: %w", ErrIncomplete, errors.Join(missing...))
}
