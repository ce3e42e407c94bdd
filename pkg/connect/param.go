package connect

import (
	"bytes"
	"encoding/json"
)

// The phases of a parameter: who fills it in.
const (
	PhaseOrdering      = "ordering"      // the customer, with the order
	PhaseFulfillment   = "fulfillment"   // the vendor, before approval
	PhaseConfiguration = "configuration" // set beforehand on the product, item or marketplace
)

// Param is a parameter of a subscription or a tier configuration, or, from
// ProductsService.Parameters, its definition.
type Param struct {
	// ID is chosen by the vendor, e.g. subscription_id. In a definition it is
	// Connect's own (PRM-…) and Name is the vendor's.
	ID    string `json:"id,omitempty"`
	Name  string `json:"name,omitempty"`
	Title string `json:"title,omitempty"`
	Type  string `json:"type,omitempty"`  // text, password, checkbox, object, …
	Phase string `json:"phase,omitempty"` // PhaseOrdering, …
	Scope string `json:"scope,omitempty"` // absent on parameters of an asset request
	// Value may be secret: a parameter of type password must not be logged.
	Value      string `json:"value" connect:"any"`
	ValueError string `json:"value_error,omitempty" connect:"any"`
	// StructuredValue is the value of address, checkbox, object and phone
	// parameters, as sent.
	StructuredValue json.RawMessage `json:"structured_value,omitempty"`
	Constraints     Constraints     `json:"constraints,omitzero"`
}

// Constraints are the rules of a parameter. A missing rule is false.
type Constraints struct {
	Required       bool `json:"required,omitempty"`
	Hidden         bool `json:"hidden,omitempty"`
	Readonly       bool `json:"readonly,omitempty"`
	Unique         bool `json:"unique,omitempty"`
	Reconciliation bool `json:"reconciliation,omitempty"`
}

// Empty reports whether p has neither a value nor a structured value; {}, [],
// "" and null are no structured value.
func (p *Param) Empty() bool {
	if p.Value != "" {
		return false
	}
	switch string(bytes.Join(bytes.Fields(p.StructuredValue), nil)) {
	case "", "null", `""`, "{}", "[]":
		return true
	}
	return false
}

// ParamUpdate is a change of one parameter. A nil field is left as it is.
type ParamUpdate struct {
	ID    string  `json:"id"`
	Value *string `json:"value,omitempty"` // at most 2048 characters
	// ValueError marks the value as wrong for the customer to correct (at most
	// 512 characters); "" clears the mark.
	ValueError *string `json:"value_error,omitempty"`
	// StructuredValue is sent only where it is set; text parameters need none.
	StructuredValue json.RawMessage `json:"structured_value,omitempty"`
}

// lastByID drops all but the last update of each parameter, as Connect does
// not say what it makes of an id given twice. The order is that of first
// appearance.
func lastByID(updates []ParamUpdate) []ParamUpdate {
	at := make(map[string]int, len(updates))
	out := make([]ParamUpdate, 0, len(updates))
	for _, u := range updates {
		if i, seen := at[u.ID]; seen {
			out[i] = u
			continue
		}
		at[u.ID] = len(out)
		out = append(out, u)
	}
	return out
}

func findParam(params []Param, id string) *Param {
	for i := range params {
		if params[i].ID == id {
			return &params[i]
		}
	}
	return nil
}

func emptyRequired(params []Param, phase string) []Param {
	var out []Param
	for i := range params {
		p := &params[i]
		if p.Phase == phase && p.Constraints.Required && p.Empty() {
			out = append(out, *p)
		}
	}
	return out
}
