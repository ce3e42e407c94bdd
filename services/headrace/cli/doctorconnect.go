package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/headrace/headrace/pkg/config"
	"github.com/headrace/headrace/pkg/connect"
	"github.com/headrace/headrace/services/committer"
)

// connect checks the key, then what the key sees.
func (e *examination) connect(ctx context.Context) {
	const check = "connect"
	if e.cfg.Connect.APIKey.IsZero() {
		return // told by settings
	}
	c, err := connect.NewClient(string(e.cfg.Connect.Endpoint), e.cfg.Connect.APIKey.Reveal(),
		connect.WithRetry(1, 200*time.Millisecond, time.Second), connect.WithTimeout(checkTimeout/2))
	if err != nil {
		e.fail(check, "check the connect settings", "%v", err)
		return
	}
	defer c.CloseIdleConnections()
	who, err := c.Accounts.Whoami(ctx)
	switch {
	case connect.IsUnauthorized(err):
		e.fail(check, "put a valid key into "+e.cfg.Name("connect.api_key")+"; Connect shows keys under Integrations, Tokens",
			"%s refuses the API key: %v", e.cfg.Connect.Endpoint, err)
		return
	case connect.IsNotFound(err):
		e.fail(check, "check "+e.cfg.Name("connect.endpoint")+"; it ends with /public/v1", "%s is not Connect's API: %v", e.cfg.Connect.Endpoint, err)
		return
	case err != nil:
		e.fail(check, "check "+e.cfg.Name("connect.endpoint")+", the network and Connect's status page", "%s: %v", e.cfg.Connect.Endpoint, err)
		return
	}
	e.ok(check, "%s takes the key, which is of %s %s", e.cfg.Connect.Endpoint, who.ID, who.Name)
	for _, id := range e.products(ctx, c) {
		e.product(ctx, c, id)
	}
}

// products compares what the key sees with what is configured, and returns the
// ids to look at.
func (e *examination) products(ctx context.Context, c *connect.Client) []string {
	const check = "products"
	list, err := c.Products.List(ctx)
	if err != nil {
		e.fail(check, "give the key the permission to read products", "list products: %v", err)
		return nil
	}
	var visible []string
	for _, p := range list {
		visible = append(visible, p.ID)
	}
	if len(visible) == 0 {
		e.fail(check, "give the key access to the product in Connect", "the key sees no product")
		return nil
	}
	if len(e.cfg.Products) == 0 {
		e.ok(check, "all %d that the key sees: %s", len(visible), shorten(strings.Join(visible, ", "), 200))
		return visible
	}
	var present []string
	for _, id := range e.cfg.Products {
		if slices.Contains(visible, id) {
			present = append(present, id)
			continue
		}
		mend := "correct it, or give the key access to it in Connect"
		if near, ok := config.Nearest(id, visible); ok {
			mend = "did you mean " + near + "? Else give the key access to it in Connect"
		}
		e.fail(check, mend, "%s names %s, which the key does not see", e.cfg.Name("products"), id)
	}
	if len(present) > 0 {
		e.ok(check, "%s; the key sees %d", strings.Join(present, ", "), len(visible))
	}
	return present
}

// product checks what approving a request of the product takes.
func (e *examination) product(ctx context.Context, c *connect.Client, id string) {
	const check = "templates"
	found, err := c.Templates.List(ctx, id, "asset", "fulfillment")
	if err != nil {
		e.fail(check, "give the key the permission to read templates", "%s: %v", id, err)
		return
	}
	if e.named(ctx, c, id) {
		e.ok(check, "%s is approved with what its profile says", id)
	} else if template, err := committer.PickActivation(found); err != nil {
		problem, mend, _ := strings.Cut(err.Error(), ": ")
		e.fail(check, mend+" in the product's Templates (scope asset, type fulfillment); its requests are held until then", "%s: %s", id, problem)
	} else {
		e.ok(check, "%s is approved with %s", id, template)
	}
	params, err := c.Products.Parameters(ctx, id)
	param := e.tenantParam(id)
	tenant := func(p connect.Param) bool { return p.Name == param }
	if err == nil && !slices.ContainsFunc(params, tenant) {
		e.warn("products", "add it to the product's parameters, with phase fulfillment and scope asset",
			"%s has no parameter %s, where the tenant's id is kept", id, param)
	}
	if err == nil && e.profiles != nil {
		e.rules(id, params)
	}
}

// vendor asks for a tenant that cannot be: any answer but a refusal of our
// credentials shows that somebody is there, and nothing is changed by it.
func (e *examination) vendor(ctx context.Context) {
	const check = "vendor"
	if e.profiles != nil {
		e.vendors(ctx)
		return
	}
	base := e.cfg.Vendor.Endpoint
	if base == "" {
		return // told by settings
	}
	code, err := askVendor(ctx, string(base)+"/tenant/headrace-doctor")
	name := e.cfg.Name("vendor.endpoint")
	switch {
	case err != nil:
		e.fail(check, "check "+name+", and that the vendor's API runs", "%s is not reached: %v", base, err)
	case code == http.StatusUnauthorized || code == http.StatusForbidden:
		e.fail(check, "check the credentials in "+name+"; requests wait until then", "%s refuses us with %d", base, code)
	case code >= http.StatusInternalServerError:
		e.warn(check, "see to the vendor's API; requests wait until then", "%s answers %d", base, code)
	default:
		e.ok(check, "%s answers (%d for a tenant that is not there)", base, code)
	}
	if e.cfg.Vendor.Idempotency == config.IdempotencyNone {
		e.unguarded("all products")
		return
	}
	e.ok(check, "idempotency key: a POST is repeated with its Idempotency-Key, which the vendor must honour (this cannot be checked from here)")
}

func askVendor(ctx context.Context, url string) (int, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, errors.New("not a URL")
	}
	req.Header.Set("User-Agent", "headrace-doctor")
	client := http.Client{
		Timeout:       checkTimeout / 2,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	defer client.CloseIdleConnections()
	res, err := client.Do(req)
	if err != nil {
		return 0, err
	}
	defer func() { _ = res.Body.Close() }()
	if _, err := io.Copy(io.Discard, io.LimitReader(res.Body, 64<<10)); err != nil {
		return 0, fmt.Errorf("read its answer: %w", err)
	}
	return res.StatusCode, nil
}
