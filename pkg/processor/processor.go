// Package processor is what the type services share: it takes a request from
// its durable, makes sure that there is still something to do and that nobody
// else does it, asks the service to decide, and stores the decision.
//
// It reads Connect (is the request still pending?) but never writes to it, and
// calls no vendor: the service does.
package processor

import (
	"context"
	"errors"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/headrace/headrace/pkg/deadletter"
	"github.com/headrace/headrace/pkg/failpoint"
	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/stream"
	"github.com/headrace/headrace/pkg/upstream"
)

// Decider is a type service: it carries a request out in the vendor's system
// and answers what became of it. An error means "not decided yet": the request
// comes again. Decide may be called again for the same request at any time, and
// must make of it what it made of it before.
type Decider interface {
	Decide(ctx context.Context, w *Work) (Verdict, error)
}

// Beginner is a Decider that may put an intent on disk before it does anything
// else.
type Beginner interface {
	Decider
	// Begins reports whether Decide will call OpenCall and BeginCall, and nobody
	// outside this process before that.
	Begins(w *Work) bool
}

// Log is what the processor needs of the stream layer.
type Log interface {
	Append(ctx context.Context, m stream.Message, opts ...stream.AppendOption) (uint64, error)
	Last(ctx context.Context, name, filter string) (*stream.Stored, error)
	Get(ctx context.Context, name string, seq uint64) (*stream.Stored, error)
	StreamState(ctx context.Context, name string) (stream.StreamState, error)
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
	// Connect, which may be nil, is whom Status asks.
	Connect *upstream.Upstream
	// Upstreams are all whom the service's requests may need, see Upstreams; none is
	// not known, or that some need nobody.
	Upstreams []*upstream.Upstream
	// Alone says that the broker has no replicas. Those guard appends under way by
	// the text of what they expect, and the first one of a request expects more than
	// the others do: where there may be such, nothing is presumed.
	Alone bool
	// Most, if not nil, is how many requests may be in flight at one upstream; 0 is
	// no bound.
	Most func() int
	// MaxWait bounds a scheduled pause: half of the stream's max age, since an
	// older schedule is dropped silently. Longer ones are chained. 0: 24 h.
	MaxWait time.Duration
	Now     func() time.Time
}

// Processor runs one type service. Its Handle is safe for concurrent use.
type Processor struct {
	service   string
	decider   Decider
	profiles  Profiles
	log       Log
	dead      *deadletter.Writer
	status    Status
	metrics   Recorder
	logger    *logrus.Entry
	connect   *upstream.Upstream
	most      func() int
	upstreams []*upstream.Upstream
	resting   upstream.Resting
	alone     bool
	tries     *tries
	maxWait   time.Duration
	now       func() time.Time
}

// New returns a Processor.
func New(c Config) *Processor {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Most == nil {
		c.Most = func() int { return 0 }
	}
	if c.MaxWait <= 0 {
		c.MaxWait = 24 * time.Hour
	}
	return &Processor{
		service: c.Service, decider: c.Decider, profiles: c.Profiles, log: c.Log, dead: c.Dead, status: c.Status,
		metrics: c.Metrics, logger: c.Logger.WithField("service", c.Service), maxWait: c.MaxWait, now: c.Now,
		connect: c.Connect, upstreams: c.Upstreams, alone: c.Alone, most: c.Most, tries: newTries(),
	}
}

const (
	kindRequested = "requested"

	// staleAfter is the age at which a message is checked against Connect
	// before the vendor is called.
	staleAfter = time.Hour

	// freshFor is how long a first delivery is taken for the first. A consumer
	// that had to be made anew counts deliveries from 1 again, but not within
	// the ack wait.
	freshFor = 10 * time.Second
)

// Handle carries out one delivery. It is a stream.Handler.
func (p *Processor) Handle(ctx context.Context, d *stream.Delivery) error {
	w, err := p.read(d)
	if err != nil {
		return p.bury(ctx, d, fulfillment.StageDecode, err.Error())
	}
	began := p.now()
	ctx, leave, err := p.enter(ctx, d, w)
	defer leave()
	if err != nil {
		return p.again(ctx, d, w, err)
	}
	v, mine, err := p.try(ctx, d, w)
	if w.presumed && (errors.Is(err, errPresumed) || errors.Is(err, stream.ErrConflict)) { // and nothing was done
		w.presumed, w.untouched, w.doubted = false, false, true
		v, mine, err = p.try(ctx, d, w)
	}
	if err != nil {
		return p.again(ctx, d, w, err)
	}
	p.tries.forget(d.Sequence)
	if !mine {
		return nil
	}
	p.metrics.Decision(p.service, string(w.Key.Type), string(v.Decision))
	p.metrics.Handled(p.service, string(w.Key.Type), p.now().Sub(began))
	p.entry(w).WithFields(logrus.Fields{
		"decision": v.Decision, "duration_ms": p.now().Sub(began).Milliseconds(),
	}).Info("request decided")
	return nil
}

// try carries the delivery out, if there is something to do.
func (p *Processor) try(ctx context.Context, d *stream.Delivery, w *Work) (v Verdict, mine bool, err error) {
	if mine, err = p.claim(ctx, d, w); err != nil || !mine {
		return Verdict{}, false, err
	}
	failpoint.Here(failpoint.Delivered, w.Key.Request)
	if v, err = p.decide(ctx, d, w); err == nil {
		err = p.carry(ctx, d, w, v)
	}
	return v, true, err
}

// bury writes a dead letter about the delivery; then it is done with.
func (p *Processor) bury(ctx context.Context, d *stream.Delivery, stage fulfillment.Stage, reason string) error {
	if err := lost(ctx); err != nil {
		return stream.RetryAfter(err, 0)
	}
	letter := deadletter.OfDelivery(d, stage, reason)
	if err := p.dead.Write(ctx, letter); err != nil {
		return stream.RetryAfter(err, firstPause)
	}
	failpoint.Here(failpoint.DeadWritten, letter.RequestID)
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
