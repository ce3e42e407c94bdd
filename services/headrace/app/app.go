// Package app puts the services together: it connects them to the broker, to
// Connect and to the vendor, runs them until the context ends, and stops them
// in order. It holds no logic of a service.
package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/sirupsen/logrus"
	"golang.org/x/sync/errgroup"

	"github.com/headrace/headrace/pkg/broker"
	"github.com/headrace/headrace/pkg/config"
	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/processor"
	"github.com/headrace/headrace/pkg/stream"
	"github.com/headrace/headrace/pkg/telemetry"
	"github.com/headrace/headrace/pkg/upstream/board"
	"github.com/headrace/headrace/services/fetcher"
)

// The services that are not named after a request type.
const (
	Fetcher    = "fetcher"
	TierConfig = stream.DurableTierConfig
	Committer  = "committer"
)

// Services lists what this version runs, in the order of the flow.
func Services() []string {
	return []string{
		Fetcher, "purchase", "change", "cancel", "suspend", "resume",
		"adjustment", "renew", "transfer", TierConfig, Committer,
	}
}

// App is one process of Headrace.
type App struct {
	cfg     *config.Config
	log     *logrus.Entry
	metrics *telemetry.Metrics
	health  *telemetry.Health
	polled  func(fetcher.Poll, error)
	ready   func(Ready)
	tending stream.Tending
	// board is how the upstreams stand for all processes, standing what /readyz
	// says of them.
	board    *board.Board
	standing *standing
	vendors  int // how many are called
	inUse    []*processor.Profile
	// handlers take the place of services.
	handlers []Handler
	environ  []string
	// unguarded says for which products nothing but the streams keeps a tenant
	// from being created twice; "" for none.
	unguarded string
}

// Ready is what an observer of a running App gets.
type Ready struct {
	HTTP   string // address of /livez, /readyz and /metrics; "" when off
	Broker string // address of the broker
}

// Option changes what New makes.
type Option func(*App)

// OnReady calls f once the services run.
func OnReady(f func(Ready)) Option { return func(a *App) { a.ready = f } }

// Environ is where the profiles' secrets are read from; the process's own
// environment by default.
func Environ(list []string) Option { return func(a *App) { a.environ = list } }

// New returns an App. It opens nothing yet.
func New(cfg *config.Config, log *logrus.Entry, m *telemetry.Metrics, h *telemetry.Health, opts ...Option) *App {
	a := &App{
		cfg: cfg, log: log, metrics: m, health: h, environ: os.Environ(),
		polled: func(_ fetcher.Poll, err error) { reportPoll(h, err) }, ready: func(Ready) {},
		standing: newStanding(h),
	}
	for _, opt := range opts {
		opt(a)
	}
	return a
}

// Run runs the services, all of them where none is named, until ctx ends. Then
// it takes no more, finishes what is in flight within the drain timeout, and
// returns nil. Where no broker is configured it runs the embedded one.
//
//	broker ── HTTP ── stream client ── services
//	  4        3           2              1     closed in this order
func (a *App) Run(ctx context.Context, services []string) error {
	if len(services) == 0 {
		services = Services()
	}
	if unknown := slices.IndexFunc(services, func(s string) bool { return !slices.Contains(Services(), s) }); unknown >= 0 {
		return fmt.Errorf("run services: %q is none of them: %v", services[unknown], Services())
	}
	a.expect()
	dir, removeDir, err := a.dataDir()
	if err != nil {
		return err
	}
	defer removeDir()
	options, embedded, err := a.openBroker(ctx, dir)
	if err != nil {
		return err
	}
	defer a.closeBroker(ctx, embedded)
	// After the broker: a second process on one data directory is told who has
	// it, not that a port is taken.
	server, err := telemetry.Listen(ctx, a.cfg.HTTPAddr, telemetry.Handler(a.metrics, a.health))
	if err != nil {
		return err
	}
	defer a.closeHTTP(ctx, server)
	client, err := stream.Connect(ctx, options)
	if err != nil {
		return fmt.Errorf("connect to the broker: %w", err)
	}
	defer client.Close()
	declared := a.topology(services)
	if err := client.Apply(ctx, declared); err != nil {
		return fmt.Errorf("declare streams and consumers: %w", err)
	}
	a.serveReaders(ctx, client, embedded)
	run, err := a.assemble(client, services)
	if err != nil {
		return err
	}
	keep, err := a.bound(ctx, client, services)
	if err != nil {
		return err
	}
	run = append(run, keep...)
	a.warnOfLostProof(ctx, client, services)
	a.board.Load(ctx)
	a.ready(Ready{HTTP: server.Addr, Broker: client.Status().Server})
	a.log.WithFields(logrus.Fields{"services": services, "http": server.Addr, "broker": client.Status().Server}).Info("running")

	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error { return client.Run(gctx) })
	for _, f := range run {
		g.Go(func() error { return f(gctx) })
	}
	g.Go(func() error { a.watch(gctx, client, embedded); return nil })
	g.Go(func() error { a.backlogs(gctx, client, declared); return nil })
	g.Go(func() error { a.tend(gctx, client, declared); return nil })
	err = g.Wait()
	a.log.Info("stopped")
	return err
}

func (a *App) closeHTTP(ctx context.Context, server *telemetry.Server) {
	// ctx has ended by now; answers in progress get a moment of their own.
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	if err := server.Close(end); err != nil {
		a.log.WithError(err).Warn("http server not closed cleanly")
	}
}

