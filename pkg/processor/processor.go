// Package processor is what the type services share: it takes a request from
// its durable, makes sure that there is still something to do and that nobody
// else does it, asks the service to decide, and stores the decision.
//
// It reads Connect (is the request still pending?) but never writes to it, and
// calls no vendor: the service does.
package processor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/headrace/headrace/pkg/connect"
	"github.com/headrace/headrace/pkg/deadletter"
	"github.com/headrace/headrace/pkg/episode"
	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/stream"
)

// Decider is a type service: it carries a request out in the vendor's system
// and answers what became of it. An error means "not decided yet": the request
// comes again. Decide may be called again for the same request at any time, and
// must make of it what it made of it before.
type Decider interface {
	Decide(ctx context.Context, w *Work) (Verdict, error)
}

// Log is what the processor needs of the stream layer.
type Log interface {
	Append(ctx context.Context, m stream.Message, opts ...stream.AppendOption) (uint64, error)
	Last(ctx context.Context, name, filter string) (*stream.Stored, error)
}

// Status asks Connect for a request's status. A request that Connect does not
// know has the status "".
type Status func(ctx context.Context, key fulfillment.Key) (string, error)

// Recorder counts what happens.
type Recorder interface {
	Decision(service, requestType, decision string)
	Retry(service, requestType, kind string)
	Handled(service, requestType string, d time.Duration)
}

// Config is what a Processor is made of. Every field but Now and MaxWait is
// required.
type Config struct {
	Service string
	// Decider is the service. Nil leaves all to the profiles' policies.
	Decider  Decider
	Profiles Profiles
	Log      Log
	Dead     *deadletter.Writer
	Status   Status
	Metrics  Recorder
	Logger   *logrus.Entry
	// MaxWait bounds a scheduled pause: half of the stream's max age, since an
	// older schedule is dropped silently. Longer ones are chained. 0: 24 h.
	MaxWait time.Duration
	Now     func() time.Time
}

// Processor runs one type service. Its Handle is safe for concurrent use.
type Processor struct {
	service  string
	decider  Decider
	profiles Profiles
	log      Log
	dead     *deadletter.Writer
	status   Status
	metrics  Recorder
	logger   *logrus.Entry
	maxWait  time.Duration
	now      func() time.Time
}

// New returns a Processor.
func New(c Config) *Processor {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.MaxWait <= 0 {
		c.MaxWait = 24 * time.Hour
	}
	return &Processor{
		service: c.Service, decider: c.Decider, profiles: c.Profiles, log: c.Log, dead: c.Dead, status: c.Status,
		metrics: c.Metrics, logger: c.Logger.WithField("service", c.Service), maxWait: c.MaxWait, now: c.Now,
	}
}

const (
	kindRequested = "requested"

	// staleAfter is the age at which a message is checked against Connect
	// before the vendor is called.
	staleAfter = time.Hour
)

// Handle carries out one delivery. It is a stream.Handler.
func (p *Processor) Handle(ctx context.Context, d *stream.Delivery) error {
	w, err := p.read(d)
	if err != nil {
		return p.bury(ctx, d, fulfillment.StageDecode, err.Error())
	}
	began := p.now()
	mine, err := p.claim(ctx, d, w)
	if err != nil {
		return p.again(ctx, d, w, err)
	}
	if !mine {
		return nil
	}
	v, err := p.decide(ctx, d, w)
	if err == nil {
		err = p.carry(ctx, d, w, v)
	}
	if err != nil {
		return p.again(ctx, d, w, err)
	}
	p.metrics.Decision(p.service, string(w.Key.Type), string(v.Decision))
	p.metrics.Handled(p.service, string(w.Key.Type), p.now().Sub(began))
	p.entry(w).WithFields(logrus.Fields{
		"decision": v.Decision, "duration_ms": p.now().Sub(began).Milliseconds(),
	}).Info("request decided")
	return nil
}

