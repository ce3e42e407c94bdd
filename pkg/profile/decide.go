package profile

import (
	"errors"
	"fmt"
	"slices"

	"github.com/headrace/headrace/pkg/connect"
	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/processor"
)

// validate looks at a request before the vendor is called: first at quantities,
// then at what the customer can correct, all of it at once, then at what is
// refused, whose expressions may rely on that. What is approved with parameters
// to save is decided here, too.
func (e *entry) validate(w *processor.Work) (processor.Verdict, bool) {
	o := orderOf(w, nil)
	if v, stop := e.limited(w); stop {
		return v, true
	}
	if v, stop := e.inquire(w, o); stop {
		return v, true
	}
	for _, r := range e.refusals {
		if !slices.Contains(r.types, string(w.Key.Type)) {
			continue
		}
		holds, err := r.when.holds(o, false)
		if err != nil {
			return processor.Hold(err.Error()), true
		}
		if holds {
			return processor.Fail(r.reason), true
		}
	}
	return e.saved(w, o)
}

// saved approves what is approved without a call, where parameters are to be
// saved with that.
func (e *entry) saved(w *processor.Work, o Order) (processor.Verdict, bool) {
	p := e.plans[w.Key.Type]
	if p == nil || len(p.save) == 0 {
		return processor.Verdict{}, false
	}
	v := processor.Approve()
	v.Reason = "the profile approves requests of type " + string(w.Key.Type) + " without a call"
	for _, s := range p.save {
		value, err := s.value.text(o)
		if err != nil {
			return processor.Hold(err.Error()), true
		}
		if value != "" {
			v.Params = append(v.Params, processor.Value(s.param, value))
		}
	}
	return v, true
}

func (e *entry) limited(w *processor.Work) (processor.Verdict, bool) {
	if w.Request == nil || !customerFills(w.Key.Type) {
		return processor.Verdict{}, false
	}
	for _, b := range e.bounds {
		for n := range w.Request.Asset.Items {
			i := &w.Request.Asset.Items[n]
			before := i.OldQuantity
			if w.Key.Type == fulfillment.Purchase {
				before = connect.Quantity{}
			}
			if reason := b.broken(i, before); reason != "" {
				return processor.Fail(reason), true
			}
		}
	}
	return processor.Verdict{}, false
}

func (e *entry) inquire(w *processor.Work, o Order) (processor.Verdict, bool) {
	v, _ := processor.Required(w)
	wrong := v.Params
	for _, c := range e.checks {
		told := slices.ContainsFunc(wrong, func(p fulfillment.Param) bool { return p.ID == c.param })
		if told || c.scope != scopeOf(w) || !customerFills(w.Key.Type) {
			continue
		}
		sentence, err := c.wrong(w, o)
		if err != nil {
			return processor.Hold(err.Error()), true
		}
		if sentence == "" {
			continue
		}
		if why := unanswerable(paramOf(w, c.param)); why != "" {
			return processor.Hold(fmt.Sprintf("the profile does not accept the parameter %s (%s), and the customer cannot correct it: it %s",
				c.param, sentence, why)), true
		}
		wrong = append(wrong, processor.Wrong(c.param, sentence))
	}
	if len(wrong) == 0 {
		return processor.Verdict{}, false
	}
	reason := "ordering parameters must be corrected:"
	for i, p := range wrong {
		if i > 0 {
			reason += ","
		}
		reason += " " + p.ID
	}
	return processor.Inquire(reason, wrong...), true
}

// rejection makes of a vendor's rejection what the profile says.
func (e *entry) rejection(w *processor.Work, v processor.Verdict) processor.Verdict {
	p := e.plans[w.Key.Type]
	if p == nil {
		return v
	}
	switch p.reject.Decision.Value {
	case string(fulfillment.Hold):
		v.Decision = fulfillment.Hold
	case string(fulfillment.Inquire):
		id := p.reject.Param.Value
		param := paramOf(w, id)
		if param == nil {
			return processor.Hold("the vendor rejected the request, which has no parameter " + id + " to ask about: " + v.Reason)
		}
		if why := unanswerable(param); why != "" {
			return processor.Hold("the vendor rejected the request, and the customer cannot correct the parameter " + id + ", which " + why + ": " + v.Reason)
		}
		sentence := []rune(v.Reason)
		v.Decision = fulfillment.Inquire
		v.Params = append(v.Params, processor.Wrong(id, string(sentence[:min(len(sentence), maxValueError)])))
	}
	return v
}

// approval chooses what the customer is told of an approval.
func (e *entry) approval(w *processor.Work, v processor.Verdict) (fulfillment.Template, error) {
	if w.Tier != nil {
		return e.tierApprove.choose(w, v)
	}
	return e.approve.choose(w, v)
}

// inquiry chooses what the customer is told of an inquiry.
func (e *entry) inquiry(w *processor.Work, v processor.Verdict) (fulfillment.Template, error) {
	if w.Tier != nil { // Connect takes no template with a reseller's inquiry
		return fulfillment.Template{}, nil
	}
	return e.ask.choose(w, v)
}

// telling is a template that was compiled. A nil one is the product's default.
type telling struct {
	template
	tile *expression
}

// telling checks a template. Only an approval of a subscription's request can
// have a tile: Connect takes none with the others.
func (f *faults) telling(t *template, tile bool) *telling {
	if t == nil {
		return nil
	}
	if t.Tile.given() && !tile {
		f.add(t.Tile.At, "is for approve; name a template here, with id, name or param")
	}
	n := 0
	for _, one := range []text{t.ID, t.Name, t.Param, t.Tile} {
		if one.given() {
			n++
		}
	}
	if n != 1 {
		f.add(t.At, "needs one of id, name, param and tile")
	}
	return &telling{*t, f.compile(t.Tile, kind{})}
}

var errNoTemplate = errors.New("is empty, so that it is not known what to tell the customer")

func (t *telling) choose(w *processor.Work, v processor.Verdict) (fulfillment.Template, error) {
	if t == nil {
		return fulfillment.Template{}, nil
	}
	saved := map[string]string{}
	for _, p := range v.Params {
		if p.Value != nil {
			saved[p.ID] = *p.Value
		}
	}
	o := orderOf(w, saved)
	if w.Profile != nil && saved[w.Profile.TenantParam] != "" {
		o.Tenant = saved[w.Profile.TenantParam]
	}
	chosen := fulfillment.Template{ID: t.ID.Value, Name: t.Name.Value}
	var err error
	if t.Param.given() {
		if chosen.ID = o.Config(t.Param.Value); chosen.ID == "" {
			return chosen, fmt.Errorf("the configuration parameter %s %w", t.Param.Value, errNoTemplate)
		}
	}
	if t.Tile.given() {
		if chosen.Tile, err = t.tile.text(o); err == nil && chosen.Tile == "" {
			err = fmt.Errorf("%s: %w", t.tile.where, errNoTemplate)
		}
	}
	return chosen, err
}
