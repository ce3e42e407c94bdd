// Package committer reports decisions to Connect. It alone writes there.
//
//	consumes   fulfillment.results.> (durable committer)
//	calls      Connect: reads the request, saves parameters, then approves,
//	           fails or inquires; for what is carried out again, reads the asset
//	           and saves parameters by an adjustment request
//	publishes  fulfillment.events.<type>.<event>.<product>.<asset>.<request>:
//	           provisioned, what became of the subscription, and at last how the
//	           episode ended; fulfillment.dead.hold.… for what a person must decide
//
// It acts only on a request that is pending: it reads the request before it acts
// or, where a result comes for the first time, saves its parameters and goes by
// Connect's answer to that. The event is named by what Connect says afterwards,
// not by what was decided. So a result may be delivered any number of times, and
// each fact is told once.
package committer

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime/debug"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/headrace/headrace/pkg/connect"
	"github.com/headrace/headrace/pkg/deadletter"
	"github.com/headrace/headrace/pkg/episode"
	"github.com/headrace/headrace/pkg/facts"
	"github.com/headrace/headrace/pkg/failpoint"
	"github.com/headrace/headrace/pkg/fastjson"
	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/guard"
	"github.com/headrace/headrace/pkg/stream"
	"github.com/headrace/headrace/pkg/upstream"
)

// Log is what the committer needs of the stream layer.
type Log interface {
	Append(ctx context.Context, m stream.Message, opts ...stream.AppendOption) (uint64, error)
	Last(ctx context.Context, name, filter string) (*stream.Stored, error)
}

// Recorder counts what happens.
type Recorder interface {
	Event(requestType, event string)
	Retry(service, requestType, kind string)
	Handled(service, requestType string, d time.Duration)
}

// Config is what a Committer is made of.
type Config struct {
	Log          Log
	Dead         *deadletter.Writer
	Facts        *facts.Teller // nil is one that lets out no personal data
	Requests     Requests
	TierRequests TierRequests
	Templates    *Templates
	// Assets and Adjustments are for replays.
	Assets      Assets
	Adjustments Adjustments
	Metrics     Recorder
	Logger      *logrus.Entry
	// Connect, if not nil, is whom Requests and the others ask.
	Connect *upstream.Upstream
	// DryRun says what would be written to Connect and writes nothing, neither
	// there nor as an event.
	DryRun bool
}

// Committer commits results. Its Handle is safe for concurrent use.
type Committer struct {
	Config
	now     func() time.Time
	faults  faults
	resting upstream.Resting
}

// New returns a Committer.
func New(c Config) *Committer {
	if c.Facts == nil {
		c.Facts = facts.New(c.Log, facts.Rules{})
	}
	c.Logger = c.Logger.WithField("service", "committer")
	return &Committer{Config: c, now: time.Now}
}

// Room is how many results it is worth to have come now; see upstream.Resting.
func (c *Committer) Room() int {
	if c.Connect == nil {
		return math.MaxInt
	}
	return c.resting.Room(c.now(), c.Connect)
}

// Handle commits one result. It is a stream.Handler.
func (c *Committer) Handle(ctx context.Context, d *stream.Delivery) error {
	r, err := read(d)
	if err != nil {
		return c.bury(ctx, d, nil, fulfillment.StageDecode, err.Error())
	}
	began := c.now()
	event, err := c.safely(ctx, d, r)
	switch held := (*holdError)(nil); {
	case errors.As(err, &held):
		return c.bury(ctx, d, r, fulfillment.StageHold, held.Error())
	case err != nil:
		return c.retry(ctx, d, r, err)
	}
	c.faults.drop(d.Sequence)
	if event == "" {
		return nil
	}
	c.Metrics.Event(string(r.Type), string(event))
	c.Metrics.Handled("committer", string(r.Type), c.now().Sub(began))
	c.entry(r).WithFields(logrus.Fields{
		"decision": r.Decision, "event": event, "duration_ms": c.now().Sub(began).Milliseconds(),
	}).Info("request committed")
	return nil
}

// safely makes an error of a panic, so that it is counted and ends with an
// operator.
func (c *Committer) safely(ctx context.Context, d *stream.Delivery, r *fulfillment.Result) (event fulfillment.Event, err error) {
	defer func() {
		if p := recover(); p != nil {
			c.entry(r).Errorf("panic: %v\n%s", p, debug.Stack())
			event, err = "", fmt.Errorf("panic: %v", p)
		}
	}()
	return c.commit(ctx, d, r)
}

func read(d *stream.Delivery) (*fulfillment.Result, error) {
	if d.Poison != nil {
		return nil, d.Poison
	}
	_, key, err := fulfillment.ParseSubject(d.Subject)
	if err != nil {
		return nil, err
	}
	r := new(fulfillment.Result)
	if err := fastjson.Unmarshal(d.Body, r); err != nil {
		return nil, fmt.Errorf("decode result: %w", err)
	}
	if r.Key() != key {
		return nil, fmt.Errorf("the body is about %s of asset %s, which is not what the subject says", r.RequestID, r.AssetID)
	}
	if r.Episode == 0 {
		return nil, errors.New("decode result: no episode")
	}
	if !r.Decision.Final() && r.Decision != fulfillment.Wait {
		return nil, fmt.Errorf("decode result: %q is no decision to commit", r.Decision)
	}
	return r, nil
}

