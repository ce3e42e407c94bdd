package processor

import (
	"context"

	"github.com/headrace/headrace/pkg/fulfillment"
)

// With is the profiles with d in the place of the service of one type, for one
// product. Nothing else of the product's profile changes: what it leaves to a
// person or finds wrong does not come to d. Other products and types are as
// they were.
func (next Profiles) With(product string, t fulfillment.Type, d Decider) Profiles {
	return func(w *Work) (*Profile, error) {
		profile, err := next(w)
		if err != nil || w.Key.Product != product || w.Key.Type != t {
			return profile, err
		}
		own := *profile
		own.Decider = d
		return &own, nil
	}
}

// DeciderFunc is a Decider that is one function.
type DeciderFunc func(ctx context.Context, w *Work) (Verdict, error)

// Decide calls f.
func (f DeciderFunc) Decide(ctx context.Context, w *Work) (Verdict, error) { return f(ctx, w) }
