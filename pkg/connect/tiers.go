package connect

import (
	"context"
	"fmt"
	"net/http"
)

// maxTierReason is how long a reason Connect takes, in characters.
const maxTierReason = 500

// TierRequestsService reads and moves tier configuration requests. Its actions
// return no request, as Connect answers them with nothing or with the template.
type TierRequestsService struct{ client *Client }

// List is RequestsService.List for tier configuration requests.
func (s *TierRequestsService) List(ctx context.Context, q RequestQuery) ([]Row, error) {
	return s.client.listRows(ctx, "/tier/config-requests", tierFilter(q), decodeRows[tierRow])
}

// Walk is RequestsService.Walk for tier configuration requests.
func (s *TierRequestsService) Walk(ctx context.Context, q RequestQuery, take Take) error {
	return s.client.walkRows(ctx, "/tier/config-requests", tierFilter(q), decodeRows[tierRow], take)
}

func tierFilter(q RequestQuery) Filter {
	return And(anyOf("configuration.product.id", q.Products), anyOf("status", q.Statuses), anyOf("type", q.Types),
		anyOf("configuration.id", q.Assets))
}

// Get reads one tier configuration request.
func (s *TierRequestsService) Get(ctx context.Context, id string) (*TierRequest, error) {
	_, r, err := s.GetRaw(ctx, id)
	return r, err
}

// GetRaw reads one tier configuration request and returns its body, too, as
// Connect sent it.
func (s *TierRequestsService) GetRaw(ctx context.Context, id string) ([]byte, *TierRequest, error) {
	to, err := at("/tier/config-requests/{id}", id)
	if err != nil {
		return nil, nil, err
	}
	var body []byte
	if _, err := s.client.call(ctx, http.MethodGet, to, nil, &body); err != nil {
		return nil, nil, err
	}
	r, err := DecodeTierRequest(body)
	if err != nil {
		return body, nil, fmt.Errorf("get tier request %s: %w", id, err)
	}
	return body, r, nil
}

// UpdateParams is RequestsService.UpdateParams. Connect takes it of pending
// requests only.
func (s *TierRequestsService) UpdateParams(ctx context.Context, id string, updates []ParamUpdate) error {
	to, err := at("/tier/config-requests/{id}", id)
	if err != nil || len(updates) == 0 {
		return err
	}
	var body struct {
		Params []ParamUpdate `json:"params"`
	}
	body.Params = lastByID(updates)
	_, err = s.client.call(ctx, http.MethodPut, to, body, nil)
	return err
}

// Approve is RequestsService.Approve, with a template of scope tier1 or tier2.
func (s *TierRequestsService) Approve(ctx context.Context, id, templateID string) error {
	var body struct {
		Template struct {
			ID string `json:"id"`
		} `json:"template"`
	}
	body.Template.ID = templateID
	return s.act(ctx, id, "/tier/config-requests/{id}/approve", body, StatusApproved, StatusPending, StatusInquiring)
}

// Fail is RequestsService.Fail. It fails the sale that waits for it, too. The
// reason is cut to 500 characters.
func (s *TierRequestsService) Fail(ctx context.Context, id, reason string) error {
	if reason == "" {
		return fmt.Errorf("fail tier request %s: %w", id, ErrReason)
	}
	body := reasonBody{cut(reason, maxTierReason)}
	return s.act(ctx, id, "/tier/config-requests/{id}/fail", body, StatusFailed, StatusPending, StatusInquiring)
}

// Inquire is RequestsService.Inquire; it takes no template.
func (s *TierRequestsService) Inquire(ctx context.Context, id string) error {
	return s.act(ctx, id, "/tier/config-requests/{id}/inquire", nil, StatusInquiring, StatusPending)
}

// Pend is RequestsService.Pend.
func (s *TierRequestsService) Pend(ctx context.Context, id string) error {
	return s.act(ctx, id, "/tier/config-requests/{id}/pend", nil, StatusPending, StatusInquiring)
}

func (s *TierRequestsService) act(ctx context.Context, id, route string, body any, want string, from ...string) error {
	to, err := at(route, id)
	if err != nil {
		return err
	}
	look := func(ctx context.Context) (string, error) {
		r, err := s.Get(ctx, id)
		if err != nil {
			return "", err
		}
		return r.Status, nil
	}
	_, err = s.client.act(ctx, action{id: id, to: to, body: body, want: want, from: from, look: look})
	return err
}
