package app

import (
	"context"
	"fmt"

	"github.com/sirupsen/logrus"

	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/processor"
)

// Handler is the vendor's own code for one type of one product.
type Handler struct {
	Product string
	Type    fulfillment.Type
	Decider processor.Decider
}

// WithHandlers has the handlers take the place of the types' services. A dry
// run does not call them.
func WithHandlers(handlers ...Handler) Option {
	return func(a *App) { a.handlers = append(a.handlers, handlers...) }
}

// handled lays the handlers over the profiles.
func (a *App) handled(profiles processor.Profiles) processor.Profiles {
	for _, h := range a.handlers {
		if a.cfg.DryRun {
			h.Decider = dryHandler{log: a.log}
		}
		profiles = profiles.With(h.Product, h.Type, h.Decider)
	}
	return profiles
}

// dryHandler says that a handler would be asked, and answers as one for which
// all goes well.
type dryHandler struct{ log *logrus.Entry }

// Decide implements processor.Decider.
func (h dryHandler) Decide(_ context.Context, w *processor.Work) (processor.Verdict, error) {
	dryVendor(h).say(w, "ask the program's own handler")
	if w.Key.Type == fulfillment.Purchase {
		return processor.Approve(processor.Value(w.Profile.TenantParam, dryTenant)), nil
	}
	return processor.Approve(), nil
}

// noVendor takes the place of the vendor's calls in a program whose handlers
// know where their vendor is, for what none of them takes.
type noVendor struct{}

// Decide implements processor.Decider.
func (noVendor) Decide(_ context.Context, w *processor.Work) (processor.Verdict, error) {
	switch w.Profile.Policy(w.Key.Type) {
	case processor.PolicyApprove:
		return processor.Approve(), nil
	case processor.PolicyHold, processor.PolicyCall:
	}
	return processor.Hold(fmt.Sprintf(
		"the program has no handler for requests of type %s of product %s, and HEADRACE_VENDOR_ENDPOINT names no vendor", w.Key.Type, w.Key.Product)), nil
}
