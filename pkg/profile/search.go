package profile

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/processor"
	"github.com/headrace/headrace/pkg/vendorapi"
)

// searching is a lookup that was checked.
type searching struct {
	*request
	tenant *expression
}

func (f *faults) searching(s *search) *searching {
	r := f.request(&call{At: s.At, Method: s.Method, Path: s.Path, Body: s.Body, Headers: s.Headers}, s.NotFound.Value == "none")
	r.path.whole = true
	if s.Path.given() && len(r.path.values) == 0 && !s.Body.given() {
		f.add(s.Path.At, "has no expression in it, and would find any tenant; write it like /tenant?externalId={asset.id}")
	}
	return &searching{r, f.compile(s.Tenant, kind{answer: true})}
}

// findable tells what does not go together with a lookup. A tenant that was
// found has no answer to the call: what that would have said must be asked for.
func (f *faults) findable(t fulfillment.Type, o *operation) {
	if t != fulfillment.Purchase {
		f.add(o.Lookup.At, "is for purchase; only that creates tenants")
		return
	}
	if p := processor.Policy(o.Policy.Value); p == processor.PolicyApprove || p == processor.PolicyHold {
		f.add(o.Lookup.At, "is never made, as policy is %s; remove one of them", p)
	}
	if o.Call == nil {
		return // the tenant API has a status
	}
	if o.Status == nil {
		f.add(o.Lookup.At, "needs status; else nobody could say how a tenant that was found is doing")
		return
	}
	for _, param := range slices.Sorted(maps.Keys(o.Call.Save)) {
		if !o.Status.Save[param].given() {
			f.add(o.Call.Save[param].At, "must be saved by status, too; a tenant that lookup finds has no answer to call")
		}
	}
}

// late is how long after its intent a call may begin, which is what a worker may
// be stopped for before it loses its message, and some seconds more.
const late = 40 * time.Second

// settle is how long a purchase's lookup may miss the tenant of a call. What is
// still being called may appear any time.
func (f *faults) settle(e *entry) time.Duration {
	timeout := e.timeout
	if timeout == 0 {
		timeout = vendorapi.DefaultTimeout
	}
	if e.Purchase == nil || e.Purchase.Lookup == nil || !e.Purchase.Lookup.Settle.given() {
		return timeout + late
	}
	t := e.Purchase.Lookup.Settle
	d := f.duration(t)
	if d > 0 && d < timeout {
		f.add(t.At, "is shorter than a call may take (vendor.timeout, %s)", timeout)
	}
	return d
}

// Find asks for the tenants of an asset. It implements processor.Finder.
func (v *vendor) Find(ctx context.Context, w *processor.Work) (processor.Findings, error) {
	p := v.plans[fulfillment.Purchase]
	t := v.turn(w, p, "")
	if err := t.send(ctx, p.search.request, ""); err != nil || t.gone || v.assumed {
		return processor.Findings{}, err
	}
	tenants, err := p.search.tenants(t.reply())
	if err != nil {
		return processor.Findings{Reason: err.Error()}, nil
	}
	return processor.Findings{Tenants: tenants}, nil
}

var errNoIDs = errors.New("is neither a tenant's id nor a list of ids")

// tenants are the ids that the answer has, each once.
func (s *searching) tenants(r Reply) ([]string, error) {
	v, err := s.tenant.run(r)
	if err != nil {
		return nil, err
	}
	list, err := listOf(v)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.tenant.where, errNoIDs)
	}
	var ids []string
	for _, one := range list {
		id, err := idOf(one)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", s.tenant.where, err)
		}
		if !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return ids, nil
}

// listOf is v as a list: one value is a list of one, and what is empty has none.
func listOf(v any) ([]any, error) {
	data, err := encoded(v) // and decoded: an expression's list is of any Go type
	if err != nil {
		return nil, err
	}
	switch v, err := decodeAnswer([]byte(data)); v := v.(type) {
	case []any:
		return v, err
	case nil:
		return nil, err
	default:
		if v == "" {
			return nil, nil
		}
		return []any{v}, err
	}
}

func idOf(v any) (string, error) {
	switch v.(type) {
	case nil, bool, map[string]any, []any:
		return "", errNoIDs
	}
	id, err := written(v)
	if id == "" || err != nil {
		return "", errNoIDs
	}
	return id, nil
}
