package profile

import (
	"maps"
	"slices"
	"strings"

	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/processor"
)

// plan is an operation that was checked.
type plan struct {
	policy  processor.Policy // "" is the type's own
	save    []saving         // where it is approved without a call
	call    *request
	then    []*request
	status  *request
	search  *searching
	tenant  *expression
	ready   *expression
	pending *expression
	failed  *expression
	reason  *expression
	reject  rejected
}

// request is a call that was checked.
type request struct {
	method   string
	path     path
	body     *expression
	headers  map[string]*expression
	requires []*expression
	save     []saving
	goneOK   bool
}

type saving struct {
	param string
	value *expression
}

// operations are the types' keys in the file.
func (p *product) operations() map[fulfillment.Type]*operation {
	return map[fulfillment.Type]*operation{
		fulfillment.Purchase: p.Purchase, fulfillment.Change: p.Change, fulfillment.Cancel: p.Cancel,
		fulfillment.Suspend: p.Suspend, fulfillment.Resume: p.Resume, fulfillment.Adjustment: p.Adjustment,
		fulfillment.Renew: p.Renew, fulfillment.Transfer: p.Transfer, fulfillment.TierSetup: p.TierSetup,
		fulfillment.TierUpdate: p.TierUpdate, fulfillment.TierAdjustment: p.TierAdjust,
	}
}

func (f *faults) plan(t fulfillment.Type, o *operation) *plan {
	after := kind{answer: true}
	whether := kind{answer: true, condition: true}
	p := &plan{
		policy: processor.Policy(o.Policy.Value), save: f.savings(o.Save, kind{}),
		tenant: f.compile(o.Tenant, after), reason: f.compile(o.Reason, after),
		ready: f.compile(o.Ready, whether), pending: f.compile(o.Pending, whether), failed: f.compile(o.Failed, whether),
	}
	if o.Call != nil {
		p.call = f.request(o.Call, t == fulfillment.Cancel)
	}
	for i := range o.Then {
		p.then = append(p.then, f.request(&o.Then[i], t == fulfillment.Cancel))
	}
	if o.Status != nil {
		p.status = f.request(o.Status, t == fulfillment.Cancel)
	}
	if o.Lookup != nil {
		p.search = f.searching(o.Lookup)
		f.findable(t, o)
	}
	if o.Rejected != nil {
		p.reject = *o.Rejected
	}
	f.coherent(t, o)
	if p.policy == "" && p.call != nil {
		p.policy = processor.PolicyCall
	}
	return p
}

// policy is what is done in the end.
func (o *operation) policy(byDefault processor.Policy) processor.Policy {
	switch {
	case o.Policy.given():
		return processor.Policy(o.Policy.Value)
	case o.Call != nil:
		return processor.PolicyCall
	}
	return byDefault
}

// coherent tells what does not go together in an operation.
func (f *faults) coherent(t fulfillment.Type, o *operation) {
	byDefault := (&processor.Profile{}).Policy(t)
	noCall := byDefault != processor.PolicyCall
	if len(o.Save) > 0 && o.policy(byDefault) != processor.PolicyApprove {
		f.add(o.At, "has save, which is for policy approve; put it below the call whose answer it is from")
	}
	switch policy := processor.Policy(o.Policy.Value); {
	case (policy == processor.PolicyApprove || policy == processor.PolicyHold) && o.Call != nil:
		f.add(o.Policy.At, "is %s, so that call is never made; remove one of them", policy)
	case policy == processor.PolicyCall && o.Call == nil && noCall:
		f.add(o.At, "lacks call; there is none for this type without a profile")
	case o.Call == nil && (len(o.Then) > 0 || o.Status != nil || o.Ready.given() || o.Pending.given() || o.Failed.given()):
		f.add(o.At, "lacks call; what else is here belongs to it")
	}
	if o.Pending.given() && o.Status == nil {
		f.add(o.Pending.At, "needs status; else nobody could ask again")
	}
	if t == fulfillment.Purchase && o.Call != nil && o.Call.NotFound.Value == "done" {
		f.add(o.Call.NotFound.At, "is done, but there is no tenant then; remove it")
	}
	if o.Tenant.given() && t != fulfillment.Purchase {
		f.add(o.Tenant.At, "is for purchase; other requests have it from the parameter")
	}
	if o.Reason.given() && !o.Failed.given() {
		f.add(o.Reason.At, "needs failed; it says why that is so")
	}
	if r := o.Rejected; r != nil {
		switch inquire := r.Decision.Value == string(fulfillment.Inquire); {
		case inquire && !r.Param.given():
			f.add(r.At, "lacks param; an inquiry marks a parameter as wrong")
		case !inquire && r.Param.given():
			f.add(r.Param.At, "is for decision inquire")
		}
	}
}

func (f *faults) request(c *call, goneOK bool) *request {
	r := &request{
		method: c.Method.Value, path: f.compilePath(c.Path), body: f.compile(c.Body, kind{}),
		headers: map[string]*expression{}, save: f.savings(c.Save, kind{answer: true}), goneOK: goneOK,
	}
	if c.NotFound.given() {
		r.goneOK = c.NotFound.Value == "done"
	}
	for _, name := range slices.Sorted(maps.Keys(c.Headers)) {
		f.headerName(name, c.Headers[name].At)
		if ours := []string{"authorization", "idempotency-key", "content-type", "host"}; slices.Contains(ours, strings.ToLower(name)) {
			f.add(c.Headers[name].At, "is set by Headrace itself; credentials belong to vendor.auth")
		}
		r.headers[name] = f.compile(c.Headers[name], kind{})
	}
	for _, t := range c.Requires {
		r.requires = append(r.requires, f.compile(t, kind{answer: true}))
	}
	return r
}

func (f *faults) savings(save map[string]text, k kind) []saving {
	var all []saving
	for _, param := range slices.Sorted(maps.Keys(save)) {
		all = append(all, saving{param, f.compile(save[param], k)})
	}
	return all
}