// openBroker returns how to reach the broker: the one configured, else the
// embedded one, which is started and returned.
func (a *App) openBroker(ctx context.Context, dir string) (o stream.Options, b *broker.Broker, err error) {
	c := a.cfg
	o = stream.Options{
		Logger: a.log, DrainTimeout: c.DrainTimeout, Replicas: c.NATS.Replicas,
		URL: string(c.NATS.URL), CredsFile: c.NATS.Creds, CAFile: c.NATS.CA, CertFile: c.NATS.Cert, KeyFile: c.NATS.Key,
	}
	if o.URL != "" {
		return o, nil, nil
	}
	b, err = broker.Start(ctx, broker.Options{
		Dir: dir, SyncAlways: c.Sync.Always, SyncInterval: c.Sync.Interval, Listen: c.NATS.Listen,
		Logger: a.log.WithField("service", "broker"),
	})
	if err != nil {
		return stream.Options{}, nil, err
	}
	o.InProcess, o.User, o.Password = b, b.User(), b.Password()
	o.GroupCommit = c.Sync.Always
	return o, b, nil
}

// closeBroker stops the embedded broker; nil is the broker of somebody else.
func (a *App) closeBroker(ctx context.Context, b *broker.Broker) {
	if b == nil {
		return
	}
	// ctx has ended by now; a stop needs time of its own.
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
	defer cancel()
	if err := b.Shutdown(end); err != nil {
		a.log.WithError(err).Error("embedded broker not stopped cleanly")
	}
}

// ErrDryRun is returned for a dry run that would take requests from those who
// really carry them out.
var ErrDryRun = errors.New("a dry run works with the embedded broker only")

// dataDir is where the embedded broker keeps its streams. A dry run gets a
// directory of its own that is removed afterwards: what it decided must not be
// taken for done when the real run comes.
func (a *App) dataDir() (dir string, remove func(), err error) {
	if !a.cfg.DryRun {
		return a.cfg.DataDir, func() {}, nil
	}
	if a.cfg.NATS.URL != "" {
		return "", nil, fmt.Errorf("%w: unset HEADRACE_NATS_URL, or HEADRACE_DRY_RUN, and use up", ErrDryRun)
	}
	dir, err = os.MkdirTemp("", "headrace-dry-run-")
	if err != nil {
		return "", nil, fmt.Errorf("dry run: %w", err)
	}
	return dir, func() { _ = os.RemoveAll(dir) }, nil // a leftover in the temporary directory harms nobody
}

// topology declares all streams, but only the consumers of the services that
// run here: a consumer of a service that runs nowhere would hold nothing back,
// but it would be shown as lagging.
func (a *App) topology(services []string) stream.Topology {
	r := a.cfg.Retention
	all := stream.Fulfillment(Limits(r))
	consumers := all.Consumers[:0]
	for _, c := range all.Consumers {
		owner := c.Durable
		switch {
		case c.Durable == stream.DurableUnclaimed:
			owner = Fetcher
		case stream.Notes(c.Durable) && a.cfg.Conversations:
			owner = Committer
		}
		if slices.Contains(services, owner) {
			consumers = append(consumers, c)
		}
	}
	bounded := stream.Slots(Bounded(a.cfg, services)...)
	all.Consumers, all.Streams = append(consumers, bounded.Consumers...), append(all.Streams, bounded.Streams...)
	for i := range all.Streams {
		all.Streams[i].Memory = a.cfg.DryRun // what it decided must not be taken for done
	}
	return all
}

// Limits translates the configured retention: there 0 is for ever, which the
// stream layer writes as a negative age.
func Limits(r config.Retention) stream.Limits {
	age := func(d time.Duration) time.Duration {
		if d == 0 {
			return -1
		}
		return d
	}
	return stream.Limits{
		RequestsMaxAge: age(r.Requests), ResultsMaxAge: age(r.Results),
		EventsMaxAge: age(r.Events), DeadMaxAge: age(r.Dead), MaxBytes: r.MaxBytes,
	}
}

// expect tells /readyz what must report before the process is ready.
func (a *App) expect() {
	a.health.Expect(telemetry.HealthBroker)
	a.health.Expect(telemetry.HealthConsumers)
	a.health.Expect(telemetry.HealthConnect)
}

// watch reports the broker and the consumers once a second.
func (a *App) watch(ctx context.Context, client *stream.Client, embedded *broker.Broker) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		status := client.Status()
		a.set(telemetry.HealthBroker, brokerFault(status, embedded))
		a.set(telemetry.HealthConsumers, consumerFault(status))
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// set reports a part without which nothing goes on.
func (a *App) set(part string, fault error) {
	if fault != nil {
		a.health.Set(part, false, true, fault.Error())
		return
	}
	a.health.Set(part, true, true, "")
}

func brokerFault(s stream.Status, embedded *broker.Broker) error {
	if !s.Connected {
		return errors.New("the broker is not reached")
	}
	if embedded != nil {
		return embedded.Healthy()
	}
	return nil
}

func consumerFault(s stream.Status) error {
	faults := make([]error, 0, len(s.Consumers))
	for durable, err := range s.Consumers {
		if err != nil {
			faults = append(faults, fmt.Errorf("%s: %w", durable, err))
		}
	}
	return errors.Join(faults...)
}

// reportPoll shows a failing poll in /readyz. It is not fatal: restarting us
// does not help.
func reportPoll(h *telemetry.Health, err error) {
	if err != nil {
		h.Set(Fetcher, false, false, err.Error())
		return
	}
	h.Set(Fetcher, true, false, "")
}

// dead counts and names dead letters for the metrics.
func (a *App) dead(l fulfillment.Letter) { a.metrics.Dead(string(l.Stage), string(l.Type)) }
