package ledger

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/stream"
)

// waits are the upstreams that are not called, or fail, at this moment.
type waits []fulfillment.Upstream

// readWaits reads how the upstreams stand. The stream may be missing: an older
// version has none.
func readWaits(ctx context.Context, r Reader) (waits, error) {
	var found waits
	for m, err := range r.Read(ctx, fulfillment.StreamUpstreams, "", 1) {
		if errors.Is(err, stream.ErrNoStream) {
			return nil, nil
		}
		if err != nil {
			return nil, fmt.Errorf("read upstreams: %w", err)
		}
		var u fulfillment.Upstream
		if json.Unmarshal(m.Body, &u) == nil && u.State != fulfillment.UpstreamOpen {
			found = append(found, u)
		}
	}
	// What is paused says more than what fails.
	slices.SortStableFunc(found, func(a, b fulfillment.Upstream) int {
		switch {
		case a.State.Closed() == b.State.Closed():
			return 0
		case a.State.Closed():
			return -1
		}
		return 1
	})
	return found, nil
}

// explain gives a request that is neither done nor a person's the reason why it
// does not go on, if that is an upstream.
func (w waits) explain(e *Entry) {
	var u *fulfillment.Upstream
	switch e.State {
	case fulfillment.StateQueued, fulfillment.StateDeciding, fulfillment.StateWaiting:
		if e.State == fulfillment.StateWaiting && e.Reason != "" {
			return
		}
		if u = w.of(fulfillment.UpstreamVendor, e.ProductID); u == nil || e.Type.Tier() {
			u = w.of(fulfillment.UpstreamConnect, e.ProductID)
		}
	case fulfillment.StateCommitting:
		u = w.of(fulfillment.UpstreamConnect, e.ProductID)
	case fulfillment.StateApproved, fulfillment.StateFailed, fulfillment.StateInquiring, fulfillment.StateHeld,
		fulfillment.StateDead, fulfillment.StateLeft:
	}
	if u == nil {
		return
	}
	how := "paused"
	if !u.State.Closed() {
		how = "failing"
	}
	why := fmt.Sprintf("waits for %s, %s since %s: %s", u.Name, how, u.Since.UTC().Format(time.RFC3339), u.Reason)
	if e.Reason != "" {
		why += "; " + e.Reason
	}
	e.Reason = why
}

func (w waits) of(kind fulfillment.UpstreamKind, product string) *fulfillment.Upstream {
	for i := range w {
		if w[i].Kind == kind && (len(w[i].Products) == 0 || slices.Contains(w[i].Products, product)) {
			return &w[i]
		}
	}
	return nil
}
