package processor

import (
	"time"

	"github.com/headrace/headrace/pkg/fulfillment"
)

// Verdict is the answer of a type service. The zero Verdict is no answer: it is
// refused, as nothing is ever approved by default.
type Verdict struct {
	Decision fulfillment.Decision
	Reason   string
	Params   []fulfillment.Param
	// After is the pause before the request is looked at again, for Wait.
	After time.Duration
}

// Approve saves params and approves the request.
func Approve(params ...fulfillment.Param) Verdict {
	return Verdict{Decision: fulfillment.Approve, Params: params}
}

// Fail fails the request with a reason that the customer reads. It must not be
// empty: Connect refuses that.
func Fail(reason string) Verdict {
	return Verdict{Decision: fulfillment.Fail, Reason: reason}
}

// Wait saves params and looks at the request again after a pause that grows
// with its attempts.
func Wait(reason string, params ...fulfillment.Param) Verdict {
	return Verdict{Decision: fulfillment.Wait, Reason: reason, Params: params}
}

// Hold leaves the request to a person, who reads the reason.
func Hold(reason string) Verdict {
	return Verdict{Decision: fulfillment.Hold, Reason: reason}
}

// Value is a parameter with a value, and without an error.
func Value(id, value string) fulfillment.Param {
	none := ""
	return fulfillment.Param{ID: id, Value: &value, ValueError: &none}
}