// read makes Work of a delivery; an error means that it can't be read.
func (p *Processor) read(d *stream.Delivery) (*Work, error) {
	if d.Poison != nil {
		return nil, d.Poison
	}
	_, key, err := fulfillment.ParseSubject(d.Subject)
	if err != nil {
		return nil, err
	}
	w := &Work{
		Key:     key,
		Episode: fulfillment.Episode(d.Header, d.Sequence),
		Attempt: fulfillment.Attempt(d.Header) + d.Attempt - 1,
		polls:   fulfillment.Number(d.Header, fulfillment.HeaderPolls),
		faults:  fulfillment.Number(d.Header, fulfillment.HeaderFaults),
		publish: p.publish, log: p.log, now: p.now,
	}
	said, err := w.decode(d.Body)
	if err != nil {
		return nil, err
	}
	if said != key {
		return nil, fmt.Errorf("the body is about %s %s of asset %s and product %s, which is not what the subject says",
			said.Type, said.Request, said.Asset, said.Product)
	}
	return w, nil
}

// decode reads the body, and returns what it says it is about.
func (w *Work) decode(body []byte) (fulfillment.Key, error) {
	if w.Key.Type.Tier() {
		tier, err := connect.DecodeTierRequest(body)
		if err != nil {
			return fulfillment.Key{}, err
		}
		w.Tier = tier
		return fulfillment.Key{
			Type: fulfillment.TierType(tier.Type), Product: tier.Configuration.Product.ID,
			Asset: tier.Configuration.ID, Request: tier.ID,
		}, nil
	}
	req, err := connect.DecodeRequest(body)
	if err != nil {
		return fulfillment.Key{}, err
	}
	w.Request = req
	return fulfillment.Key{
		Type: fulfillment.Type(req.Type), Product: req.Asset.Product.ID, Asset: req.Asset.ID, Request: req.ID,
	}, nil
}

// claim reports whether the delivery is the asset's head and its episode
// undecided: then, and only then, is there work to do.
func (p *Processor) claim(ctx context.Context, d *stream.Delivery, w *Work) (bool, error) {
	head, err := episode.HeadOf(ctx, p.log, w.Key.Asset)
	if err != nil {
		return false, err
	}
	if head.Sequence < d.Sequence {
		return false, Transient(fmt.Errorf("the head of asset %s is behind: %d, expected %d", w.Key.Asset, head.Sequence, d.Sequence), 0)
	}
	if head.Sequence > d.Sequence {
		p.entry(w).Debug("request superseded by a later message of its asset")
		return false, nil
	}
	result, err := p.lastResult(ctx, w)
	if err != nil {
		return false, err
	}
	if result != nil && result.Episode >= w.Episode {
		if result.Decision.Final() {
			p.entry(w).Debug("request decided before")
			return false, nil
		}
		w.Waited, w.saved, w.since = true, result.Params, result.Time
	}
	if d.Attempt == 1 {
		return true, nil
	}
	closing, err := episode.ClosingOf(ctx, p.log, w.Key)
	if err != nil || closing.Covers(w.Episode) {
		return false, err
	}
	dead, err := p.dead.Has(ctx, w.Key, d.Stream, d.Sequence)
	return !dead, err
}

func (p *Processor) lastResult(ctx context.Context, w *Work) (*fulfillment.Result, error) {
	m, err := p.log.Last(ctx, fulfillment.StreamResults, w.Key.Subject(fulfillment.RootResults))
	if errors.Is(err, stream.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read last result of %s: %w", w.Key.Request, err)
	}
	w.fence = m.Sequence
	var r fulfillment.Result
	if err := json.Unmarshal(m.Body, &r); err != nil {
		return nil, fmt.Errorf("read last result of %s: sequence %d: %w", w.Key.Request, m.Sequence, err)
	}
	return &r, nil
}