// commit carries a result out and returns the event published, "" where there
// was nothing to publish.
func (c *Committer) commit(ctx context.Context, d *stream.Delivery, r *fulfillment.Result) (fulfillment.Event, error) {
	failpoint.Here(failpoint.ResultDelivered, r.RequestID)
	age := c.now().Sub(d.Time)
	fresh := d.Attempt == 1 && age <= freshFor
	closing, err := c.stand(ctx, r, fresh && !again(d))
	if err != nil {
		return "", err
	}
	if closing.Covers(r.Episode) && !failpoint.Off(failpoint.NoEvent) {
		return "", nil
	}
	if stale, err := c.stale(ctx, d, r, fresh); err != nil || stale {
		return "", err
	}
	end, err := c.settle(ctx, r, d.Attempt == 1 && age <= trusted && !again(d))
	if err != nil {
		c.provisioned(ctx, r, closing, end.about)
		return "", err
	}
	event, closes := eventOf(end.status, r)
	if !closes || c.DryRun {
		return "", nil
	}
	told, err := c.tell(ctx, r, event, end, closing)
	if err != nil || !told {
		return "", err
	}
	return event, nil
}

// stand is how the events of the request stand. Of a result that has just been
// decided and comes for the first time nobody can have told anything yet; so what
// was told when its episode began, if that was here, is the last.
func (c *Committer) stand(ctx context.Context, r *fulfillment.Result, first bool) (episode.Closing, error) {
	if at, known := c.Facts.Recall(r.Key()); first && known && at.Open() == r.Episode {
		return at, nil
	}
	return episode.ClosingOf(ctx, c.Log, r.Key())
}

// freshFor is how long a first delivery is taken for the first: a consumer that
// had to be made anew counts deliveries from 1 again, but not within the ack
// wait.
const freshFor = 10 * time.Second

// trusted is the age up to which a result that comes for the first time may be
// committed without a look at the request first.
const trusted = time.Hour

// again reports whether an operator had the result committed again.
func again(d *stream.Delivery) bool {
	return d.Header[fulfillment.HeaderReplayed] != "" || d.Header[fulfillment.HeaderRedriven] != ""
}

// stale reports whether there is nothing to do about a result whose episode is
// open: a later result takes its place, somebody has it to look at, or the request
// is in a later episode. Of an end that has just been decided and is delivered for
// the first time none of that can be.
func (c *Committer) stale(ctx context.Context, d *stream.Delivery, r *fulfillment.Result, fresh bool) (bool, error) {
	if fresh && r.Decision.Final() {
		return false, nil
	}
	last, err := c.Log.Last(ctx, fulfillment.StreamResults, d.Subject)
	if err != nil {
		return false, fmt.Errorf("read last result of %s: %w", r.RequestID, err)
	}
	if last.Sequence > d.Sequence {
		return true, nil // it repeats what this one saves
	}
	if fresh {
		return false, nil
	}
	if dead, err := c.Dead.Has(ctx, r.Key(), d.Stream, d.Sequence); err != nil || dead {
		return dead, err
	}
	return c.over(ctx, r)
}

// over reports whether the request is in a later episode, which began when this
// one had been closed. Its event says so, too, unless the events were lost.
func (c *Committer) over(ctx context.Context, r *fulfillment.Result) (bool, error) {
	head, err := episode.HeadOf(ctx, c.Log, r.AssetID)
	return head.Key.Request == r.RequestID && head.Episode > r.Episode, err
}

// gone is the status of a request that Connect does not know.
const gone = ""

// settle brings the request to where the result wants it, unless somebody else
// moved it on, and returns how Connect has it. What was seen of the request is
// returned with an error, too. First says that nothing can have been done about
// the result yet.
func (c *Committer) settle(ctx context.Context, r *fulfillment.Result, first bool) (end outcome, err error) {
	to := targetOf(r.Type, c.Requests, c.TierRequests)
	defer func() { end.about = to.about() }()
	has, saved, err := c.look(ctx, to, r, first)
	if connect.IsNotFound(err) {
		return outcome{status: gone, reason: "Connect does not know the request"}, nil
	}
	if err != nil {
		return outcome{}, err
	}
	if r.Replay > 0 {
		status, reason, err := c.settleReplay(ctx, r, has)
		return outcome{status: status, reason: reason}, err
	}
	if has.status != connect.StatusPending && !failpoint.Off(failpoint.NoRead) || r.Decision == fulfillment.Recheck {
		return outcome{status: has.status, reason: has.reason}, nil
	}
	end, err = (&act{Committer: c, to: to, r: r, has: has, saved: saved}).do(ctx)
	if moved := (*connect.StateError)(nil); errors.As(err, &moved) {
		return outcome{status: moved.Status}, nil
	}
	return end, err
}

