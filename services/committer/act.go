package committer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/headrace/headrace/pkg/connect"
	"github.com/headrace/headrace/pkg/facts"
	"github.com/headrace/headrace/pkg/failpoint"
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

// act carries one result out on one pending request.
type act struct {
	*Committer
	to  target
	r   *fulfillment.Result
	has *state
	// saved says that the parameters were saved just now, whatever has shows.
	saved bool
}

// outcome is the status that Connect has the request in, the reason that goes
// into the event, and what was seen of the request last.
type outcome struct {
	status, reason string
	about          facts.About
}

// do saves parameters and carries the decision out.
func (a *act) do(ctx context.Context) (outcome, error) {
	updates := a.changed()
	if a.saved {
		a.apply(updates)
		updates = nil
	}
	if a.DryRun {
		return outcome{status: a.has.status}, a.rehearse(ctx, updates)
	}
	if len(updates) > 0 {
		_, err := a.to.update(ctx, a.r.RequestID, updates)
		if refused(err) {
			return a.giveUp(ctx, fmt.Sprintf("Connect refused the parameters: %v", err))
		}
		if err != nil {
			return outcome{}, fmt.Errorf("save parameters of %s: %w", a.r.RequestID, err)
		}
		failpoint.Here(failpoint.ParamsSaved, a.r.RequestID)
		a.apply(updates)
	}
	switch a.r.Decision {
	case fulfillment.Approve:
		return a.approve(ctx)
	case fulfillment.Fail:
		return a.fail(ctx, a.r.Reason)
	case fulfillment.Inquire:
		return a.inquire(ctx)
	case fulfillment.Wait, fulfillment.Hold, fulfillment.Recheck:
	}
	return outcome{status: a.has.status}, nil // Wait saves parameters and no more
}

// rehearse says what do would write, with everything that only needs reading
// looked at: it fails where do would hold the request.
func (a *act) rehearse(ctx context.Context, updates []connect.ParamUpdate) error {
	a.apply(updates)
	would, reason := a.r.Decision, a.r.Reason
	if would == fulfillment.Approve {
		if empty := a.emptyRequired(); len(empty) > 0 {
			would, reason = fulfillment.Fail, "required fulfillment parameters are empty: "+strings.Join(empty, ", ")
			if a.r.IfRefused == fulfillment.Hold {
				return hold("%s", reason)
			}
		} else if _, err := a.approval(ctx); err != nil {
			return err
		}
	}
	a.entry(a.r).WithField("decision", would).Infof("dry run: would save %d parameters and %s: %s", len(updates), would, reason)
	return nil
}

// giveUp fails the request, or holds it where its profile says so: its tenant
// may exist.
func (a *act) giveUp(ctx context.Context, reason string) (outcome, error) {
	if a.r.IfRefused == fulfillment.Hold {
		return outcome{}, hold("%s", reason)
	}
	return a.fail(ctx, reason)
}

func (a *act) approve(ctx context.Context) (outcome, error) {
	if empty := a.emptyRequired(); len(empty) > 0 {
		return a.giveUp(ctx, "required fulfillment parameters are empty: "+strings.Join(empty, ", "))
	}
	approval, err := a.approval(ctx)
	if err != nil {
		return outcome{}, err
	}
	status, err := a.to.approve(ctx, a.r.RequestID, approval)
	if refused(err) {
		return outcome{}, hold("Connect refuses to approve: %v", err)
	}
	if err != nil {
		return outcome{}, fmt.Errorf("approve request %s: %w", a.r.RequestID, err)
	}
	failpoint.Here(failpoint.Approved, a.r.RequestID)
	return outcome{status: status, reason: a.r.Reason}, nil
}

// approval is what the customer is told: what the result says, else the
// product's default template.
func (a *act) approval(ctx context.Context) (connect.Approval, error) {
	switch t := a.r.Template; {
	case t.ID != "":
		return connect.Approval{TemplateID: t.ID}, nil
	case t.Name != "":
		id, err := a.Templates.Named(ctx, a.r.ProductID, a.has.scope, t.Name)
		return connect.Approval{TemplateID: id}, err
	case t.Tile != "":
		return connect.Approval{ActivationTile: t.Tile}, nil
	}
	id, err := a.Templates.Activation(ctx, a.r.ProductID, a.has.scope)
	return connect.Approval{TemplateID: id}, err
}

func (a *act) fail(ctx context.Context, reason string) (outcome, error) {
	status, err := a.to.fail(ctx, a.r.RequestID, reason)
	if refused(err) {
		return outcome{}, hold("Connect refuses to fail the request for %q: %v", reason, err)
	}
	if err != nil {
		return outcome{}, fmt.Errorf("fail request %s: %w", a.r.RequestID, err)
	}
	return outcome{status: status, reason: reason}, nil
}

func (a *act) inquire(ctx context.Context) (outcome, error) {
	template := a.r.Template.ID
	if template == "" && a.has.scope == ScopeAsset {
		var err error
		if template, err = a.Templates.Inquiry(ctx, a.r.ProductID, a.r.Template.Name); err != nil {
			return outcome{}, err
		}
	}
	status, err := a.to.inquire(ctx, a.r.RequestID, template)
	if refused(err) {
		return a.answered(ctx, err)
	}
	if err != nil {
		return outcome{}, fmt.Errorf("inquire request %s: %w", a.r.RequestID, err)
	}
	return outcome{status: status, reason: a.r.Reason}, nil
}

// answered looks why Connect refuses to inquire. Where the request is pending
// and nothing in it is marked any more, the customer was faster: the inquiry
// took effect, its answer got lost, and theirs came before it was made again.
// What they said is for a new episode to judge.
func (a *act) answered(ctx context.Context, refusal error) (outcome, error) {
	now, err := a.to.get(ctx, a.r.RequestID)
	if err != nil {
		return outcome{}, fmt.Errorf("read request %s: %w", a.r.RequestID, err)
	}
	marked := func(p fulfillment.Param) bool {
		has := now.param(p.ID)
		return p.ValueError != nil && has != nil && has.ValueError != ""
	}
	if now.status != connect.StatusPending || len(a.r.Params) == 0 || slices.ContainsFunc(a.r.Params, marked) {
		return outcome{}, hold("Connect refuses to inquire: %v", refusal)
	}
	return outcome{status: connect.StatusInquiring, reason: a.r.Reason}, nil
}

// changed leaves out what Connect has already.
func (a *act) changed() []connect.ParamUpdate {
	return updates(slices.DeleteFunc(slices.Clone(a.r.Params), func(p fulfillment.Param) bool {
		has := a.has.param(p.ID)
		return has != nil && (p.Value == nil || *p.Value == has.Value) && (p.ValueError == nil || *p.ValueError == has.ValueError)
	}))
}

func updates(params []fulfillment.Param) []connect.ParamUpdate {
	list := make([]connect.ParamUpdate, 0, len(params))
	for _, p := range params {
		list = append(list, connect.ParamUpdate{ID: p.ID, Value: p.Value, ValueError: p.ValueError})
	}
	return list
}

// apply makes what we know of the request what it is in Connect after the
// update.
func (a *act) apply(updates []connect.ParamUpdate) {
	for _, u := range updates {
		if p := a.has.param(u.ID); p != nil && u.Value != nil {
			p.Value = *u.Value
		}
	}
}

func (a *act) emptyRequired() []string {
	var ids []string
	for _, p := range a.has.params {
		if p.Phase == connect.PhaseFulfillment && p.Constraints.Required && p.Empty() {
			ids = append(ids, p.ID)
		}
	}
	return ids
}
