package vendorapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
)

// A Tenant is what the vendor says about one.
type Tenant struct {
	ID     string // tenantId; empty where the answer has none
	Status string // as sent; empty where the answer has none
}

// A State is what a status means.
type State int

// The states.
const (
	Strange State = iota // a status that is not known
	Ready                // done
	Pending              // being provisioned: ask again
	Failed               // will never be ready
)

// State classifies the status.
func (t Tenant) State() State {
	switch t.Status {
	case "", "ready", "active":
		return Ready
	case "processing", "pending", "provisioning":
		return Pending
	case "failed", "error":
		return Failed
	}
	return Strange
}

var errNotObject = errors.New("not a JSON object")

// decodeTenant reads an answer. A tenant that comes with an error is empty.
func decodeTenant(body []byte) (Tenant, error) {
	var wire map[string]json.RawMessage
	if err := json.Unmarshal(body, &wire); err != nil || wire == nil {
		return Tenant{}, errNotObject
	}
	t := Tenant{Status: scalar(wire["status"])}
	if id := bytes.TrimSpace(wire["tenantId"]); len(id) > 0 && (id[0] == '"' || id[0] == '-' || id[0] >= '0' && id[0] <= '9') {
		t.ID = scalar(id)
	}
	return t, nil
}

// scalar is a string's content, nothing for null, and any other value as it was sent: a status of an odd kind must not
// pass for a missing one.
func scalar(raw json.RawMessage) string {
	raw = bytes.TrimSpace(raw)
	var s string
	if len(raw) == 0 || json.Unmarshal(raw, &s) == nil {
		return s
	}
	return string(raw)
}

// messageOf finds the vendor's words in the body of a refusal.
func messageOf(body []byte) string {
	var wire map[string]json.RawMessage
	if json.Unmarshal(body, &wire) == nil {
		for _, name := range []string{"message", "error", "detail"} {
			if s := words(wire[name]); s != "" {
				return s
			}
		}
	}
	return excerpt(body)
}

// words is a string's content, or the message inside of an object.
func words(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return strings.TrimSpace(valid(s))
	}
	var inner struct {
		Message string `json:"message"`
	}
	_ = json.Unmarshal(raw, &inner) // nothing in it is as good as nothing there
	return strings.TrimSpace(valid(inner.Message))
}

// excerpt is the first 500 characters.
func excerpt(body []byte) string {
	const most = 500
	runes := []rune(strings.TrimSpace(valid(string(body[:min(len(body), 8*most)]))))
	return string(runes[:min(len(runes), most)])
}

func valid(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }
