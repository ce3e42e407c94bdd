// Package fetcher publishes Connect's pending requests to the pipeline.
//
//	consumes   requests that no service takes (durable unclaimed, headers only)
//	calls      Connect: lists pending requests and tier configuration requests
//	publishes  fulfillment.requests.<type>.<product>.<asset>.<request>,
//	           fulfillment.events.<type>.<event>.… for received and answered,
//	           fulfillment.dead.type.… for types that are not known,
//	           fulfillment.dead.decode.… for rows that can't be read
//
// A request is published once per episode, however often it is listed, after a
// restart too, and with several fetchers running: publishing expects the head
// of the asset that was read before, so of two fetchers one wins. That a request
// was received, or answered, is told once for each episode; should the fetcher
// die in between, the next poll or whoever tells of the episode next makes it good.
package fetcher

import (
	"context"
	"fmt"
	"iter"
	"sync"
	"time"

	"github.com/sirupsen/logrus"
	"golang.org/x/sync/errgroup"

	"github.com/headrace/headrace/pkg/connect"
	"github.com/headrace/headrace/pkg/deadletter"
	"github.com/headrace/headrace/pkg/facts"
	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/stream"
	"github.com/headrace/headrace/pkg/upstream"
)

// Log is what the fetcher needs of the stream layer.
type Log interface {
	Append(ctx context.Context, m stream.Message, opts ...stream.AppendOption) (uint64, error)
	Last(ctx context.Context, name, filter string) (*stream.Stored, error)
	Get(ctx context.Context, name string, sequence uint64) (*stream.Stored, error)
	LastSequence(ctx context.Context, name string) (uint64, error)
	Read(ctx context.Context, name, filter string, from uint64) iter.Seq2[*stream.Stored, error]
}

// List returns what is pending in Connect. Two of them make a poll: one of
// requests and one of tier configuration requests.
type List func(ctx context.Context, q connect.RequestQuery) ([]connect.Row, error)

// Recorder shows what a poll found.
type Recorder interface {
	PollDone(at time.Time, err error)
	SetRequests(map[string]map[string]int)
	SetOldest(map[string]time.Time)
}

// Config is what a Fetcher is made of.
type Config struct {
	Log          Log
	Dead         *deadletter.Writer
	Facts        *facts.Teller // nil is one that lets out no personal data
	Requests     List
	TierRequests List
	// Status asks Connect where a request stands; "" is one it does not know.
	Status func(ctx context.Context, key fulfillment.Key) (string, error)
	// Consumer asks the broker how a durable stands, or fails with
	// stream.ErrNotFound.
	Consumer func(ctx context.Context, durable string) (stream.ConsumerState, error)
	// Follow reads events as they come, for Watch.
	Follow      Follow
	Products    []string // empty: every product that the key sees
	Interval    time.Duration
	Concurrency int
	// DryRun says that the committer publishes no events: that there is none of a
	// decision is no loss.
	DryRun bool
	// Drain is how long a stop waits for a poll that has begun to publish.
	Drain   time.Duration
	Metrics Recorder
	Logger  *logrus.Entry
	// Polled, which may be nil, is told when a poll is over.
	Polled func(Poll, error)
}

// Fetcher polls Connect.
type Fetcher struct {
	Config
	now  func() time.Time
	wake chan struct{} // holds one

	mu     sync.Mutex      // guards queues and lost
	queues map[string]bool // assets with several requests pending
	lost   lost
}

// New returns a Fetcher.
func New(c Config) *Fetcher {
	if c.Polled == nil {
		c.Polled = func(Poll, error) {}
	}
	if c.Facts == nil {
		c.Facts = facts.New(c.Log, facts.Rules{})
	}
	c.Concurrency = max(c.Concurrency, 1)
	if c.Drain <= 0 {
		c.Drain = stream.DefaultDrainTimeout
	}
	c.Logger = c.Logger.WithField("service", "fetcher")
	return &Fetcher{Config: c, now: time.Now, wake: make(chan struct{}, 1)}
}

