package connect

import (
	"context"
	"fmt"
	"net/http"
)

// RequestsService reads and moves fulfillment requests.
type RequestsService struct{ client *Client }

// RequestQuery selects requests. An empty list selects all.
type RequestQuery struct {
	Products []string // PRD-…
	Statuses []string // StatusPending, …
	Types    []string // purchase, …; for tier configuration requests setup, …
	Assets   []string // AS-…; of tier configuration requests TC-…
}

// Approval is what the customer is told: one of the two must be set.
type Approval struct {
	TemplateID     string `json:"template_id,omitempty"`     // TL-…
	ActivationTile string `json:"activation_tile,omitempty"` // Markdown; deprecated by Connect
}

// List returns the rows that q selects, by creation, then id. Rows that leave
// the selection while the pages are read do not make it lose others.
func (s *RequestsService) List(ctx context.Context, q RequestQuery) ([]Row, error) {
	return s.client.listRows(ctx, "/requests", requestFilter(q), decodeRows[requestRow])
}

// Walk is List for lists that are too long to be held: each page goes to take as
// it is read, newest rows first but for the first page, and some rows come more
// than once.
func (s *RequestsService) Walk(ctx context.Context, q RequestQuery, take Take) error {
	return s.client.walkRows(ctx, "/requests", requestFilter(q), decodeRows[requestRow], take)
}

func requestFilter(q RequestQuery) Filter {
	return And(anyOf("asset.product.id", q.Products), anyOf("status", q.Statuses), anyOf("type", q.Types),
		anyOf("asset.id", q.Assets))
}

// Get reads one request.
func (s *RequestsService) Get(ctx context.Context, id string) (*Request, error) {
	_, r, err := s.GetRaw(ctx, id)
	return r, err
}

// GetRaw reads one request and returns its body, too, as Connect sent it.
func (s *RequestsService) GetRaw(ctx context.Context, id string) ([]byte, *Request, error) {
	to, err := at("/requests/{id}", id)
	if err != nil {
		return nil, nil, err
	}
	var body []byte
	if _, err := s.client.call(ctx, http.MethodGet, to, nil, &body); err != nil {
		return nil, nil, err
	}
	r, err := DecodeRequest(body)
	if err != nil {
		return body, nil, fmt.Errorf("get request %s: %w", id, err)
	}
	return body, r, nil
}

// Saved is a request as the answer to a change of its parameters shows it: what
// decides on the next step, and the rest where it is asked for.
type Saved struct {
	Status string
	Reason string
	Params []Param

	answer []byte
}

// Request decodes all of the answer, as DecodeRequest does.
func (s *Saved) Request() (*Request, error) { return DecodeRequest(s.answer) }

// UpdateParams saves the parameters given, of which the last of each id counts,
// and leaves the others as they are. It returns the request as Connect has it
// afterwards, nil where the answer doesn't show it. Without any parameters it
// makes no call. It may be repeated.
func (s *RequestsService) UpdateParams(ctx context.Context, id string, updates []ParamUpdate) (*Saved, error) {
	to, err := at("/requests/{id}", id)
	if err != nil || len(updates) == 0 {
		return nil, err
	}
	var body struct {
		Asset struct {
			Params []ParamUpdate `json:"params"`
		} `json:"asset"`
	}
	body.Asset.Params = lastByID(updates)
	var answer []byte
	if _, err := s.client.call(ctx, http.MethodPut, to, body, &answer); err != nil {
		return nil, err
	}
	return decodeSaved(answer), nil
}

// decodeSaved returns nil for an answer that shows no request: the parameters are
// saved, whatever it looks like.
func decodeSaved(answer []byte) *Saved {
	var r struct {
		ID     string `json:"id"`
		Type   string `json:"type"`
		Status string `json:"status"`
		Reason string `json:"reason"`
		Asset  struct {
			ID      string  `json:"id"`
			Product Ref     `json:"product"`
			Params  []Param `json:"params"`
		} `json:"asset"`
	}
	err := decodeTolerant(answer, &r)
	if err == nil {
		err = require(field{"id", r.ID}, field{"type", r.Type}, field{"status", r.Status},
			field{"asset.id", r.Asset.ID}, field{"asset.product.id", r.Asset.Product.ID})
	}
	if err != nil {
		return nil
	}
	return &Saved{Status: r.Status, Reason: r.Reason, Params: r.Asset.Params, answer: answer}
}

// Create places a request and returns it. body is what Connect takes: a vendor
// may create requests of preview connections and adjustments only. It must not
// be repeated without a look whether the request is there.
func (s *RequestsService) Create(ctx context.Context, body any) (*Request, error) {
	to, err := at("/requests")
	if err != nil {
		return nil, err
	}
	var answer []byte
	if _, err := s.client.call(ctx, http.MethodPost, to, body, &answer); err != nil {
		return nil, err
	}
	return DecodeRequest(answer)
}

// Approve ends a pending or inquiring request well. It returns the request as
// Connect has it afterwards. It may be repeated: an approved request is success.
// It fails with *StateError if the request is in another state by now.
func (s *RequestsService) Approve(ctx context.Context, id string, approval Approval) (*Request, error) {
	return s.act(ctx, id, "/requests/{id}/approve", approval, StatusApproved, StatusPending, StatusInquiring)
}

// Fail ends a pending or inquiring request for good, for a reason that the
// customer is told. It may be repeated, and fails, as Approve does; with
// ErrReason for an empty reason.
func (s *RequestsService) Fail(ctx context.Context, id, reason string) (*Request, error) {
	if reason == "" {
		return nil, fmt.Errorf("fail request %s: %w", id, ErrReason)
	}
	return s.act(ctx, id, "/requests/{id}/fail", reasonBody{reason}, StatusFailed, StatusPending, StatusInquiring)
}

// Inquire asks the customer to correct the parameters that were marked with a
// value error, of which Connect demands one. templateID may be "". It may be
// repeated, and fails, as Approve does.
func (s *RequestsService) Inquire(ctx context.Context, id, templateID string) (*Request, error) {
	body := Approval{TemplateID: templateID}
	return s.act(ctx, id, "/requests/{id}/inquire", body, StatusInquiring, StatusPending)
}

// Pend returns an inquiring request to pending. It may be repeated, and fails,
// as Approve does.
func (s *RequestsService) Pend(ctx context.Context, id string) (*Request, error) {
	return s.act(ctx, id, "/requests/{id}/pend", nil, StatusPending, StatusInquiring)
}

type reasonBody struct {
	Reason string `json:"reason"`
}

func (s *RequestsService) act(ctx context.Context, id, route string, body any, want string, from ...string) (*Request, error) {
	to, err := at(route, id)
	if err != nil {
		return nil, err
	}
	var seen *Request
	look := func(ctx context.Context) (string, error) {
		r, err := s.Get(ctx, id)
		if err != nil {
			return "", err
		}
		seen = r
		return r.Status, nil
	}
	answer, err := s.client.act(ctx, action{id: id, to: to, body: body, want: want, from: from, look: look})
	if err != nil {
		return nil, err
	}
	if r, err := DecodeRequest(answer); err == nil {
		return r, nil
	}
	if seen != nil && seen.Status == want {
		return seen, nil
	}
	return s.Get(ctx, id) // it was carried out, but the answer doesn't show it
}

// anyOf selects prop among values, or everything where there are none.
func anyOf(prop string, values []string) Filter {
	if len(values) == 0 {
		return Filter{}
	}
	return In(prop, values...)
}
