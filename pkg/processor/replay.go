package processor

import (
	"context"
	"fmt"

	"github.com/headrace/headrace/pkg/connect"
	"github.com/headrace/headrace/pkg/episode"
	"github.com/headrace/headrace/pkg/fulfillment"
)

// expected is the status in Connect with which there is something to do: a
// replay carries out again what is approved.
func (w *Work) expected() string {
	if w.Replay > 0 {
		return connect.StatusApproved
	}
	return connect.StatusPending
}

// onReplay makes of a verdict what can be made of it where the request is
// approved already: it can neither fail nor be asked about any more, so a person
// decides.
func (w *Work) onReplay(v Verdict) Verdict {
	if w.Replay == 0 || v.Decision != fulfillment.Fail && v.Decision != fulfillment.Inquire {
		return v
	}
	return Verdict{
		Decision: fulfillment.Hold, Params: v.Params,
		Reason: fmt.Sprintf("it is approved, and to be carried out again, which ended in %q: %s", v.Decision, v.Reason),
	}
}

// rebase makes the body of a replay that of today: it is as old as the request,
// and may name a tenant that the vendor has lost. A purchase makes its own; all
// others go to the one that the replay of the asset's purchase made, if it was
// replayed.
func (p *Processor) rebase(ctx context.Context, w *Work) error {
	if w.Replay == 0 || w.Request == nil {
		return nil
	}
	last, err := p.lastPurchase(ctx, w.Key.Asset)
	if err != nil {
		return err
	}
	for _, saved := range last.Params {
		switch {
		case saved.Value == nil:
		case w.Key.Type == fulfillment.Purchase:
			w.Request.Asset.Params = withValue(w.Request.Asset.Params, saved.ID, "")
		case last.Replay > 0:
			w.Request.Asset.Params = withValue(w.Request.Asset.Params, saved.ID, *saved.Value)
		}
	}
	return nil
}

// lastPurchase is the last result of a purchase of the asset, the zero one if
// there is none.
func (p *Processor) lastPurchase(ctx context.Context, asset string) (r fulfillment.Result, err error) {
	filter := fulfillment.AssetFilter(fulfillment.RootResults, fulfillment.Purchase, asset)
	_, err = episode.LastBody(ctx, p.log, fulfillment.StreamResults, filter, &r)
	return r, err
}

func withValue(params []connect.Param, id, value string) []connect.Param {
	for i := range params {
		if params[i].ID == id {
			params[i].Value = value
			return params
		}
	}
	return append(params, connect.Param{ID: id, Phase: connect.PhaseFulfillment, Value: value})
}
