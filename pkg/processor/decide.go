package processor

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"

	"github.com/headrace/headrace/pkg/episode"
	"github.com/headrace/headrace/pkg/failpoint"
	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/guard"
	"github.com/headrace/headrace/pkg/stream"
)

// decide asks the service, unless the message is old or comes again and Connect
// says that the request is not pending any more.
func (p *Processor) decide(ctx context.Context, d *stream.Delivery, w *Work) (Verdict, error) {
	if w.Attempt > 1 && !w.untried || p.now().Sub(d.Time) > staleAfter || w.Replay > 0 {
		status, err := p.status(ctx, w.Key)
		if err != nil {
			return Verdict{}, Transient(fmt.Errorf("check status of %s: %w", w.Key.Request, err), 0)
		}
		if status != w.expected() {
			return Verdict{Decision: fulfillment.Recheck, Reason: "found " + quoteStatus(status) + " in Connect"}, nil
		}
	}
	if err := p.rebase(ctx, w); err != nil {
		return Verdict{}, Transient(err, 0)
	}
	profile, err := p.profiles(w)
	if err != nil {
		return Hold(err.Error()), nil
	}
	w.Profile = profile
	v, err := p.safely(ctx, w)
	if err != nil {
		return Verdict{}, err
	}
	if v.Refused && profile.Rejection != nil {
		v = profile.Rejection(w, v)
	}
	if v.Decision == fulfillment.Approve && v.Reason == "" {
		v.Reason = "approved by the service " + p.service
	}
	told := map[fulfillment.Decision]func(*Work, Verdict) (fulfillment.Template, error){
		fulfillment.Approve: profile.Approval, fulfillment.Inquire: profile.Inquiry,
	}[v.Decision]
	if told != nil && v.Template == (fulfillment.Template{}) {
		if v.Template, err = told(w, v); err != nil {
			return Verdict{Decision: fulfillment.Hold, Reason: err.Error(), Params: v.Params}, nil
		}
	}
	return w.onReplay(v), nil
}

// safely makes an error of a panic, so that it is counted like all that is not
// understood, and ends with an operator.
func (p *Processor) safely(ctx context.Context, w *Work) (v Verdict, err error) {
	defer func() {
		if r := recover(); r != nil {
			p.entry(w).Errorf("panic: %v\n%s", r, debug.Stack())
			v, err = Verdict{}, fmt.Errorf("panic: %v", r)
		}
	}()
	return p.byProfile(ctx, w)
}

// byProfile decides what the profile decides by itself, and asks the service
// for the rest.
func (p *Processor) byProfile(ctx context.Context, w *Work) (Verdict, error) {
	profile := w.Profile
	if w.isDone {
		v := Approve(w.done...)
		v.Reason = "carried out at the vendor, as an operator says"
		return v, nil
	}
	if profile.Manual {
		return Hold("the product's profile leaves its requests to a person"), nil
	}
	if profile.Validate != nil {
		if v, wrong := profile.Validate(w); wrong {
			return v, nil
		}
	}
	if profile.Decider != nil && profile.Policies[w.Key.Type] != PolicyHold {
		return profile.Decider.Decide(ctx, w)
	}
	switch profile.Policy(w.Key.Type) {
	case PolicyApprove:
		v := Approve()
		v.Reason = "nothing is to be done at the vendor for requests of type " + string(w.Key.Type)
		return v, nil
	case PolicyHold:
		return Hold(fmt.Sprintf("requests of type %s are left to a person", w.Key.Type)), nil
	case PolicyCall:
	}
	if w.closed != nil {
		return Verdict{}, w.closed
	}
	return p.decider.Decide(ctx, w)
}

func quoteStatus(s string) string {
	if s == "" {
		return "nothing of that id"
	}
	return s
}

// carry stores what was decided.
func (p *Processor) carry(ctx context.Context, d *stream.Delivery, w *Work, v Verdict) error {
	if v.Reason == "" && (v.Decision == fulfillment.Fail || v.Decision == fulfillment.Hold) {
		return fmt.Errorf("service %s answered %q without a reason", p.service, v.Decision)
	}
	v.Reason = w.scrub(v.Reason)
	switch v.Decision {
	case fulfillment.Approve, fulfillment.Fail, fulfillment.Inquire, fulfillment.Recheck:
		// The committer acts on the last result alone: it repeats what was saved.
		v.Params = fulfillment.Merge(w.saved, v.Params)
		return p.publish(ctx, w, v)
	case fulfillment.Wait:
		if err := w.Save(ctx, v.Reason, v.Params...); err != nil {
			return err
		}
		pause := v.After
		if pause <= 0 {
			pause = p.pollPause(w.polls)
		}
		w.polls++
		return p.schedule(ctx, d, w, pause)
	case fulfillment.Hold:
		if w.presumed {
			return errPresumed // a dead letter expects nothing
		}
		if len(v.Params) > 0 { // a tenant's id must not be lost with the hold
			if err := w.Save(ctx, v.Reason, v.Params...); err != nil {
				return err
			}
		}
		return p.bury(ctx, d, fulfillment.StageHold, v.Reason)
	}
	return fmt.Errorf("service %s answered %q, which is no decision", p.service, v.Decision)
}

// lost tells that the message is in other hands, by its lease and not by ctx,
// which another goroutine ends. Whoever was stopped in the middle of a call, and
// stored what came of it, would let the subscription go on while its successor
// is at the same call. What is done in a process that stops is stored.
func lost(ctx context.Context) error {
	if err := guard.Ask(ctx); errors.Is(err, stream.ErrLeaseLost) {
		return &guard.RefusedError{Err: err}
	}
	return nil
}

// unrepeated reports whether a successor leaves the request to a person, as a
// call was begun that nobody may repeat: then it is at no call, and what came of
// this one is worth storing however late.
func (w *Work) unrepeated() bool {
	return w.intent != nil && !w.Waited && !w.Profile.Idempotent && w.Profile.Finder == nil
}

// publish stores a result. It expects the sequence that was last on the
// request's subject before the vendor was called: a worker that lost its
// message in between can't publish any more.
func (p *Processor) publish(ctx context.Context, w *Work, v Verdict) error {
	if err := lost(ctx); err != nil && !w.unrepeated() {
		return err
	}
	r := fulfillment.Result{
		RequestID: w.Key.Request, AssetID: w.Key.Asset, ProductID: w.Key.Product, Type: w.Key.Type,
		Episode: w.Episode, Attempt: w.Attempt, Decision: v.Decision, Reason: v.Reason,
		Params: v.Params, Template: v.Template, Time: p.now().UTC(),
		IfRefused: w.ifRefused(), Replay: w.Replay,
	}
	step := "decided"
	if v.Decision == fulfillment.Wait {
		step = "waiting"
		if w.Waited {
			r.Time = w.since.UTC() // it has waited since then
		}
	}
	seq, err := episode.PutResult(ctx, p.log, r, step, w.fence)
	if err != nil {
		return err
	}
	failpoint.Here(failpoint.ResultPublished, w.Key.Request)
	w.fence, w.presumed = seq, false
	return nil
}
