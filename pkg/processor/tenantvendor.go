package processor

import (
	"context"
	"errors"

	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/vendorapi"
)

// TenantAPI is the vendor API of products without a profile.
type TenantAPI interface {
	CreateTenant(ctx context.Context, key string, body vendorapi.TenantBody) (vendorapi.Tenant, error)
	GetTenant(ctx context.Context, key, id string) (vendorapi.Tenant, error)
	UpdateTenant(ctx context.Context, key, id string, body vendorapi.TenantBody) (vendorapi.Tenant, error)
	DeleteTenant(ctx context.Context, key, id string) error
	DisableTenant(ctx context.Context, key, id string) error
	EnableTenant(ctx context.Context, key, id string) error
}

// TenantVendor is the Vendor of products without a profile: it speaks the
// tenant API.
type TenantVendor struct{ API TenantAPI }

// Create is POST /tenant.
func (v TenantVendor) Create(ctx context.Context, w *Work) (Answer, error) {
	t, err := v.API.CreateTenant(ctx, w.IdempotencyKey(), vendorapi.NewTenantBody(w.Request))
	if err != nil {
		return Answer{}, err
	}
	if t.ID == "" {
		return Answer{State: Rejected, Reason: "the vendor answered without a tenantId"}, nil
	}
	return answerOf(w, t), nil
}

// Continue is GET /tenant/{id}.
func (v TenantVendor) Continue(ctx context.Context, w *Work, tenant string) (Answer, error) {
	t, err := v.API.GetTenant(ctx, w.IdempotencyKey(), tenant)
	if err != nil {
		return Answer{}, err
	}
	t.ID = tenant
	return answerOf(w, t), nil
}

// Call is PUT /tenant/{id} for a change, DELETE for a cancellation, and PUT
// …/disable and …/enable. A tenant to delete that is gone is as good.
func (v TenantVendor) Call(ctx context.Context, w *Work, tenant string) (Answer, error) {
	key := w.IdempotencyKey()
	switch w.Key.Type {
	case fulfillment.Change:
		t, err := v.API.UpdateTenant(ctx, key, tenant, vendorapi.NewTenantBody(w.Request))
		if err != nil {
			return Answer{}, err
		}
		t.ID = tenant
		return answerOf(w, t), nil
	case fulfillment.Cancel:
		err := v.API.DeleteTenant(ctx, key, tenant)
		var fault *vendorapi.Error
		if errors.As(err, &fault) && fault.Kind == vendorapi.NotFound {
			err = nil
		}
		return Answer{State: Ready}, err
	case fulfillment.Suspend:
		return Answer{State: Ready}, v.API.DisableTenant(ctx, key, tenant)
	case fulfillment.Resume:
		return Answer{State: Ready}, v.API.EnableTenant(ctx, key, tenant)
	default:
		return Answer{}, errors.New("the tenant API has no call for requests of type " + string(w.Key.Type))
	}
}

func answerOf(w *Work, t vendorapi.Tenant) Answer {
	a := Answer{Status: t.Status, Params: []fulfillment.Param{Value(w.Profile.TenantParam, t.ID)}}
	switch t.State() {
	case vendorapi.Ready:
		a.State = Ready
	case vendorapi.Pending:
		a.State = Pending
	case vendorapi.Failed:
		a.State = Failed
	case vendorapi.Strange:
	}
	return a
}
