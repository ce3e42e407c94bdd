package profile

import (
	"context"
	"errors"
	"fmt"

	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/processor"
	"github.com/headrace/headrace/pkg/vendorapi"
)

// vendor makes the calls of one profile. Where the profile leaves a type out,
// it is the tenant API that is called, at the profile's endpoint.
type vendor struct {
	api         *vendorapi.Client
	plans       map[fulfillment.Type]*plan
	tenantParam string
	standard    processor.Vendor
	assumed     bool // answers are not looked at: all goes well
	masked      bool // passwords are shown as such
}

// Create makes the call of a purchase.
func (v *vendor) Create(ctx context.Context, w *processor.Work) (processor.Answer, error) {
	p := v.planOf(w)
	if p == nil {
		return v.standard.Create(ctx, w)
	}
	t := v.turn(w, p, "")
	if err := t.send(ctx, p.call, w.IdempotencyKey()); err != nil {
		return processor.Answer{}, err
	}
	tenant, err := t.tenant()
	if err != nil {
		return t.strange(err), nil
	}
	if tenant == "" {
		return processor.Answer{State: processor.Rejected, Reason: "the vendor answered without a tenant id"}, nil
	}
	t.found(v.tenantParam, tenant)
	if done, over := t.settle(p.call); over {
		return done, nil
	}
	if len(p.then) > 0 || p.status != nil {
		return processor.Answer{State: processor.Unfinished, Status: "created", Params: t.params}, nil
	}
	return t.state(), nil
}

// Continue makes what calls of a purchase are left, once, and asks how the
// tenant is doing.
func (v *vendor) Continue(ctx context.Context, w *processor.Work, tenant string) (processor.Answer, error) {
	p := v.planOf(w)
	if p == nil {
		return v.standard.Continue(ctx, w, tenant)
	}
	if w.Key.Type != fulfillment.Purchase && p.status == nil {
		return v.Call(ctx, w, tenant)
	}
	t := v.turn(w, p, tenant)
	if w.Key.Type == fulfillment.Purchase && w.Polls() == 0 {
		if done, over, err := t.then(ctx); over || err != nil {
			return done, err
		}
	}
	if p.status != nil {
		return t.ask(ctx)
	}
	if t.calls == 0 {
		return t.unasked(), nil
	}
	return t.state(), nil
}

// unasked is for a tenant that was created before, where there is no call to
// ask how it is doing. It may have been held for not being ready.
func (t *turn) unasked() processor.Answer {
	return t.strange(errors.New("the tenant " + t.order.Tenant + " exists already, and the profile has no status call to ask " +
		"how it is doing: look at it, and if all is well, redrive the request with --outcome done"))
}

// Call makes the calls of any other type.
func (v *vendor) Call(ctx context.Context, w *processor.Work, tenant string) (processor.Answer, error) {
	p := v.planOf(w)
	if p == nil {
		return v.standard.Call(ctx, w, tenant)
	}
	if w.Tier != nil && w.Waited && p.status != nil {
		return v.Continue(ctx, w, tenant)
	}
	a, err := v.carryOut(ctx, v.turn(w, p, tenant))
	if a.State == processor.Strange { // saved, they would pass for a call that was taken
		a.Params = nil
	}
	return a, err
}

func (v *vendor) carryOut(ctx context.Context, t *turn) (processor.Answer, error) {
	w, p := t.work, t.plan
	if err := t.send(ctx, p.call, w.IdempotencyKey()); err != nil {
		return processor.Answer{}, err
	}
	if t.gone {
		return processor.Answer{State: processor.Ready, Params: t.params}, nil
	}
	if done, over := t.settle(p.call); over {
		return done, nil
	}
	if done, over, err := t.then(ctx); over || err != nil {
		return done, err
	}
	if p.status != nil {
		return t.ask(ctx)
	}
	return t.state(), nil
}

func (v *vendor) planOf(w *processor.Work) *plan {
	if p := v.plans[w.Key.Type]; p != nil && p.call != nil {
		return p
	}
	return nil
}

// turn is what one attempt has learnt so far.
type turn struct {
	vendor *vendor
	work   *processor.Work
	plan   *plan
	order  Order
	answer any
	known  map[string]string // what is about to be saved, by parameter
	params []fulfillment.Param
	calls  int
	gone   bool // the last call was answered 404, and that is as good
}

func (v *vendor) turn(w *processor.Work, p *plan, tenant string) *turn {
	t := &turn{vendor: v, work: w, plan: p, known: map[string]string{}}
	t.order = orderOf(w, t.known)
	if t.order.Tenant = tenant; tenant != "" && w.Key.Type == fulfillment.Purchase {
		t.found(v.tenantParam, tenant)
	}
	return t
}

func (t *turn) reply() Reply { return Reply{Order: t.order, Answer: t.answer} }

// found has a parameter saved.
func (t *turn) found(param, value string) {
	if t.vendor.masked && value != "" && isPassword(t.work, param) {
		value = masked
	}
	t.known[param], t.order.Params[param] = value, value
	if param == t.vendor.tenantParam {
		t.order.Tenant = value
	}
	t.params = append(t.params, processor.Value(param, value))
}

func (t *turn) tenant() (string, error) {
	if t.vendor.assumed {
		return TriedTenant, nil
	}
	if t.plan.tenant != nil {
		return t.plan.tenant.text(t.reply())
	}
	if m, ok := t.answer.(map[string]any); ok {
		return written(m["tenantId"])
	}
	return "", nil
}

// then makes the calls that follow; over says that the turn ended with them.
func (t *turn) then(ctx context.Context) (a processor.Answer, over bool, err error) {
	for i, r := range t.plan.then {
		// Another call is another key: a vendor may compare what comes with one.
		if err := t.send(ctx, r, fmt.Sprintf("%s-%d", t.work.IdempotencyKey(), i+2)); err != nil {
			return processor.Answer{}, true, err
		}
		if done, over := t.settle(r); over {
			return done, true, nil
		}
	}
	return processor.Answer{}, false, nil
}

// ask asks how the tenant is doing. What the answer must contain is looked for
// once it is ready.
func (t *turn) ask(ctx context.Context) (processor.Answer, error) {
	if err := t.send(ctx, t.plan.status, ""); err != nil {
		return processor.Answer{}, err
	}
	if t.gone {
		return processor.Answer{State: processor.Ready, Params: t.params}, nil
	}
	a := t.state()
	if a.State == processor.Ready {
		if done, over := t.settle(t.plan.status); over {
			return done, nil
		}
		a.Params = t.params
	}
	return a, nil
}

// strange is for a person, who reads why.
func (t *turn) strange(err error) processor.Answer {
	return processor.Answer{State: processor.Strange, Reason: err.Error(), Params: t.params}
}
