package app

import (
	"context"

	"github.com/sirupsen/logrus"

	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/processor"
)

// dryVendor says what would be called, and answers as a vendor would for whom
// all goes well.
type dryVendor struct{ log *logrus.Entry }

// dryTenant stands for a tenant that a dry run does not create.
const dryTenant = "dry-run"

func (v dryVendor) say(w *processor.Work, what string) {
	v.log.WithFields(logrus.Fields{"request_id": w.Key.Request, "request_type": w.Key.Type, "asset_id": w.Key.Asset}).
		Infof("dry run: would call the vendor: %s", what)
}

// Create implements processor.Vendor.
func (v dryVendor) Create(_ context.Context, w *processor.Work) (processor.Answer, error) {
	v.say(w, "POST /tenant")
	params := []fulfillment.Param{processor.Value(w.Profile.TenantParam, dryTenant)}
	return processor.Answer{State: processor.Ready, Params: params}, nil
}

// standardCall is the call of the tenant API for a type. A profile may say
// another: "profile try" shows that one.
func standardCall(t fulfillment.Type, tenant string) string {
	path := "/tenant/" + tenant
	switch t {
	case fulfillment.Change:
		return "PUT " + path
	case fulfillment.Cancel:
		return "DELETE " + path
	case fulfillment.Suspend:
		return "PUT " + path + "/disable"
	case fulfillment.Resume:
		return "PUT " + path + "/enable"
	default:
		return "what the profile says for requests of type " + string(t)
	}
}

// Continue implements processor.Vendor.
func (v dryVendor) Continue(_ context.Context, w *processor.Work, tenant string) (processor.Answer, error) {
	v.say(w, "GET /tenant/"+tenant)
	return processor.Answer{State: processor.Ready}, nil
}

// Call implements processor.Vendor.
func (v dryVendor) Call(_ context.Context, w *processor.Work, tenant string) (processor.Answer, error) {
	v.say(w, standardCall(w.Key.Type, tenant))
	return processor.Answer{State: processor.Ready}, nil
}
