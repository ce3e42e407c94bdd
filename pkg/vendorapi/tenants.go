package vendorapi

import (
	"context"
	"errors"
	"net/http"
	"net/url"
)

// ErrTenantID is in the error of a call for a tenant id that cannot be part of a path.
var ErrTenantID = errors.New("not a tenant id")

// Every call sends key as Idempotency-Key; the key is the id of the request that it is made for. Every error is an *Error.
// All but CreateTenant may be repeated freely.

// CreateTenant creates a tenant. Any 2xx is success, so the tenant may lack an ID: where the answer has none, or where it
// cannot be read at all. An answer that broke off is an error of outcome Unknown.
func (c *Client) CreateTenant(ctx context.Context, key string, body TenantBody) (Tenant, error) {
	res, err := c.do(ctx, call{method: http.MethodPost, route: "/tenant", path: "/tenant", key: key, body: body, reads: true})
	if err != nil {
		return Tenant{}, err
	}
	t, _ := decodeTenant(res.body) // what cannot be read has no ID, which the caller must look at anyway
	return t, nil
}

// GetTenant reads a tenant. An answer that is not a JSON object is an error of kind Unexpected: nothing was learnt.
func (c *Client) GetTenant(ctx context.Context, key, id string) (Tenant, error) {
	res, err := c.tenant(ctx, call{method: http.MethodGet, route: "/tenant/{id}", key: key, reads: true}, id)
	if err != nil {
		return Tenant{}, err
	}
	t, err := decodeTenant(res.body)
	if err != nil {
		return Tenant{}, &Error{
			Kind: Unexpected, Status: res.status, Method: http.MethodGet, Path: tenantPath(id),
			Message: "the answer is not a tenant: " + excerpt(res.body), Err: err,
		}
	}
	if t.ID == "" {
		t.ID = id
	}
	return t, nil
}

// UpdateTenant replaces a tenant's limits. Any 2xx is success, whatever its body; the tenant has the ID asked for unless
// the answer says otherwise.
func (c *Client) UpdateTenant(ctx context.Context, key, id string, body TenantBody) (Tenant, error) {
	res, err := c.tenant(ctx, call{method: http.MethodPut, route: "/tenant/{id}", key: key, body: body}, id)
	if err != nil {
		return Tenant{}, err
	}
	t, _ := decodeTenant(res.body) // the API need not answer with a body
	if t.ID == "" {
		t.ID = id
	}
	return t, nil
}

// DeleteTenant deletes a tenant. One that is gone already is an error of kind NotFound.
func (c *Client) DeleteTenant(ctx context.Context, key, id string) error {
	_, err := c.tenant(ctx, call{method: http.MethodDelete, route: "/tenant/{id}", key: key}, id)
	return err
}

// DisableTenant suspends a tenant.
func (c *Client) DisableTenant(ctx context.Context, key, id string) error {
	_, err := c.tenant(ctx, call{method: http.MethodPut, route: "/tenant/{id}/disable", suffix: "/disable", key: key}, id)
	return err
}

// EnableTenant resumes a tenant.
func (c *Client) EnableTenant(ctx context.Context, key, id string) error {
	_, err := c.tenant(ctx, call{method: http.MethodPut, route: "/tenant/{id}/enable", suffix: "/enable", key: key}, id)
	return err
}

// tenant makes a call that is about one tenant. An empty id would make DELETE /tenant/ of a cancellation, and ".." would
// leave the API: both are refused rather than escaped, as servers resolve %2E%2E too.
func (c *Client) tenant(ctx context.Context, k call, id string) (*result, error) {
	if id == "" || id == "." || id == ".." {
		return nil, &Error{Kind: Unexpected, NotSent: true, Method: k.method, Path: k.route, Err: ErrTenantID}
	}
	k.path = tenantPath(id) + k.suffix
	return c.do(ctx, k)
}

func tenantPath(id string) string { return "/tenant/" + url.PathEscape(id) }
