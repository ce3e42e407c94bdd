package profile

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"

	"github.com/headrace/headrace/pkg/connect"
	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/processor"
)

// Sent is a call that would be made, its secrets redacted.
type Sent struct {
	Method string            `json:"method"`
	URL    string            `json:"url"`
	Header map[string]string `json:"headers"`
	Body   json.RawMessage   `json:"body,omitempty"`
}

// Trial is what would become of a request.
type Trial struct {
	Calls    []Sent               `json:"calls"`
	Decision fulfillment.Decision `json:"decision,omitempty"` // "": it depends on the answer
	Reason   string               `json:"reason,omitempty"`
	Params   []fulfillment.Param  `json:"params,omitempty"`
	fulfillment.Template
}

// TriedTenant stands for the tenant of a purchase that is tried without an
// answer.
const TriedTenant = "TENANT"

// Try says what would be sent and decided for a request of Connect's, of a
// subscription or of a reseller, if the vendor gave each call that answer. It
// sends nothing and reads no secret, and shows no parameter of type password.
// Without an answer it goes on as if all went well, and leaves the decision open
// where that depends on it; what is saved of an answer is then the parameter's id
// in capitals.
func (s *Set) Try(ctx context.Context, body, answer []byte) (*Trial, error) {
	w, err := workOf(body)
	if err != nil {
		return nil, err
	}
	shown := &recorder{answer: answer, calls: []Sent{}}
	if answer == nil {
		shown.answer = fmt.Appendf(nil, `{"tenantId":%q}`, TriedTenant)
	}
	profiles, err := s.Profiles(Options{
		Transport: func() http.RoundTripper { return shown }, masked: true, assumed: answer == nil,
	})
	if err != nil {
		return nil, err
	}
	if w.Profile, err = profiles(w); err != nil {
		return &Trial{Calls: shown.calls, Decision: fulfillment.Hold, Reason: err.Error()}, nil
	}
	v, err := trial(ctx, w)
	if err != nil {
		return nil, err
	}
	t := &Trial{Calls: shown.calls, Decision: v.Decision, Reason: v.Reason, Params: v.Params, Template: v.Template}
	open := v.Decision == fulfillment.Approve || v.Decision == fulfillment.Wait
	if answer == nil && len(t.Calls) > 0 && open {
		t.Decision, t.Reason, t.Params, t.Template = "", "", nil, fulfillment.Template{}
	}
	return t, nil
}

// trial decides as the processor and the services do, without their intents.
func trial(ctx context.Context, w *processor.Work) (v processor.Verdict, err error) {
	p := w.Profile
	policy := p.Policy(w.Key.Type)
	v, stopped := p.Validate(w)
	hide(w) // not before: what is validated must be what it is
	switch {
	case p.Manual:
		return processor.Hold("the product's profile leaves its requests to a person"), nil
	case stopped:
	case policy == processor.PolicyApprove:
		v = processor.Approve()
	case policy == processor.PolicyHold:
		return processor.Hold(fmt.Sprintf("requests of type %s are left to a person", w.Key.Type)), nil
	default:
		if v, err = called(ctx, w); err != nil {
			return v, err
		}
	}
	for i, one := range v.Params {
		if one.Value != nil && *one.Value != "" && isPassword(w, one.ID) {
			hidden := masked
			v.Params[i].Value = &hidden
		}
	}
	if v.Decision == fulfillment.Approve {
		v.Template, err = p.Approval(w, v)
	}
	if v.Decision == fulfillment.Inquire {
		v.Template, err = p.Inquiry(w, v)
	}
	if err != nil {
		return processor.Hold(err.Error()), nil
	}
	return v, nil
}

// hide puts a mark in the place of every password of the request, so that none
// is shown, whatever expressions make of it.
func hide(w *processor.Work) {
	lists := [][]connect.Param{w.Params()}
	if w.Tier != nil {
		lists = append(lists, w.Tier.Configuration.Params, w.Tier.Configuration.Configuration.Params)
	} else {
		lists = append(lists, w.Request.Asset.Configuration.Params)
	}
	for _, list := range lists {
		for i := range list {
			if p := &list[i]; p.Type == typePassword && p.Value != "" {
				p.Value = masked
			}
		}
	}
}

// typePassword is Connect's type of parameters whose values are secret.
const typePassword = "password"

