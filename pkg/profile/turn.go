package profile

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"unicode"

	"github.com/headrace/headrace/pkg/processor"
	"github.com/headrace/headrace/pkg/vendorapi"
)

// send makes one call and reads its answer. Its error is a *vendorapi.Error,
// also where the call could not be put together.
func (t *turn) send(ctx context.Context, r *request, key string) error {
	k, err := r.build(t.order)
	if err != nil {
		return &vendorapi.Error{Kind: vendorapi.Unexpected, NotSent: true, Method: r.method, Path: r.path.route, Err: err}
	}
	k.Key, t.gone, t.answer = key, false, nil
	t.calls++
	a, err := t.vendor.api.Do(ctx, k)
	var fault *vendorapi.Error
	if r.goneOK && errors.As(err, &fault) && fault.Kind == vendorapi.NotFound {
		t.gone = true
		return nil
	}
	if err != nil {
		return err
	}
	t.answer, err = decodeAnswer(a.Body)
	switch {
	case err == nil:
	case r == t.plan.status: // nothing was learnt
		return &vendorapi.Error{Kind: vendorapi.Unexpected, Status: a.Status, Method: r.method, Path: k.Path, Err: err}
	default: // the call was carried out, whatever its answer
		t.answer = string(a.Body)
	}
	return nil
}

// build puts the values into the call.
func (r *request) build(o Order) (vendorapi.Call, error) {
	k := vendorapi.Call{Method: r.method, Route: r.path.route, Header: http.Header{}}
	var err error
	if k.Path, err = r.path.fill(o); err != nil {
		return k, err
	}
	if k.Body, err = r.body.run(o); err != nil {
		return k, err
	}
	if _, err := encoded(k.Body); err != nil {
		return k, fmt.Errorf("%s: %w", r.body.where, err)
	}
	for name, value := range r.headers {
		v, err := value.text(o)
		if err != nil {
			return k, err
		}
		if strings.ContainsFunc(v, unicode.IsControl) {
			return k, fmt.Errorf("%s: %w", value.where, errControl)
		}
		k.Header.Set(name, v)
	}
	return k, nil
}

var errControl = errors.New("has a control character in it, such as a line break")

// settle looks at what the answer must contain, and keeps what is to be saved.
// Over says that it lacks something, or makes no sense.
func (t *turn) settle(r *request) (a processor.Answer, over bool) {
	if t.gone {
		return processor.Answer{}, false
	}
	if t.vendor.assumed { // the calls that follow may need what this one would give
		for _, s := range r.save {
			t.found(s.param, strings.ToUpper(s.param))
		}
		return processor.Answer{}, false
	}
	reply := t.reply()
	for _, e := range r.requires {
		// What leads nowhere in the answer is as empty as what is not there.
		if v, err := e.text(reply); err != nil || v == "" || v == "{}" || v == "[]" {
			reason := fmt.Sprintf("the vendor's answer lacks what the product needs (%s)", e.source())
			return processor.Answer{State: processor.Rejected, Reason: reason, Params: t.params}, true
		}
	}
	for _, s := range r.save {
		v, err := s.value.text(reply)
		if err != nil {
			return t.strange(err), true
		}
		if v != "" {
			t.found(s.param, v)
		}
	}
	return processor.Answer{}, false
}

// state is what the last answer says of the tenant.
func (t *turn) state() processor.Answer {
	a := processor.Answer{Params: t.params}
	if m, ok := t.answer.(map[string]any); ok {
		a.Status, _ = m["status"].(string)
	}
	if t.vendor.assumed || t.gone {
		a.State = processor.Ready
		return a
	}
	state, reason, err := t.judge(a.Status)
	if err != nil {
		return t.strange(err)
	}
	if a.State, a.Reason = state, reason; state != processor.Pending {
		return a
	}
	if t.plan.status == nil {
		return t.strange(fmt.Errorf("the vendor reports the tenant as %s, and the profile has no status call to ask again", a.Status))
	}
	if a.Status == "" {
		a.Status = "not ready"
	}
	return a
}

// judge asks the profile's conditions, failed first. Where there are none but
// that, the answer's status is read as that of the tenant API.
func (t *turn) judge(status string) (state processor.State, reason string, err error) {
	reply := t.reply()
	if failed, err := t.plan.failed.holds(reply, false); failed || err != nil {
		if err == nil {
			reason, err = t.plan.reason.text(reply)
		}
		return processor.Failed, reason, err
	}
	if t.plan.ready == nil && t.plan.pending == nil {
		return standardState(status), "", nil
	}
	// Of two conditions that exclude each other one may be left out.
	pending, err := t.plan.pending.holds(reply, true)
	if err != nil {
		return processor.Strange, "", err
	}
	ready, err := t.plan.ready.holds(reply, !pending)
	switch {
	case err != nil:
		return processor.Strange, "", err
	case ready:
		return processor.Ready, "", nil
	case pending:
		return processor.Pending, "", nil
	}
	return processor.Strange, "", nil
}

func standardState(status string) processor.State {
	switch (vendorapi.Tenant{Status: status}).State() {
	case vendorapi.Ready:
		return processor.Ready
	case vendorapi.Pending:
		return processor.Pending
	case vendorapi.Failed:
		return processor.Failed
	case vendorapi.Strange:
	}
	return processor.Strange
}
