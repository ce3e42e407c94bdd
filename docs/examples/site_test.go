package examples

import (
	"context"
	"io"
	"net"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/sirupsen/logrus"

	"github.com/headrace/headrace/pkg/broker"
	"github.com/headrace/headrace/pkg/config"
	"github.com/headrace/headrace/pkg/connectsim"
	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/stream"
	"github.com/headrace/headrace/pkg/telemetry"
	"github.com/headrace/headrace/pkg/vendorsim"
	"github.com/headrace/headrace/services/headrace/app"
)

// site is a Headrace between the simulators, whose broker admits others.
type site struct {
	t       *testing.T
	connect *connectsim.Server
	vendor  *vendorsim.Server
	cfg     *config.Config
	url     string // of the broker, for readers
	stop    func()
}

// ownBroker is a Headrace with a broker of its own, as headrace up is.
func ownBroker(t *testing.T) *site {
	t.Helper()
	s := newSite(t)
	s.cfg.NATS.Listen = freeAddress(t) // the same over restarts, as an operator would have it
	s.start()
	s.url = s.address()
	return s
}

// newSite is a Headrace that is not yet started, with its settings.
func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{t: t, connect: connectsim.New(connectsim.Options{Empty: true}), vendor: vendorsim.New(vendorsim.Options{})}
	con, ven := httptest.NewServer(s.connect.Handler()), httptest.NewServer(s.vendor.Handler())
	t.Cleanup(con.Close)
	t.Cleanup(ven.Close)
	s.cfg = config.Default()
	s.cfg.Connect.Endpoint, s.cfg.Vendor.Endpoint = config.URL(con.URL+connectsim.BasePath), config.URL(ven.URL)
	s.cfg.Connect.APIKey = config.NewSecret("SU-000-000-001:0123456789abcdef0123456789abcdef01234567")
	s.cfg.Connect.PollInterval = 100 * time.Millisecond
	s.cfg.DataDir = t.TempDir()
	s.cfg.Sync = config.Sync{Interval: time.Minute} // power cuts are not what is tested here
	s.cfg.HTTPAddr = config.HTTPOff
	return s
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func (s *site) start() {
	s.t.Helper()
	log := logrus.New()
	log.SetOutput(io.Discard)
	ctx, cancel := context.WithCancel(s.t.Context())
	ready, ended := make(chan struct{}), make(chan error, 1)
	a := app.New(s.cfg, logrus.NewEntry(log), telemetry.New(), telemetry.NewHealth(), app.OnReady(func(app.Ready) { close(ready) }))
	go func() { ended <- a.Run(ctx, nil) }()
	s.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			s.t.Errorf("headrace ended with %v", err)
		}
	})
	s.t.Cleanup(s.stop)
	select {
	case <-ready:
	case err := <-ended:
		ended <- err
		s.t.Fatalf("headrace ended at its start: %v", err)
	}
}

// address is what is given to others for NATS_URL.
func (s *site) address() string {
	s.t.Helper()
	access, err := broker.ReadAccess(s.cfg.DataDir)
	if err != nil {
		s.t.Fatal(err)
	}
	u, err := url.Parse(access.URL)
	if err != nil {
		s.t.Fatal(err)
	}
	u.User = url.UserPassword("services", s.listed("password"))
	return u.String()
}

// listed is a field of listen.json.
func (s *site) listed(field string) string {
	s.t.Helper()
	text, err := os.ReadFile(filepath.Join(s.cfg.DataDir, "listen.json"))
	if err != nil {
		s.t.Fatal(err)
	}
	found := regexp.MustCompile(`"` + field + `": *"([^"]*)"`).FindSubmatch(text)
	if found == nil {
		s.t.Fatalf("listen.json has no %s: %s", field, text)
	}
	return string(found[1])
}

// work has n more requests carried out, and returns the ce-ids of all events
// that match the filter since the stream began.
func (s *site) work(n int, filter string) []string {
	s.t.Helper()
	for _, t := range s.connect.Seed(n) {
		state := vendorsim.StateActive
		if t.Suspended {
			state = vendorsim.StateSuspended
		}
		s.vendor.Add(vendorsim.Tenant{ID: t.ID, ExternalID: t.AssetID, State: state})
	}
	until(s.t, "all requests are carried out", func() bool {
		for _, status := range s.connect.Statuses() {
			if status == "pending" {
				return false
			}
		}
		return true
	})
	requests := len(s.connect.Statuses())
	var ids []string
	until(s.t, "each request has its last event", func() bool {
		closed := 0
		ids = nil
		for _, m := range s.events("fulfillment.events.>") {
			if _, e, err := fulfillment.ParseEventSubject(m.Subject); err == nil && e.Closes() {
				closed++
			}
		}
		for _, m := range s.events(filter) {
			ids = append(ids, m.ID)
		}
		return closed == requests
	})
	return ids
}

func (s *site) events(filter string) (all []*stream.Stored) {
	s.t.Helper()
	var err error
	// A machine that compiles beside the tests may be too busy to answer in time.
	if !comes(func() bool { all, err = s.read(filter); return err == nil }) {
		s.t.Fatal(err)
	}
	return all
}

func (s *site) read(filter string) ([]*stream.Stored, error) {
	c, err := stream.Connect(s.t.Context(), stream.Options{URL: s.url})
	if err != nil {
		return nil, err
	}
	defer c.Close()
	var all []*stream.Stored
	for m, err := range c.Read(s.t.Context(), fulfillment.StreamEvents, filter, 1) {
		if err != nil {
			return nil, err
		}
		all = append(all, m)
	}
	return all, nil
}

func until(t *testing.T, what string, reached func() bool) {
	t.Helper()
	if !comes(reached) {
		t.Fatalf("not reached: %s", what)
	}
}

// comes waits for a state, and reports false when it never comes.
func comes(reached func() bool) bool {
	deadline := time.Now().Add(2 * time.Minute) // nobody waits so long, unless the machine is busy
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !reached() {
		if time.Now().After(deadline) {
			return false
		}
		<-tick.C
	}
	return true
}

// acknowledged waits until nothing is left to do for the durable consumer.
func (s *site) acknowledged(durable string) {
	s.t.Helper()
	nc, err := nats.Connect(s.url)
	if err != nil {
		s.t.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		s.t.Fatal(err)
	}
	events, err := js.Stream(s.t.Context(), fulfillment.StreamEvents)
	if err != nil {
		s.t.Fatal(err)
	}
	until(s.t, "everything is acknowledged", func() bool {
		for c := range events.ListConsumers(s.t.Context()).Info() {
			if c.Name == durable {
				return c.NumAckPending == 0 && c.NumPending == 0
			}
		}
		return false
	})
}
