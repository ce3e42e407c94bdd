package fulfillment

import (
	"slices"
	"time"
)

// Decision is what a type service answers. There is no default: a handler that
// answers nothing has not decided.
type Decision string

// The decisions. Approve, Fail and Inquire are acts of the committer; Wait and
// Hold leave the request pending in Connect; Recheck asks the committer to
// close the episode by what Connect says, since the request was found not to be
// pending any more.
const (
	Approve Decision = "approve"
	Fail    Decision = "fail"
	Inquire Decision = "inquire"
	Wait    Decision = "wait"
	Hold    Decision = "hold"
	Recheck Decision = "recheck"
)

// Final reports whether d ends the type service's work on the episode.
func (d Decision) Final() bool {
	switch d {
	case Approve, Fail, Inquire, Recheck:
		return true
	case Wait, Hold:
	}
	return false
}

// Param is a parameter value to save in Connect. ValueError, where it is not
// nil, replaces the error shown to the customer; "" clears it.
type Param struct {
	ID         string  `json:"id"`
	Value      *string `json:"value,omitempty"`
	ValueError *string `json:"value_error,omitempty"`
}

// Template is what the customer is told on approval or inquiry: the first field
// that is set counts; none is the product's default.
type Template struct {
	ID   string `json:"id,omitempty"`   // TL-…
	Name string `json:"name,omitempty"` // looked up in the product, in the scope of the request
	Tile string `json:"tile,omitempty"` // Markdown
}

// Merge is base with what over says of the same parameters, and more.
func Merge(base, over []Param) []Param {
	out := append([]Param(nil), base...)
	for _, p := range over {
		i := slices.IndexFunc(out, func(o Param) bool { return o.ID == p.ID })
		if i < 0 {
			out = append(out, p)
			continue
		}
		if p.Value != nil {
			out[i].Value = p.Value
		}
		if p.ValueError != nil {
			out[i].ValueError = p.ValueError
		}
	}
	return out
}

// Result is the body of a message in StreamResults: what a type service
// decided in one episode of a request. An episode has at most two: one with
// Decision Wait, that saves what is known so far, and the final one, which
// repeats its parameters.
type Result struct {
	RequestID string    `json:"request_id"`
	AssetID   string    `json:"asset_id"`
	ProductID string    `json:"product_id"`
	Type      Type      `json:"type"`
	Episode   uint64    `json:"episode"`
	Attempt   int       `json:"attempt"`
	Decision  Decision  `json:"decision"`
	Reason    string    `json:"reason"`
	Params    []Param   `json:"params,omitempty"`
	Time      time.Time `json:"time"`
	// IfRefused says what becomes of the request if Connect refuses its
	// parameters for good, or a required fulfillment parameter is left empty:
	// Fail, which "" is too, or Hold.
	IfRefused Decision `json:"if_refused,omitempty"`
	// Template is what the customer is told; none is the product's default.
	Template Template `json:"template,omitzero"`
	// Replay is the round of a request that is carried out again although it was
	// approved; 0 is none.
	Replay int `json:"replay,omitempty"`
}

// Key names the request of r.
func (r *Result) Key() Key {
	return Key{Type: r.Type, Product: r.ProductID, Asset: r.AssetID, Request: r.RequestID}
}

// IntentState says what is known of an unsafe vendor call.
type IntentState string

// The states of an intent. IntentCalling is stored before the call: until a
// result or IntentNotDone follows, the call may have taken effect.
const (
	IntentCalling IntentState = "calling"
	IntentNotDone IntentState = "not-done"
)

// Intent is the body of a message below RootIntents: proof that a vendor call
// that is unsafe to repeat was about to be made.
type Intent struct {
	RequestID      string      `json:"request_id"`
	AssetID        string      `json:"asset_id"`
	ProductID      string      `json:"product_id"`
	Type           Type        `json:"type"`
	Episode        uint64      `json:"episode"`
	Attempt        int         `json:"attempt"`
	State          IntentState `json:"state"`
	IdempotencyKey string      `json:"idempotency_key"`
	// Idempotent says that the vendor honours the key: then a call of unknown
	// outcome may be repeated.
	Idempotent bool `json:"idempotent,omitempty"`
	// Lookup says that the vendor can be asked whether the call took effect.
	Lookup bool   `json:"lookup,omitempty"`
	Reason string `json:"reason,omitempty"`
	// Time is when the call was begun or, with IntentNotDone, when that was known.
	Time time.Time `json:"time"`
}

// EventBody is the body of a message in StreamEvents: one fact about a request.
// Status is Connect's own word for the request at that time.
type EventBody struct {
	RequestID string    `json:"request_id"`
	AssetID   string    `json:"asset_id"`
	ProductID string    `json:"product_id"`
	Type      Type      `json:"type"`
	Event     Event     `json:"event"`
	Episode   uint64    `json:"episode"`
	Status    string    `json:"status"`
	Reason    string    `json:"reason"`
	Time      time.Time `json:"time"`
	// Stage and Letter go with EventHeld and EventDead: where it stopped, and the
	// sequence of the dead letter in StreamDead.
	Stage  Stage  `json:"stage,omitempty"`
	Letter uint64 `json:"letter,omitempty"`
	// Subscription, or Configuration of a tier configuration's request, is what
	// the request is about; the accounts are those of the sale. They are nil where
	// nobody could tell, and in events of before they were told.
	Subscription  *Subscription  `json:"subscription,omitempty"`
	Configuration *Configuration `json:"configuration,omitempty"`
	Customer      *Account       `json:"customer,omitempty"`
	Tier1         *Account       `json:"tier1,omitempty"`
	Tier2         *Account       `json:"tier2,omitempty"`
}

// Letter is the body of a message in StreamDead: something that cannot go on
// by itself, with everything needed to understand it and to send it again.
type Letter struct {
	RequestID string              `json:"request_id"`
	AssetID   string              `json:"asset_id"`
	ProductID string              `json:"product_id"`
	Type      Type                `json:"type"`
	Stage     Stage               `json:"stage"`
	Reason    string              `json:"reason"`
	Episode   uint64              `json:"episode"`
	Attempts  int                 `json:"attempts"`
	Time      time.Time           `json:"time"`
	Stream    string              `json:"stream"`
	Sequence  uint64              `json:"sequence"`
	Subject   string              `json:"subject"`
	Headers   map[string][]string `json:"headers,omitempty"`
	// Body is the original message's body, base64 in JSON.
	Body []byte `json:"body"`
	// Digest tells messages apart that never were in a stream (a row of
	// Connect's list): the SHA-256 of Body, hexadecimal. Else it is empty.
	Digest string `json:"digest,omitempty"`
	// Audit is set on what is no letter, but the record of what was done to one.
	Audit *Deed `json:"audit,omitempty"`
}

// Stands reports whether nothing came after the letter: one about a result is
// overtaken by a later final result, one about a request by any, and by a
// retry. Head is the sequence of the asset's head, decided that of the final
// result of the head's episode, 0 if there is none.
func (l *Letter) Stands(head, decided uint64) bool {
	if l.Stream == StreamResults {
		return l.Sequence >= decided
	}
	return decided == 0 && l.Sequence >= head
}

// Key names the request of l as far as it is known.
func (l *Letter) Key() Key {
	return Key{Type: l.Type, Product: l.ProductID, Asset: l.AssetID, Request: l.RequestID}
}
