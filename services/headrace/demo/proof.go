package demo

import (
	"fmt"

	"github.com/headrace/headrace/pkg/connectsim"
	"github.com/headrace/headrace/pkg/vendorsim"
)

// proof is the state of both simulators at one moment, by which the orders are
// judged.
type proof struct {
	ledger   *ledger
	statuses map[string]string
	requests map[string]connectsim.Request
	tiers    map[string]connectsim.TierRequest
	tenants  map[string][]vendorsim.Tenant // by asset
	effects  map[string][]vendorsim.Op     // by request
}

func (w *world) proof() *proof {
	p := &proof{
		ledger: w.ledger, statuses: w.connect.Statuses(),
		requests: map[string]connectsim.Request{}, tiers: map[string]connectsim.TierRequest{},
		tenants: map[string][]vendorsim.Tenant{}, effects: map[string][]vendorsim.Op{},
	}
	for _, r := range w.connect.Requests() {
		p.requests[r.ID] = r
	}
	for _, r := range w.connect.TierRequests() {
		p.tiers[r.ID] = r
	}
	for _, t := range w.vendor.Tenants() {
		p.tenants[t.ExternalID] = append(p.tenants[t.ExternalID], t)
	}
	for _, op := range w.vendor.Operations() {
		p.effects[op.IdempotencyKey] = append(p.effects[op.IdempotencyKey], op)
	}
	return p
}

// judge says how the order came out otherwise than it should; "" if it came out
// so. It is of no use for an order that is not finished.
func (p *proof) judge(o order) string {
	status, reason := p.requests[o.id].Status, p.requests[o.id].Reason
	if o.tier() {
		status, reason = p.tiers[o.id].Status, p.tiers[o.id].Reason
	}
	if want := o.want.status(); status != want || reason != o.reason {
		return fmt.Sprintf("%s, reason %q", status, reason)
	}
	if n := p.ledger.count(o.id, "inquire"); n != 1 && o.want == inquired || n != 0 && o.want != inquired {
		return fmt.Sprintf("%s, after %d inquiries", status, n)
	}
	if n := p.ledger.count(o.id, "*"); n != 0 && o.want == forPerson {
		return fmt.Sprintf("%s, but written to %d times", status, n)
	}
	if n := len(p.effects[o.id]); n != o.effects() {
		return fmt.Sprintf("%s, with %d effects at the vendor instead of %d", status, n, o.effects())
	}
	if o.effects() == 0 {
		return ""
	}
	return p.tenant(o)
}

// status is what Connect has the request in that came out so.
func (o outcome) status() string {
	switch o {
	case rejected, lostTenant:
		return "failed"
	case forPerson:
		return "pending"
	case approved, inquired, afterTier, slowTenant:
	}
	return "approved"
}

// effects is how many calls take effect at the vendor.
func (o order) effects() int {
	if o.tier() || o.want == rejected || o.want == forPerson {
		return 0
	}
	return 1
}

// tenant says what is wrong with the one tenant that the asset must have.
func (p *proof) tenant(o order) string {
	r, op := p.requests[o.id], p.effects[o.id][0]
	if n := len(p.tenants[o.asset]); n != 1 {
		return fmt.Sprintf("%s, with %d tenants", r.Status, n)
	}
	t := p.tenants[o.asset][0]
	if r.Params[paramTenant] != t.ID {
		return fmt.Sprintf("%s, with tenant %q instead of %s", r.Status, r.Params[paramTenant], t.ID)
	}
	kind, state := effectOf(o.kind)
	if op.Kind != kind || op.TenantID != t.ID || t.State != state {
		return fmt.Sprintf("%s, after %s of tenant %s, which is %s", r.Status, op.Kind, op.TenantID, t.State)
	}
	switch {
	case o.want == slowTenant && r.Updated.Before(t.ReadyAt):
		return "approved before the tenant was ready"
	case o.want == afterTier:
		if set, ok := p.ledger.first(o.after, "approve"); !ok || op.Start.Before(set) {
			return "carried out before its reseller was set up"
		}
	}
	return ""
}

// effectOf is what the vendor does for a type of request, and the state that
// the tenant has afterwards.
func effectOf(kind string) (effect, state string) {
	switch kind {
	case "change":
		return vendorsim.Update, vendorsim.StateActive
	case "cancel":
		return vendorsim.Delete, vendorsim.StateDeleted
	case "suspend":
		return vendorsim.Disable, vendorsim.StateSuspended
	case "resume":
		return vendorsim.Enable, vendorsim.StateActive
	}
	return vendorsim.Create, vendorsim.StateActive
}
