package app

import (
	"context"

	"github.com/sirupsen/logrus"

	"github.com/headrace/headrace/pkg/vendorapi"
)

// dryVendor says what would be called, and answers as a vendor would for whom
// all goes well.
type dryVendor struct{ log *logrus.Entry }

// dryTenant stands for a tenant that a dry run does not create.
const dryTenant = "dry-run"

func (v dryVendor) say(method, path string) {
	v.log.Infof("dry run: would call the vendor: %s %s", method, path)
}

func (v dryVendor) CreateTenant(_ context.Context, _ string, body vendorapi.TenantBody) (vendorapi.Tenant, error) {
	v.say("POST", "/tenant for "+body.ExternalID)
	return vendorapi.Tenant{ID: dryTenant}, nil
}

func (v dryVendor) GetTenant(_ context.Context, _, id string) (vendorapi.Tenant, error) {
	v.say("GET", "/tenant/"+id)
	return vendorapi.Tenant{ID: id}, nil
}

func (v dryVendor) UpdateTenant(_ context.Context, _, id string, _ vendorapi.TenantBody) (vendorapi.Tenant, error) {
	v.say("PUT", "/tenant/"+id)
	return vendorapi.Tenant{ID: id}, nil
}

func (v dryVendor) DeleteTenant(_ context.Context, _, id string) error {
	v.say("DELETE", "/tenant/"+id)
	return nil
}

func (v dryVendor) DisableTenant(_ context.Context, _, id string) error {
	v.say("PUT", "/tenant/"+id+"/disable")
	return nil
}

func (v dryVendor) EnableTenant(_ context.Context, _, id string) error {
	v.say("PUT", "/tenant/"+id+"/enable")
	return nil
}
