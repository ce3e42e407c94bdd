package connectsim

import "time"

// Options are the settings of a Server. The zero value is ready for use and
// behaves as Connect is known, or else believed, to do.
type Options struct {
	// APIKey is the only key that is let in, with or without the prefix
	// "ApiKey ". When empty, any well-formed key is.
	APIKey string
	// Empty starts without requests, assets and tier requests. Products,
	// templates and the rest of the catalogue are there all the same.
	Empty bool
	// Now is the clock; time.Now if nil. It must be safe for concurrent use.
	Now func() time.Time

	// MaxLimit is the largest page, 1000 if 0: more is cut without a word.
	MaxLimit int
	// DefaultLimit is the page when no number is asked for, 100 if 0.
	DefaultLimit int
	// NewestFirst lists what was created last first, where no ordering is
	// asked for. Connect doesn't say which it does.
	NewestFirst bool

	// Validation gives the products the capability of dynamic validation:
	// created requests start as drafts, and parameters may also be set in
	// drafts and inquiring requests.
	Validation bool
	// AllowUnknownParams ignores parameters that the request does not have
	// instead of refusing them.
	AllowUnknownParams bool
	// AllowEmptyRequired approves although a required fulfillment parameter
	// is empty.
	AllowEmptyRequired bool
	// AllowAnyTemplate takes any template of the product, whatever its scope
	// and type, for approvals and inquiries.
	AllowAnyTemplate bool
	// RefusePreview answers 400 to a filter for connections of type preview,
	// which the specification does not list.
	RefusePreview bool
	// ScheduledBecomes is the status of a scheduled request once its planned
	// date is reached; pending if empty.
	ScheduledBecomes string
	// ConfirmSubmitsDraft lets confirm also move a draft to pending. Sources
	// disagree; without it only a revoking request can be confirmed.
	ConfirmSubmitsDraft bool
	// RefuseAdjustments refuses to create adjustment requests, as Connect may do
	// to a product or an account.
	RefuseAdjustments bool
	// AssetWhileCancelling is the asset's status while its cancellation is
	// open; terminating if empty.
	AssetWhileCancelling string
	// TierConfigAfterFail is the status of a tier configuration whose setup
	// failed; active if empty, as Connect may do.
	TierConfigAfterFail string
}

func (o Options) withDefaults() Options {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.MaxLimit <= 0 {
		o.MaxLimit = 1000
	}
	if o.DefaultLimit <= 0 {
		o.DefaultLimit = 100
	}
	for field, value := range map[*string]string{
		&o.ScheduledBecomes:     statusPending,
		&o.AssetWhileCancelling: assetTerminating,
		&o.TierConfigAfterFail:  assetActive,
	} {
		if *field == "" {
			*field = value
		}
	}
	return o
}
