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
	"hash/maphash"
	"iter"
	"sync"
	"time"

	"github.com/sirupsen/logrus"

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
	None(ctx context.Context, name string, filters []string) (bool, error)
	Get(ctx context.Context, name string, sequence uint64) (*stream.Stored, error)
	LastSequence(ctx context.Context, name string) (uint64, error)
	StreamState(ctx context.Context, name string) (stream.StreamState, error)
	ReadHeaders(ctx context.Context, name, filter string, from uint64) iter.Seq2[*stream.Stored, error]
	Read(ctx context.Context, name, filter string, from uint64) iter.Seq2[*stream.Stored, error]
}

// Walk reads what is pending in Connect page by page. Two of them make a poll: one
// of requests and one of tier configuration requests.
type Walk func(ctx context.Context, q connect.RequestQuery, take connect.Take) error

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
	Requests     Walk
	TierRequests Walk
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
	now   func() time.Time
	wake  chan struct{} // holds one
	seed  maphash.Seed
	began time.Time
	room  int // bytes of rows that a poll keeps
	looks int // rechecks, but in tests

	polling   sync.Mutex // polls come one after the other
	poll      uint8      // which one it is; it wraps
	at        time.Time  // when it began
	words     words
	marks     []mark // how the streams stood in the last polls, the oldest first
	firstHead uint64 // the first sequence of the requests' stream
	bad       map[uint64]bool
	unsettled deadletter.Unsettled
	turn      uint64 // the last dead letter that was looked into, 0: all were

	mu     sync.Mutex       // guards what follows
	known  map[uint64]known // by the asset's hash
	awaits map[word]bool    // durables for which something known waits
	queues map[uint64]bool  // assets with several requests pending
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
	return &Fetcher{
		Config: c, now: time.Now, wake: make(chan struct{}, 1), seed: maphash.MakeSeed(), began: time.Now(), room: keeps, looks: rechecks,
		bad: map[uint64]bool{}, known: map[uint64]known{}, awaits: map[word]bool{},
	}
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