func isPassword(w *processor.Work, param string) bool {
	p := paramOf(w, param)
	return p != nil && p.Type == typePassword
}

func called(ctx context.Context, w *processor.Work) (processor.Verdict, error) {
	var a processor.Answer
	var err error
	switch tenant := w.Tenant(); {
	case w.Key.Type == fulfillment.Purchase && tenant == "":
		if finder := w.Profile.Finder; finder != nil && !w.Profile.Idempotent {
			// The answer is for the calls that follow: here there is no tenant yet.
			if _, err := finder.Find(ctx, w); err != nil {
				return processor.Unfound(err)
			}
		}
		a, err = w.Profile.Vendor.Create(ctx, w)
		if first := a.Params; err == nil && a.State == processor.Unfinished {
			remember(w, first)
			id := slices.IndexFunc(first, func(p fulfillment.Param) bool { return p.ID == w.Profile.TenantParam })
			a, err = w.Profile.Vendor.Continue(ctx, w, *first[id].Value)
			for _, p := range first { // all of it is saved in the end
				if !slices.ContainsFunc(a.Params, func(other fulfillment.Param) bool { return other.ID == p.ID }) {
					a.Params = append(a.Params, p)
				}
			}
		}
	case w.Key.Type == fulfillment.Purchase:
		a, err = w.Profile.Vendor.Continue(ctx, w, tenant)
	case w.Tier == nil:
		return processor.CallTenant(ctx, w)
	default:
		a, err = w.Profile.Vendor.Call(ctx, w, "")
	}
	if err != nil {
		return processor.VendorFault(err)
	}
	return a.Verdict(w), nil
}

// remember has the purchase carry what is saved between its calls.
func remember(w *processor.Work, saved []fulfillment.Param) {
	for _, p := range saved {
		if known := paramOf(w, p.ID); known != nil {
			known.Value = *p.Value
		} else {
			w.Request.Asset.Params = append(w.Request.Asset.Params, connect.Param{ID: p.ID, Value: *p.Value})
		}
	}
}

// workOf reads a request of either kind; the reseller's has a configuration in
// the asset's place.
func workOf(body []byte) (*processor.Work, error) {
	var parts map[string]json.RawMessage
	if err := json.Unmarshal(body, &parts); err != nil {
		return nil, fmt.Errorf("read request: %w", err)
	}
	if _, tier := parts["configuration"]; tier {
		r, err := connect.DecodeTierRequest(body)
		if err != nil {
			return nil, err
		}
		c := r.Configuration
		return &processor.Work{Tier: r, Attempt: 1, Key: fulfillment.Key{
			Type: fulfillment.TierType(r.Type), Product: c.Product.ID, Asset: c.ID, Request: r.ID,
		}}, nil
	}
	r, err := connect.DecodeRequest(body)
	if err != nil {
		return nil, err
	}
	return &processor.Work{Request: r, Attempt: 1, Key: fulfillment.Key{
		Type: fulfillment.Type(r.Type), Product: r.Asset.Product.ID, Asset: r.Asset.ID, Request: r.ID,
	}}, nil
}

// recorder keeps calls in the place of sending them, and answers all alike.
type recorder struct {
	answer []byte
	calls  []Sent
}

// RoundTrip implements http.RoundTripper.
func (r *recorder) RoundTrip(req *http.Request) (*http.Response, error) {
	call := Sent{Method: req.Method, URL: req.URL.Redacted(), Header: map[string]string{}}
	for name := range req.Header {
		// By index: Get does not find the spelling of Idempotency-key.
		call.Header[http.CanonicalHeaderKey(name)] = req.Header[name][0]
	}
	delete(call.Header, "User-Agent")
	if _, password, basic := req.BasicAuth(); basic && password == masked {
		call.Header["Authorization"] = "Basic " + masked
	}
	if req.Body != nil {
		body, err := io.ReadAll(req.Body)
		if err != nil {
			return nil, err
		}
		if err := req.Body.Close(); err != nil {
			return nil, err
		}
		call.Body = body
	}
	r.calls = append(r.calls, call)
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{}, Request: req, ProtoMajor: 1, ProtoMinor: 1,
		Body: io.NopCloser(bytes.NewReader(r.answer)), ContentLength: int64(len(r.answer)),
	}, nil
}
