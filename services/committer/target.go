package committer

import (
	"context"
	"fmt"

	"github.com/headrace/headrace/pkg/connect"
	"github.com/headrace/headrace/pkg/facts"
	"github.com/headrace/headrace/pkg/fulfillment"
)

// Requests is what the committer needs of Connect for asset requests.
type Requests interface {
	Get(ctx context.Context, id string) (*connect.Request, error)
	UpdateParams(ctx context.Context, id string, params []connect.ParamUpdate) (*connect.Saved, error)
	Approve(ctx context.Context, id string, a connect.Approval) (*connect.Request, error)
	Fail(ctx context.Context, id, reason string) (*connect.Request, error)
	Inquire(ctx context.Context, id, templateID string) (*connect.Request, error)
}

// TierRequests is what the committer needs of Connect for tier configuration
// requests, whose actions answer without the request.
type TierRequests interface {
	Get(ctx context.Context, id string) (*connect.TierRequest, error)
	UpdateParams(ctx context.Context, id string, params []connect.ParamUpdate) error
	Approve(ctx context.Context, id, templateID string) error
	Fail(ctx context.Context, id, reason string) error
	Inquire(ctx context.Context, id string) error
}

// state is what the committer sees of a request of either kind.
type state struct {
	status string
	reason string
	scope  string // of its templates
	params []connect.Param
}

func (s *state) param(id string) *connect.Param {
	for i := range s.params {
		if s.params[i].ID == id {
			return &s.params[i]
		}
	}
	return nil
}

// target is where a result is committed to. The actions return the status that
// Connect has the request in afterwards.
type target interface {
	get(ctx context.Context, id string) (*state, error)
	// update returns the request as the answer shows it, nil where it doesn't.
	update(ctx context.Context, id string, params []connect.ParamUpdate) (*state, error)
	approve(ctx context.Context, id string, a connect.Approval) (status string, err error)
	fail(ctx context.Context, id, reason string) (status string, err error)
	inquire(ctx context.Context, id, templateID string) (status string, err error)
	// about is the request as Connect showed it last, for the events.
	about() facts.About
}

// targetOf returns where results for requests of this type are committed to.
func targetOf(t fulfillment.Type, requests Requests, tiers TierRequests) target {
	if t.Tier() {
		return &tierTarget{TierRequests: tiers}
	}
	return &assetTarget{Requests: requests}
}

// assetTarget notes what about returns. What the answer to an update shows beside
// the state is decoded for that alone, and seldom needed: the next answer says more.
type assetTarget struct {
	Requests
	seen  *connect.Request
	saved *connect.Saved
}

func (t *assetTarget) about() facts.About {
	if t.seen == nil && t.saved != nil {
		t.seen, _ = t.saved.Request() // what can't be read is not known
	}
	return facts.About{Request: t.seen}
}

func (t *assetTarget) get(ctx context.Context, id string) (*state, error) {
	r, err := t.Get(ctx, id)
	if err != nil {
		return nil, err
	}
	t.seen = r
	return &state{status: r.Status, reason: r.Reason, scope: ScopeAsset, params: r.Asset.Params}, nil
}

func (t *assetTarget) update(ctx context.Context, id string, params []connect.ParamUpdate) (*state, error) {
	r, err := t.UpdateParams(ctx, id, params)
	if err != nil || r == nil {
		return nil, err
	}
	t.seen, t.saved = nil, r
	return &state{status: r.Status, reason: r.Reason, scope: ScopeAsset, params: r.Params}, nil
}

func (t *assetTarget) approve(ctx context.Context, id string, a connect.Approval) (string, error) {
	return t.acted(t.Approve(ctx, id, a))
}

func (t *assetTarget) fail(ctx context.Context, id, reason string) (string, error) {
	return t.acted(t.Fail(ctx, id, reason))
}

func (t *assetTarget) inquire(ctx context.Context, id, templateID string) (string, error) {
	return t.acted(t.Inquire(ctx, id, templateID))
}

func (t *assetTarget) acted(r *connect.Request, err error) (string, error) {
	if err != nil {
		return "", err
	}
	if r.Asset.ID != "" { // else the answer is less than what was read before
		t.seen = r
	}
	return r.Status, nil
}

// tierTarget notes what assetTarget does, as far as Connect's answers go.
type tierTarget struct {
	TierRequests
	seen *connect.TierRequest
}

func (t *tierTarget) about() facts.About { return facts.About{Tier: t.seen} }

func (t *tierTarget) get(ctx context.Context, id string) (*state, error) {
	r, err := t.Get(ctx, id)
	if err != nil {
		return nil, err
	}
	t.seen = r
	scope := fmt.Sprintf("tier%d", max(r.Configuration.TierLevel, 1))
	return &state{status: r.Status, reason: r.Reason, scope: scope, params: r.Params}, nil
}

func (t *tierTarget) update(ctx context.Context, id string, params []connect.ParamUpdate) (*state, error) {
	return nil, t.UpdateParams(ctx, id, params)
}

// tierActive is the status of a tier configuration one of whose requests was
// approved.
const tierActive = "active"

func (t *tierTarget) approve(ctx context.Context, id string, a connect.Approval) (string, error) {
	err := t.Approve(ctx, id, a.TemplateID)
	if err == nil && t.seen != nil {
		t.seen.Configuration.Status = tierActive
	}
	return connect.StatusApproved, err
}

func (t *tierTarget) fail(ctx context.Context, id, reason string) (string, error) {
	return connect.StatusFailed, t.Fail(ctx, id, reason)
}

// inquire takes no template: Connect has none for the inquiry of a tier.
func (t *tierTarget) inquire(ctx context.Context, id, _ string) (string, error) {
	return connect.StatusInquiring, t.Inquire(ctx, id)
}
