package committer

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/headrace/headrace/pkg/connect"
	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/redact"
)

// Assets is what the committer needs of Connect to see a subscription as it is
// today: a request shows it as it was.
type Assets interface {
	Get(ctx context.Context, id string) (*connect.Asset, error)
}

// Adjustments is what the committer needs of Connect to change the parameters
// of a subscription whose request is approved.
type Adjustments interface {
	List(ctx context.Context, q connect.RequestQuery) ([]connect.Row, error)
	Create(ctx context.Context, body any) (*connect.Request, error)
	UpdateParams(ctx context.Context, id string, params []connect.ParamUpdate) (*connect.Saved, error)
	Approve(ctx context.Context, id string, a connect.Approval) (*connect.Request, error)
}

// assetTerminated is the status of a subscription that is over: it takes no
// requests any more, and nobody needs its tenant's id.
const assetTerminated = "terminated"

// settleReplay brings Connect in step with what was carried out again. The
// request is approved and stays so; what its replay brought, such as another
// tenant id, is saved by an adjustment request, as an approved request takes no
// parameters.
func (c *Committer) settleReplay(ctx context.Context, r *fulfillment.Result, has *state) (status, reason string, err error) {
	if has.status != connect.StatusApproved || r.Decision != fulfillment.Approve {
		return has.status, r.Reason, nil
	}
	reason = fmt.Sprintf("carried out again, round %d: %s", r.Replay, r.Reason)
	if r.Type.Tier() {
		return has.status, reason, nil
	}
	asset, err := c.Assets.Get(ctx, r.AssetID)
	if err != nil {
		return "", "", fmt.Errorf("read asset %s: %w", r.AssetID, err)
	}
	updates := outdated(asset.Params, r.Params)
	if len(updates) == 0 || asset.Status == assetTerminated || c.DryRun {
		return has.status, reason, nil
	}
	err = c.adjust(ctx, r, updates)
	if forbidden(err) {
		err = hold("it was carried out again, but Connect refuses the adjustment that would save %s: %v — save it by hand, then redrive",
			inWords(asset.Params, updates), err)
	}
	return has.status, reason, err
}

// forbidden reports whether Connect refuses an adjustment for good. A 403 does:
// the same key has just read the asset, so that it is not the key that is wrong.
func forbidden(err error) bool {
	moved, api := (*connect.StateError)(nil), (*connect.APIError)(nil)
	return errors.As(err, &moved) || refused(err) || errors.As(err, &api) && api.Status == http.StatusForbidden
}

// adjust has Connect save the parameters. It may be called again after any
// error: an adjustment that was created before is found by what it saves. While
// it is open the asset's head is the replay's, so that nobody else takes it.
func (c *Committer) adjust(ctx context.Context, r *fulfillment.Result, updates []connect.ParamUpdate) error {
	adjustment, err := c.openAdjustment(ctx, r, updates)
	if err != nil {
		return err
	}
	if adjustment == nil {
		if adjustment, err = c.Adjustments.Create(ctx, adjustmentOf(r.AssetID, updates)); err != nil {
			return fmt.Errorf("create adjustment of %s: %w", r.AssetID, err)
		}
	}
	if left := missing(adjustment.Asset.Params, updates); len(left) > 0 {
		if _, err := c.Adjustments.UpdateParams(ctx, adjustment.ID, left); err != nil {
			return fmt.Errorf("save parameters of %s: %w", adjustment.ID, err)
		}
	}
	approval, err := (&act{Committer: c, r: r, has: &state{scope: ScopeAsset}}).approval(ctx)
	if err != nil {
		return err
	}
	if _, err := c.Adjustments.Approve(ctx, adjustment.ID, approval); err != nil {
		return fmt.Errorf("approve adjustment %s: %w", adjustment.ID, err)
	}
	c.entry(r).Infof("saved by the adjustment %s", adjustment.ID)
	return nil
}

// openAdjustment is the asset's pending adjustment that saves just that, nil if
// there is none.
func (c *Committer) openAdjustment(ctx context.Context, r *fulfillment.Result, updates []connect.ParamUpdate) (*connect.Request, error) {
	rows, err := c.Adjustments.List(ctx, connect.RequestQuery{
		Assets: []string{r.AssetID}, Types: []string{string(fulfillment.Adjustment)}, Statuses: []string{connect.StatusPending},
	})
	if err != nil {
		return nil, fmt.Errorf("list adjustments of %s: %w", r.AssetID, err)
	}
	for _, row := range rows {
		found, err := connect.DecodeRequest(row.Raw)
		if err == nil && len(missing(found.Asset.Params, updates)) == 0 {
			return found, nil
		}
	}
	return nil, nil
}

// outdated are the values of wanted that params do not have.
func outdated(params []connect.Param, wanted []fulfillment.Param) []connect.ParamUpdate {
	updates := make([]connect.ParamUpdate, 0, len(wanted))
	for _, p := range wanted {
		if p.Value != nil {
			updates = append(updates, connect.ParamUpdate{ID: p.ID, Value: p.Value})
		}
	}
	return missing(params, updates)
}

func missing(params []connect.Param, updates []connect.ParamUpdate) []connect.ParamUpdate {
	has := &state{params: params}
	left := make([]connect.ParamUpdate, 0, len(updates))
	for _, u := range updates {
		if p := has.param(u.ID); p == nil || p.Value != *u.Value {
			left = append(left, u)
		}
	}
	return left
}

// inWords names the values for a person, passwords hidden.
func inWords(params []connect.Param, updates []connect.ParamUpdate) string {
	has := &state{params: params}
	words := make([]string, 0, len(updates))
	for _, u := range updates {
		value := *u.Value
		if p := has.param(u.ID); p != nil && p.Type == "password" {
			value = redact.Mark
		}
		words = append(words, u.ID+"="+value)
	}
	return strings.Join(words, ", ")
}

// adjustmentOf is the body of a request that changes parameters and no more.
func adjustmentOf(asset string, updates []connect.ParamUpdate) any {
	var body struct {
		Type  string `json:"type"`
		Asset struct {
			ID     string                `json:"id"`
			Params []connect.ParamUpdate `json:"params"`
		} `json:"asset"`
	}
	body.Type, body.Asset.ID, body.Asset.Params = string(fulfillment.Adjustment), asset, updates
	return body
}