// look returns how Connect has the request, and whether the result's parameters
// were saved just now. What is to be saved by a result that
// comes for the first time is saved at once: Connect takes parameters of an open
// request only, and its answer shows the request as well as a read would. Of what
// it refuses, the request is read.
func (c *Committer) look(ctx context.Context, to target, r *fulfillment.Result, first bool) (has *state, saved bool, err error) {
	saves := r.Decision == fulfillment.Approve || r.Decision == fulfillment.Wait
	if first && saves && len(r.Params) > 0 && r.Replay == 0 && !r.Type.Tier() && !c.DryRun {
		has, err := to.update(ctx, r.RequestID, updates(r.Params))
		if err != nil && !refused(err) {
			return nil, false, fmt.Errorf("save parameters of %s: %w", r.RequestID, err)
		}
		if has != nil {
			failpoint.Here(failpoint.ParamsSaved, r.RequestID)
			return has, true, nil
		}
	}
	if has, err = to.get(ctx, r.RequestID); err != nil {
		return nil, false, fmt.Errorf("read request %s: %w", r.RequestID, err)
	}
	return has, false, nil
}

// eventOf names the event by Connect's status; false where the episode goes on:
// a request that still waits. A request that was to be rechecked and is pending
// after all is left to a new episode.
func eventOf(status string, r *fulfillment.Result) (fulfillment.Event, bool) {
	switch {
	case r.Replay == 0:
	case status == connect.StatusApproved && r.Decision == fulfillment.Approve:
		return fulfillment.EventReplayed, true
	default:
		return fulfillment.EventLeft, r.Decision != fulfillment.Wait
	}
	switch status {
	case connect.StatusApproved:
		return fulfillment.EventApproved, true
	case connect.StatusFailed:
		return fulfillment.EventFailed, true
	case connect.StatusInquiring:
		return fulfillment.EventInquiring, true
	case connect.StatusPending:
		return fulfillment.EventLeft, r.Decision == fulfillment.Recheck
	}
	return fulfillment.EventLeft, true
}

// retry brings a result back, or gives it to an operator where too many tries
// ended in what is not understood.
func (c *Committer) retry(ctx context.Context, d *stream.Delivery, r *fulfillment.Result, err error) error {
	if understood(err) {
		return c.again(d, r, err)
	}
	n := c.faults.add(d.Sequence)
	if n < maxFaults {
		return c.again(d, r, err)
	}
	failed := c.bury(ctx, d, r, fulfillment.StageCommit, fmt.Sprintf("not understood after %d tries: %v", n, err))
	if failed == nil {
		c.faults.drop(d.Sequence)
	}
	return failed
}

// understood reports whether err is Connect's or the broker's trouble, or that
// of our credentials: that is waited out, for as long as it takes.
func understood(err error) bool {
	return connect.IsTransient(err) || connect.IsUnauthorized(err) || stream.IsTrouble(err)
}

// again brings a result back. Connect is one upstream for all results, so a
// wait holds up nothing that could go on.
func (c *Committer) again(d *stream.Delivery, r *fulfillment.Result, err error) error {
	if guard.Refused(err) { // nobody's fault, and nothing has happened since Connect answered last
		c.entry(r).WithError(err).Debug("result goes back")
		return stream.RetryAfter(err, 0)
	}
	const first, most = time.Second, 20 * time.Second
	if rest, closed := upstream.Rest(err, c.now()); closed { // the pause is said once, and not for each result
		c.entry(r).WithError(err).WithField("pause", rest).Debug("result put off")
		c.Metrics.Retry("committer", string(r.Type), "paused")
		c.resting.Add(c.now().Add(rest))
		return stream.RetryAfter(err, rest)
	}
	pause := min(first<<min(d.Attempt-1, 10), most)
	if api := (*connect.APIError)(nil); errors.As(err, &api) {
		pause = max(pause, api.RetryAfter)
	}
	c.entry(r).WithError(err).WithFields(logrus.Fields{"attempt": d.Attempt, "pause": pause}).
		Warn("result will be committed again")
	c.Metrics.Retry("committer", string(r.Type), "short")
	return stream.RetryAfter(err, pause)
}

// bury writes a dead letter about the delivery; r is nil if it can't be read.
func (c *Committer) bury(ctx context.Context, d *stream.Delivery, r *fulfillment.Result, stage fulfillment.Stage, reason string) error {
	letter := deadletter.OfDelivery(d, stage, reason)
	if r != nil {
		letter.Episode = r.Episode
	}
	if err := c.Dead.Write(ctx, letter); err != nil {
		return err
	}
	c.Logger.WithFields(logrus.Fields{
		"request_id": letter.RequestID, "request_type": letter.Type, "asset_id": letter.AssetID,
		"product_id": letter.ProductID, "subject": letter.Subject,
	}).Errorf("dead letter, stage %s: %s", stage, reason)
	return nil
}

func (c *Committer) entry(r *fulfillment.Result) *logrus.Entry {
	return c.Logger.WithFields(logrus.Fields{
		"request_id": r.RequestID, "request_type": r.Type, "asset_id": r.AssetID, "product_id": r.ProductID,
	})
}
