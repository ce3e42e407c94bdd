package committer

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/headrace/headrace/pkg/connect"
	"github.com/headrace/headrace/pkg/fulfillment"
)

// holdError says why a person must decide.
type holdError struct{ reason string }

func (e *holdError) Error() string { return e.reason }

func hold(format string, args ...any) error {
	return &holdError{reason: fmt.Sprintf(format, args...)}
}

// refused reports whether Connect refuses a call for good: a 4xx that is
// neither about our credentials nor a request to slow down.
func refused(err error) bool {
	api := (*connect.APIError)(nil)
	if !errors.As(err, &api) {
		return false
	}
	return api.Status >= 400 && api.Status < 500 && !connect.IsUnauthorized(err) && !connect.IsTransient(err)
}

// act saves parameters and carries the decision out on a pending request. It
// returns the request as Connect has it afterwards, and the reason that goes
// into the event.
func (c *Committer) act(ctx context.Context, r *fulfillment.Result, req *connect.Request) (*connect.Request, string, error) {
	updates := changed(req, r.Params)
	if c.DryRun {
		c.entry(r).WithField("decision", r.Decision).Infof("dry run: would save %d parameters and %s: %s", len(updates), r.Decision, r.Reason)
		return req, "", nil
	}
	if len(updates) > 0 {
		err := c.Requests.UpdateParams(ctx, r.RequestID, updates)
		if refused(err) {
			return c.fail(ctx, r, fmt.Sprintf("Connect refused the parameters: %v", err))
		}
		if err != nil {
			return nil, "", fmt.Errorf("save parameters of %s: %w", r.RequestID, err)
		}
		apply(req, updates)
	}
	switch r.Decision {
	case fulfillment.Approve:
		return c.approve(ctx, r, req)
	case fulfillment.Fail:
		return c.fail(ctx, r, r.Reason)
	case fulfillment.Inquire:
		return c.inquire(ctx, r)
	default:
		return req, "", nil // Wait saves parameters and no more
	}
}

func (c *Committer) approve(ctx context.Context, r *fulfillment.Result, req *connect.Request) (*connect.Request, string, error) {
	if empty := req.EmptyRequired(connect.PhaseFulfillment); len(empty) > 0 {
		return c.fail(ctx, r, "required fulfillment parameters are empty: "+ids(empty))
	}
	template := r.Template
	if template == "" {
		var err error
		if template, err = c.Templates.Activation(ctx, r.ProductID, scopeAsset); err != nil {
			return nil, "", err
		}
	}
	approved, err := c.Requests.Approve(ctx, r.RequestID, connect.Approval{TemplateID: template})
	if refused(err) {
		return nil, "", hold("Connect refuses to approve: %v", err)
	}
	if err != nil {
		return nil, "", fmt.Errorf("approve request %s: %w", r.RequestID, err)
	}
	return approved, r.Reason, nil
}

func (c *Committer) fail(ctx context.Context, r *fulfillment.Result, reason string) (*connect.Request, string, error) {
	failed, err := c.Requests.Fail(ctx, r.RequestID, reason)
	if refused(err) {
		return nil, "", hold("Connect refuses to fail the request for %q: %v", reason, err)
	}
	if err != nil {
		return nil, "", fmt.Errorf("fail request %s: %w", r.RequestID, err)
	}
	return failed, reason, nil
}

func (c *Committer) inquire(ctx context.Context, r *fulfillment.Result) (*connect.Request, string, error) {
	template := r.Template
	if template == "" {
		var err error
		if template, err = c.Templates.Inquiry(ctx, r.ProductID); err != nil {
			return nil, "", err
		}
	}
	inquired, err := c.Requests.Inquire(ctx, r.RequestID, template)
	if refused(err) {
		return nil, "", hold("Connect refuses to inquire: %v", err)
	}
	if err != nil {
		return nil, "", fmt.Errorf("inquire request %s: %w", r.RequestID, err)
	}
	return inquired, r.Reason, nil
}

// changed leaves out what Connect has already.
func changed(req *connect.Request, params []fulfillment.Param) []connect.ParamUpdate {
	updates := make([]connect.ParamUpdate, 0, len(params))
	for _, p := range params {
		has := req.Param(p.ID)
		if has != nil && (p.Value == nil || *p.Value == has.Value) && (p.ValueError == nil || *p.ValueError == has.ValueError) {
			continue
		}
		updates = append(updates, connect.ParamUpdate{ID: p.ID, Value: p.Value, ValueError: p.ValueError})
	}
	return updates
}

// apply makes req what it is in Connect after the update.
func apply(req *connect.Request, updates []connect.ParamUpdate) {
	for _, u := range updates {
		p := req.Param(u.ID)
		if p != nil && u.Value != nil {
			p.Value = *u.Value
		}
	}
}

func ids(params []connect.Param) string {
	names := make([]string, len(params))
	for i, p := range params {
		names[i] = p.ID
	}
	return strings.Join(names, ", ")
}
