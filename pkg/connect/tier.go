package connect

import "fmt"

// TierRequest is a tier configuration request: what a reseller's first sale of
// a product, or a change of its parameters, asks the vendor to do.
type TierRequest struct {
	ID                  string            `json:"id"`     // TCR-…
	Type                string            `json:"type"`   // setup, update, adjustment
	Status              string            `json:"status"` // StatusPending, …
	Environment         string            `json:"environment,omitempty"`
	Created             Time              `json:"created,omitzero"` // or the event of that name
	Updated             Time              `json:"updated,omitzero"` // or the event of that name
	Configuration       TierConfiguration `json:"configuration"`
	ParentConfiguration Ref               `json:"parent_configuration,omitzero"`
	PreviousApproved    Ref               `json:"previous_approved_request,omitzero"`
	Params              []Param           `json:"params,omitempty"`
	Tiers               Tiers             `json:"tiers,omitzero"`
	Assignee            User              `json:"assignee,omitzero"`
	Template            Ref               `json:"template,omitzero"`
	Reason              string            `json:"reason,omitempty"`
	Notes               string            `json:"notes,omitempty"`
	EffectiveDate       Time              `json:"effective_date,omitzero"`
	Events              Events            `json:"events,omitzero"`
}

// TierConfiguration is the setting of one reseller for one product.
type TierConfiguration struct {
	ID            string        `json:"id"` // TC-…
	Name          string        `json:"name,omitempty"`
	Status        string        `json:"status,omitempty"`     // processing, active
	TierLevel     int           `json:"tier_level,omitempty"` // 1 or 2
	Account       *Account      `json:"account,omitempty"`
	Product       Ref           `json:"product"`
	Connection    Connection    `json:"connection,omitzero"`
	Contract      Ref           `json:"contract,omitzero"`
	Marketplace   Ref           `json:"marketplace,omitzero"`
	Params        []Param       `json:"params,omitempty"`
	Template      Ref           `json:"template,omitzero"`
	OpenRequest   Ref           `json:"open_request,omitzero"`
	Configuration Configuration `json:"configuration,omitzero"`
}

// Events are the moments of an object.
type Events struct {
	Created  Moment `json:"created,omitzero"`
	Updated  Moment `json:"updated,omitzero"`
	Pended   Moment `json:"pended,omitzero"`
	Inquired Moment `json:"inquired,omitzero"`
}

// Moment is when something happened.
type Moment struct {
	At Time `json:"at,omitzero"`
}

// DecodeTierRequest decodes the body of a tier configuration request as
// DecodeRequest does that of a request. It requires id, type, status,
// configuration.id and configuration.product.id.
func DecodeTierRequest(data []byte) (*TierRequest, error) {
	r := new(TierRequest)
	if err := r.UnmarshalJSON(data); err != nil {
		return nil, fmt.Errorf("decode tier request: %w", err)
	}
	if err := r.check(); err != nil {
		return nil, fmt.Errorf("decode tier request: %w", err)
	}
	return r, nil
}

// UnmarshalJSON is DecodeTierRequest without the check for missing fields.
func (r *TierRequest) UnmarshalJSON(data []byte) error {
	*r = TierRequest{}
	type plain TierRequest
	err := decodeTolerant(data, (*plain)(r))
	r.Tiers.settle()
	if a := r.Configuration.Account; a != nil && *a == (Account{}) {
		r.Configuration.Account = nil
	}
	if r.Created.IsZero() {
		r.Created = r.Events.Created.At
	}
	if r.Updated.IsZero() {
		r.Updated = r.Events.Updated.At
	}
	return err
}

func (r *TierRequest) check() error {
	c := &r.Configuration
	return require(
		field{"id", r.ID}, field{"type", r.Type}, field{"status", r.Status},
		field{"configuration.id", c.ID}, field{"configuration.product.id", c.Product.ID},
	)
}

// Param returns the request's parameter with this id, or nil. The pointer is
// into r.
func (r *TierRequest) Param(id string) *Param { return findParam(r.Params, id) }

// EmptyRequired lists the request's parameters of phase that Connect demands
// and that have no value yet.
func (r *TierRequest) EmptyRequired(phase string) []Param { return emptyRequired(r.Params, phase) }