// Run polls at once and then after each interval, until ctx ends. A poll that
// fails is logged and made good by the next one.
func (f *Fetcher) Run(ctx context.Context) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	failures := 0
	wake := f.wake
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-wake:
			timer.Reset(wakePause)
			wake = nil // until it has polled: events that keep coming must not put it off
			continue
		case <-timer.C:
			wake = f.wake
		}
		poll, err := f.Poll(ctx)
		if ctx.Err() != nil {
			return nil
		}
		f.Metrics.PollDone(f.now(), err)
		f.Polled(poll, err)
		pause := f.Interval
		if rest, closed := upstream.Rest(err, f.now()); closed { // which is said elsewhere, once
			pause = min(pause, rest)
			f.Logger.WithError(err).WithField("pause", pause).Debug("poll put off")
		} else if err != nil {
			failures++
			pause = min(pause, retryPause(failures))
			f.Logger.WithError(err).WithField("pause", pause).Warn("poll failed, will be tried again")
		} else {
			failures = 0
			f.Logger.WithFields(logrus.Fields{
				"listed": poll.Listed, "published": poll.Published, "dead": poll.Dead,
				"duration_ms": poll.Duration.Milliseconds(),
			}).Info("poll done")
		}
		timer.Reset(pause)
	}
}

// retryPause keeps the promise that work goes on within 30 s of an upstream's
// recovery.
func retryPause(failures int) time.Duration {
	return min(time.Second<<min(failures-1, 10), 20*time.Second)
}

// Poll is what one poll did.
type Poll struct {
	Listed    int // rows that Connect has pending
	Published int // episodes opened
	Dead      int // dead letters met, new and old
	Duration  time.Duration
}

// Poll lists what is pending and opens the episodes that are due. It reads the
// whole list before it acts; an error of one request does not keep it from the
// others.
func (f *Fetcher) Poll(ctx context.Context) (Poll, error) {
	began := f.now()
	// Read before the listing: an event after this sequence may be younger than
	// the row it is compared with.
	horizon, err := f.Log.LastSequence(ctx, fulfillment.StreamEvents)
	if err != nil {
		return Poll{}, fmt.Errorf("poll: %w", err)
	}
	rows, err := f.list(ctx)
	if err != nil {
		return Poll{}, fmt.Errorf("poll: %w", err)
	}
	t := newTally()
	groups := byAsset(rows)
	f.remember(groups)
	f.beginLost()
	f.each(ctx, groups, t, func(ctx context.Context, group []connect.Row) error {
		return f.asset(ctx, group, horizon, t)
	})
	f.Metrics.SetRequests(t.states)
	f.Metrics.SetOldest(t.oldest)
	t.fail(f.closeDead(ctx, rows))
	t.poll.Listed, t.poll.Duration = len(rows), f.now().Sub(began)
	return t.poll, t.err()
}

// each does the same for every asset, some at a time. What has begun when ctx
// ends is finished, within the drain timeout.
func (f *Fetcher) each(ctx context.Context, groups [][]connect.Row, t *tally, do func(context.Context, []connect.Row) error) {
	work, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(f.Drain, cancel) })()
	var g errgroup.Group
	g.SetLimit(f.Concurrency)
	for _, group := range groups {
		if ctx.Err() != nil {
			break
		}
		g.Go(func() error {
			t.fail(do(work, group))
			return nil
		})
	}
	_ = g.Wait() // its functions return nil: errors are in the tally
}

// list reads both lists, tier configuration requests first: asset requests wait
// for them.
func (f *Fetcher) list(ctx context.Context) ([]connect.Row, error) {
	q := connect.RequestQuery{Products: f.Products, Statuses: []string{connect.StatusPending}}
	tiers, err := f.TierRequests(ctx, q)
	if err != nil {
		return nil, err
	}
	for i := range tiers {
		tiers[i].Type = string(fulfillment.TierType(tiers[i].Type))
	}
	requests, err := f.Requests(ctx, q)
	if err != nil {
		return nil, err
	}
	return append(tiers, requests...), nil
}
