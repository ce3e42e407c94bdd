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
	// Template is what the customer is told; none is the profile's choice.
	Template fulfillment.Template
	// Refused says that the vendor rejected the request's contents: a profile may
	// make of that something else than a failure.
	Refused bool
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

// Inquire marks params as wrong and asks the customer to correct them.
func Inquire(reason string, params ...fulfillment.Param) Verdict {
	return Verdict{Decision: fulfillment.Inquire, Reason: reason, Params: params}
}

// Wrong is a parameter with an error that the customer reads.
func Wrong(id, message string) fulfillment.Param {
	return fulfillment.Param{ID: id, ValueError: &message}
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
