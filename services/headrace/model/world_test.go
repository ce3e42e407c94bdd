package model

import (
	"context"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/headrace/headrace/pkg/connect"
	"github.com/headrace/headrace/pkg/connectsim"
	"github.com/headrace/headrace/pkg/deadletter"
	"github.com/headrace/headrace/pkg/facts"
	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/pipelinetest"
	"github.com/headrace/headrace/pkg/processor"
	"github.com/headrace/headrace/pkg/stream"
	"github.com/headrace/headrace/pkg/stream/streamtest"
	"github.com/headrace/headrace/pkg/telemetry"
	"github.com/headrace/headrace/pkg/vendorapi"
	"github.com/headrace/headrace/pkg/vendorsim"
	"github.com/headrace/headrace/services/cancel"
	"github.com/headrace/headrace/services/change"
	"github.com/headrace/headrace/services/committer"
	"github.com/headrace/headrace/services/fetcher"
	"github.com/headrace/headrace/services/purchase"
	"github.com/headrace/headrace/services/resume"
	"github.com/headrace/headrace/services/suspend"
)

// ahead is how far the services' clock is ahead of the broker's: far enough
// that the broker fires no schedule by itself.
const ahead = 24 * time.Hour

// ground is what the worlds of one test share, one after the other.
type ground struct {
	broker         *streamtest.Broker
	client         *stream.Client
	transport      *http.Transport
	connect        atomic.Pointer[connectsim.Server]
	vendor         atomic.Pointer[vendorsim.Server]
	connectAddress string
	vendorAddress  string
}

func newGround(t *testing.T) *ground {
	t.Helper()
	g := &ground{broker: streamtest.Server(t), transport: vendorapi.NewTransport()}
	t.Cleanup(g.transport.CloseIdleConnections)
	client, err := stream.Connect(t.Context(), stream.Options{InProcess: g.broker.NATS()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	topology := stream.Fulfillment(stream.Limits{})
	topology.Consumers = nil // rapid delivers
	for i := range topology.Streams {
		topology.Streams[i].Memory = true
	}
	if err := client.Apply(t.Context(), topology); err != nil {
		t.Fatal(err)
	}
	g.client = client
	con := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		g.connect.Load().Handler().ServeHTTP(w, r)
	}))
	t.Cleanup(con.Close)
	ven := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		g.vendor.Load().Handler().ServeHTTP(w, r)
	}))
	t.Cleanup(ven.Close)
	g.connectAddress, g.vendorAddress = con.URL+connectsim.BasePath, ven.URL
	return g
}

// clear empties the streams; their sequences go on.
func (g *ground) clear(ctx context.Context, t *rapid.T) {
	for _, name := range []string{
		fulfillment.StreamRequests, fulfillment.StreamResults, fulfillment.StreamEvents, fulfillment.StreamDead,
	} {
		s, err := g.broker.JetStream().Stream(ctx, name)
		if err == nil {
			err = s.Purge(ctx)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// world is one life of a few assets: the simulators, the services, and what the
// model knows of them.
type world struct {
	*ground
	t       *rapid.T
	ctx     context.Context
	connect *connectsim.Server
	vendor  *vendorsim.Server
	keyed   bool // the vendor honours keys

	started time.Time
	passed  atomic.Int64 // on the services' clock since then
	created int64        // requests so far; Connect's clock

	con        *connect.Client
	processors map[fulfillment.Type]*processor.Processor
	committer  *committer.Committer
	dead       *deadletter.Writer
	journal    journal

	runs []*run
	book
}

func newWorld(ctx context.Context, t *rapid.T, g *ground, keyed bool) *world {
	g.clear(ctx, t)
	w := &world{ground: g, t: t, ctx: ctx, keyed: keyed, started: time.Now(), book: newBook()}
	w.journal = journal{Client: g.client, w: w}
	w.connect = connectsim.New(connectsim.Options{Empty: true})
	mode := vendorsim.IdempotencyNone
	if keyed {
		mode = vendorsim.IdempotencyKey
	}
	w.vendor = vendorsim.New(vendorsim.Options{Idempotency: mode, Now: w.now})
	g.connect.Store(w.connect)
	g.vendor.Store(w.vendor)
	w.dead = deadletter.NewWriter(w.journal, nil).Telling(facts.New(w.journal, facts.Rules{}).OfLetter)
	w.assemble()
	return w
}

func (w *world) assemble() {
	con, err := connect.NewClient(w.connectAddress, "SU-000-000-001:0123456789abcdef0123456789abcdef01234567",
		connect.WithTransport(&line{upstream: "Connect", w: w, sent: w.tellsConnect}),
		connect.WithRetry(0, time.Millisecond, time.Millisecond))
	if err != nil {
		w.t.Fatal(err)
	}
	api, err := vendorapi.New(w.vendorAddress, vendorapi.WithTransport(&line{upstream: "vendor", w: w, late: w.keyed, sent: w.tellsVendor}))
	if err != nil {
		w.t.Fatal(err)
	}
	profile := &processor.Profile{
		Vendor: processor.TenantVendor{API: api}, Idempotent: w.keyed,
		TenantParam: processor.DefaultTenantParam, Validate: processor.Required,
	}
	w.con = con
	w.processors = map[fulfillment.Type]*processor.Processor{}
	for typ, service := range map[fulfillment.Type]processor.Decider{
		fulfillment.Purchase: purchase.Service{}, fulfillment.Change: change.Service{}, fulfillment.Cancel: cancel.Service{},
		fulfillment.Suspend: suspend.Service{}, fulfillment.Resume: resume.Service{},
	} {
		w.processors[typ] = processor.New(processor.Config{
			Alone:   true,
			Service: string(typ), Decider: service, Log: w.journal, Dead: w.dead, Status: w.status, Now: w.now,
			Profiles: func(*processor.Work) (*processor.Profile, error) { return profile, nil },
			Metrics:  telemetry.New(), Logger: pipelinetest.Logger(),
		})
	}
	w.committer = committer.New(committer.Config{
		Log: w.journal, Dead: w.dead, Requests: con.Requests, TierRequests: con.TierRequests,
		Templates: committer.NewTemplates(unstopped(con.Templates.List), time.Hour), Metrics: telemetry.New(), Logger: pipelinetest.Logger(),
	})
}

// newFetcher is one that has just been started.
func (w *world) newFetcher() *fetcher.Fetcher {
	return fetcher.New(fetcher.Config{
		Log: w.journal, Dead: w.dead, Requests: w.con.Requests.Walk,
		TierRequests: func(context.Context, connect.RequestQuery, connect.Take) error { return nil },
		// Nothing is deleted here, so nothing is acknowledged and lost.
		Consumer: func(context.Context, string) (stream.ConsumerState, error) { return stream.ConsumerState{}, nil },
		Status:   w.status, Concurrency: 1, Metrics: telemetry.New(), Logger: pipelinetest.Logger(),
	})
}

func (w *world) status(ctx context.Context, key fulfillment.Key) (string, error) {
	r, err := w.con.Requests.Get(ctx, key.Request)
	if connect.IsNotFound(err) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	return r.Status, nil
}

// now is the services' clock.
func (w *world) now() time.Time {
	return w.started.Add(ahead + time.Duration(w.passed.Load()))
}

// unstopped lists templates for all runs at once: they wait for one listing, so a
// run that stopped in it would stop those that are let go on.
func unstopped(list committer.ListTemplates) committer.ListTemplates {
	return func(_ context.Context, product, scope, kind string) ([]connect.Template, error) {
		return list(context.Background(), product, scope, kind)
	}
}