// decide asks the service, unless the message is old or comes again and Connect
// says that the request is not pending any more.
func (p *Processor) decide(ctx context.Context, d *stream.Delivery, w *Work) (Verdict, error) {
	if w.Attempt > 1 || p.now().Sub(d.Time) > staleAfter {
		status, err := p.status(ctx, w.Key)
		if err != nil {
			return Verdict{}, Transient(fmt.Errorf("check status of %s: %w", w.Key.Request, err), 0)
		}
		if status != connect.StatusPending {
			return Verdict{Decision: fulfillment.Recheck, Reason: "found " + quoteStatus(status) + " in Connect"}, nil
		}
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
	told := map[fulfillment.Decision]func(*Work, Verdict) (fulfillment.Template, error){
		fulfillment.Approve: profile.Approval, fulfillment.Inquire: profile.Inquiry,
	}[v.Decision]
	if told != nil && v.Template == (fulfillment.Template{}) {
		if v.Template, err = told(w, v); err != nil {
			return Verdict{Decision: fulfillment.Hold, Reason: err.Error(), Params: v.Params}, nil
		}
	}
	return v, nil
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
	if profile.Manual {
		return Hold("the product's profile leaves its requests to a person"), nil
	}
	if profile.Validate != nil {
		if v, wrong := profile.Validate(w); wrong {
			return v, nil
		}
	}
	if profile.Decider != nil {
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
	switch v.Decision {
	case fulfillment.Approve, fulfillment.Fail, fulfillment.Inquire, fulfillment.Recheck:
		return p.publish(ctx, w, v)
	case fulfillment.Wait:
		if !w.Waited || len(v.Params) > len(w.saved) {
			if err := p.publish(ctx, w, v); err != nil {
				return err
			}
		}
		pause := v.After
		if pause <= 0 {
			pause = p.pollPause(w.polls)
		}
		w.polls++
		return p.schedule(ctx, d, w, pause)
	case fulfillment.Hold:
		if len(v.Params) > 0 { // a tenant's id must not be lost with the hold
			if err := w.Save(ctx, v.Reason, v.Params...); err != nil {
				return err
			}
		}
		return p.bury(ctx, d, fulfillment.StageHold, v.Reason)
	}
	return fmt.Errorf("service %s answered %q, which is no decision", p.service, v.Decision)
}

// publish stores a result. It expects the sequence that was last on the
// request's subject before the vendor was called: a worker that lost its
// message in between can't publish any more.
func (p *Processor) publish(ctx context.Context, w *Work, v Verdict) error {
	r := fulfillment.Result{
		RequestID: w.Key.Request, AssetID: w.Key.Asset, ProductID: w.Key.Product, Type: w.Key.Type,
		Episode: w.Episode, Attempt: w.Attempt, Decision: v.Decision, Reason: v.Reason,
		Params: v.Params, Template: v.Template, Time: p.now().UTC(),
		IfRefused: w.ifRefused(),
	}
	step := "decided"
	if v.Decision == fulfillment.Wait {
		step = "waiting"
	}
	seq, err := episode.PutResult(ctx, p.log, r, step, w.fence)
	if err != nil {
		return err
	}
	w.fence = seq
	return nil
}

// bury writes a dead letter about the delivery; then it is done with.
func (p *Processor) bury(ctx context.Context, d *stream.Delivery, stage fulfillment.Stage, reason string) error {
	letter := deadletter.OfDelivery(d, stage, reason)
	if err := p.dead.Write(ctx, letter); err != nil {
		return stream.RetryAfter(err, firstPause)
	}
	p.logger.WithFields(logrus.Fields{
		"request_id": letter.RequestID, "request_type": letter.Type, "asset_id": letter.AssetID,
		"product_id": letter.ProductID, "subject": letter.Subject, "attempt": letter.Attempts,
	}).Errorf("dead letter, stage %s: %s", stage, reason)
	return nil
}

func (p *Processor) entry(w *Work) *logrus.Entry {
	return p.logger.WithFields(logrus.Fields{
		"request_id": w.Key.Request, "request_type": w.Key.Type, "asset_id": w.Key.Asset,
		"product_id": w.Key.Product, "attempt": w.Attempt,
	})
}
