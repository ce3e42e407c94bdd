package vendorsim

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"
)

// The states of a tenant.
const (
	StateActive    = "active"
	StateSuspended = "suspended"
	StateDeleted   = "deleted"
)

// The statuses that the simulator gives a tenant by itself; see the package comment for others.
const (
	StatusReady      = "ready"
	StatusProcessing = "processing"
)

// A Tenant is what the vendor keeps for one subscription.
type Tenant struct {
	ID         string         `json:"tenantId"`
	Status     string         `json:"status"` // of its provisioning; empty is ready
	State      string         `json:"state"`  // empty is active
	ExternalID string         `json:"externalId"`
	RequestID  string         `json:"requestId"` // of the last POST or PUT
	Product    Product        `json:"product"`
	Items      []Item         `json:"items"`
	Customer   Customer       `json:"customer"`
	Parameters map[string]any `json:"parameters"`
	// Body is that of the last POST or PUT, where Options.Lenient is set.
	Body    json.RawMessage `json:"body,omitempty"`
	Created time.Time       `json:"created"`
	// ReadyAt is when the last provisioning or update ends or ended.
	ReadyAt time.Time `json:"-"`
}

// A Product is what was bought.
type Product struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// A Customer is who bought it.
type Customer struct {
	ID         string `json:"id"`
	ExternalID string `json:"externalId"`
	Name       string `json:"name"`
	Email      string `json:"email"`
}

// An Item is one limit of a tenant.
type Item struct {
	ID          string   `json:"id"`
	MPN         string   `json:"mpn"`
	Quantity    Quantity `json:"quantity"`
	OldQuantity Quantity `json:"oldQuantity"`
}

// Unlimited is the Quantity without a limit.
const Unlimited Quantity = "unlimited"

// A Quantity is a decimal number as it was sent ("10", "2.5"), or Unlimited; empty is 0.
type Quantity string

// MarshalJSON writes a JSON number, or "unlimited".
func (q Quantity) MarshalJSON() ([]byte, error) {
	switch q {
	case Unlimited:
		return json.Marshal(string(q))
	case "":
		return []byte("0"), nil
	}
	return json.Marshal(json.Number(q))
}

// errRule marks a body that can be read but not accepted.
var errRule = errors.New("not accepted")

// UnmarshalJSON takes a JSON number of 0 or more, or "unlimited", and nothing else: a number in quotes is a fault of the
// caller that the simulator is there to find.
func (q *Quantity) UnmarshalJSON(data []byte) error {
	if string(data) == `"unlimited"` {
		*q = Unlimited
		return nil
	}
	if c := data[0]; c < '0' || c > '9' {
		return fmt.Errorf(`%w: quantity %s is neither a number of 0 or more nor "unlimited"`, errRule, data)
	}
	*q = Quantity(bytes.TrimSpace(data))
	return nil
}

// clone returns a copy that shares nothing that is ever written to. Items and Parameters are replaced, never changed, but
// a caller of Tenants may do as it likes with its copy.
func (t Tenant) clone() Tenant {
	t.Items = slices.Clone(t.Items)
	t.Parameters = maps.Clone(t.Parameters)
	return t
}
