package app_test

import (
	"context"
	"io"
	"net/http/httptest"
	"net/url"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/headrace/headrace/pkg/broker"
	"github.com/headrace/headrace/pkg/config"
	"github.com/headrace/headrace/pkg/connectsim"
	"github.com/headrace/headrace/pkg/stream"
	"github.com/headrace/headrace/pkg/telemetry"
	"github.com/headrace/headrace/pkg/vendorsim"
	"github.com/headrace/headrace/services/headrace/app"
)

// world is everything around an App: both simulators, and the data directory
// that several runs of an App share.
type world struct {
	t       *testing.T
	connect *connectsim.Server
	vendor  *vendorsim.Server
	cfg     *config.Config
	environ []string // that secrets of profiles are read from
	health  *telemetry.Health
	metrics *telemetry.Metrics
	options []app.Option // of the Apps that are started
}

func newWorld(t *testing.T, co connectsim.Options, vo vendorsim.Options) *world {
	t.Helper()
	w := &world{t: t, connect: connectsim.New(co), vendor: vendorsim.New(vo)}
	con := httptest.NewServer(w.connect.Handler())
	t.Cleanup(con.Close)
	ven := httptest.NewServer(w.vendor.Handler())
	t.Cleanup(ven.Close)
	w.seed(w.connect.Tenants())

	w.cfg = config.Default()
	w.cfg.Connect.Endpoint = config.URL(con.URL + connectsim.BasePath)
	w.cfg.Connect.APIKey = config.NewSecret("SU-000-000-001:0123456789abcdef0123456789abcdef01234567")
	w.cfg.Connect.PollInterval = 100 * time.Millisecond
	w.cfg.Vendor.Endpoint = config.URL(ven.URL)
	w.cfg.DataDir = t.TempDir()
	w.cfg.Sync = config.Sync{Interval: time.Minute} // power cuts are not what is tested here
	w.cfg.HTTPAddr = config.HTTPOff
	return w
}

func (w *world) seed(tenants []connectsim.Tenant) {
	for _, t := range tenants {
		state := vendorsim.StateActive
		if t.Suspended {
			state = vendorsim.StateSuspended
		}
		w.vendor.Add(vendorsim.Tenant{ID: t.ID, ExternalID: t.AssetID, State: state})
	}
}

// start runs an App with the services, all of them where none is named; stop
// ends it as SIGTERM would and waits for it.
func (w *world) start(services ...string) (stop func()) {
	w.t.Helper()
	ctx, cancel := context.WithCancel(w.t.Context())
	ready, done := make(chan struct{}), make(chan error, 1)
	w.health, w.metrics = telemetry.NewHealth(), telemetry.New()
	options := append([]app.Option{app.Environ(w.environ), app.OnReady(func(app.Ready) { close(ready) })}, w.options...)
	a := app.New(w.cfg, logger(), w.metrics, w.health, options...)
	go func() { done <- a.Run(ctx, services) }()
	select {
	case <-ready:
	case err := <-done:
		cancel()
		w.t.Fatalf("app ended at start: %v", err)
	}
	stop = sync.OnceFunc(func() {
		w.t.Helper()
		cancel()
		if err := <-done; err != nil {
			w.t.Errorf("app ended with: %v", err)
		}
	})
	w.t.Cleanup(stop) // before the simulators go, should the test fail
	return stop
}

// shareBroker makes the Apps of w use one broker that outlives them.
func (w *world) shareBroker() {
	w.t.Helper()
	b, err := broker.Start(w.t.Context(), broker.Options{Dir: w.cfg.DataDir, SyncInterval: time.Minute})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		if err := b.Shutdown(context.Background()); err != nil {
			w.t.Error(err)
		}
	})
	u, err := url.Parse(b.URL())
	if err != nil {
		w.t.Fatal(err)
	}
	u.User = url.UserPassword(b.User(), b.Password())
	w.cfg.NATS.URL = config.URL(u.String())
}

// client reaches the broker of a running App as an operator would.
func (w *world) client() *stream.Client {
	w.t.Helper()
	access, err := broker.ReadAccess(w.cfg.DataDir)
	if err != nil {
		w.t.Fatal(err)
	}
	c, err := stream.Connect(w.t.Context(), stream.Options{URL: access.URL, User: access.User, Password: access.Password})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(c.Close)
	return c
}

// until waits for a state of the world, and says what was waited for.
func (w *world) until(what string, reached func() bool) {
	w.t.Helper()
	deadline := time.Now().Add(5 * time.Minute)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !reached() {
		if time.Now().After(deadline) {
			w.t.Fatalf("not reached: %s", what)
		}
		<-tick.C
	}
}

// settled reports whether none of the five types is pending in Connect.
func (w *world) settled() bool {
	for _, byStatus := range w.connect.Counts() {
		if byStatus["pending"] > 0 {
			return false
		}
	}
	return true
}

func logger() *logrus.Entry {
	log := logrus.New()
	log.SetOutput(io.Discard)
	if os.Getenv("HEADRACE_TEST_LOG") != "" {
		log.SetOutput(os.Stderr)
		log.SetLevel(logrus.DebugLevel)
	}
	return logrus.NewEntry(log)
}
