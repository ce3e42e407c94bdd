package processor

import (
	"github.com/headrace/headrace/pkg/connect"
	"github.com/headrace/headrace/pkg/fulfillment"
)

// requiredMessage is what the customer reads beside a field left empty.
const requiredMessage = "This field is required."

// Required inquires for required ordering parameters that are empty. Only the
// types with which a customer fills them in are checked, and only parameters
// that the customer sees.
func Required(w *Work) (Verdict, bool) {
	switch w.Key.Type {
	case fulfillment.Purchase, fulfillment.Change, fulfillment.TierSetup, fulfillment.TierUpdate:
	default:
		return Verdict{}, false
	}
	var wrong []fulfillment.Param
	for _, p := range w.Params() {
		c := p.Constraints
		if p.Phase == connect.PhaseOrdering && c.Required && !c.Hidden && !c.Readonly && p.Empty() {
			wrong = append(wrong, Wrong(p.ID, requiredMessage))
		}
	}
	if len(wrong) == 0 {
		return Verdict{}, false
	}
	return Inquire("required ordering parameters are empty", wrong...), true
}
