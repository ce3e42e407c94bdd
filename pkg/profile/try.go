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
// sends nothing and reads no secret. Without an answer it goes on as if all went
// well, and leaves the decision open where that depends on it.
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
	if answer == nil && len(t.Calls) > 0 {
		t.Decision, t.Reason, t.Params, t.Template = "", "", nil, fulfillment.Template{}
	}
	return t, nil
}

// trial decides as the processor and the services do, without their intents.
func trial(ctx context.Context, w *processor.Work) (v processor.Verdict, err error) {
	p := w.Profile
	policy := p.Policy(w.Key.Type)
	v, stopped := p.Validate(w)
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

func called(ctx context.Context, w *processor.Work) (processor.Verdict, error) {
	var a processor.Answer
	var err error
	switch tenant := w.Tenant(); {
	case w.Key.Type == fulfillment.Purchase && tenant == "":
		a, err = w.Profile.Vendor.Create(ctx, w)
		if err == nil && a.State == processor.Unfinished {
			id := slices.IndexFunc(a.Params, func(p fulfillment.Param) bool { return p.ID == w.Profile.TenantParam })
			a, err = w.Profile.Vendor.Continue(ctx, w, *a.Params[id].Value)
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
