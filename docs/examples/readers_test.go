// Package examples tests the example programs that read events as other teams
// would run them: as processes, beside a Headrace that works, over their own
// stop and the broker's.
package examples

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/sirupsen/logrus"

	"github.com/headrace/headrace/pkg/broker"
	"github.com/headrace/headrace/pkg/config"
	"github.com/headrace/headrace/pkg/connectsim"
	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/nodetest"
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
	stop    func()
}

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
	s.cfg.NATS.Listen = freeAddress(t) // the same over restarts, as an operator would have it
	s.start()
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

// address is what another team is given for NATS_URL.
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

func (s *site) events(filter string) []*stream.Stored {
	s.t.Helper()
	c, err := stream.Connect(s.t.Context(), stream.Options{URL: s.address()})
	if err != nil {
		s.t.Fatal(err)
	}
	defer c.Close()
	var all []*stream.Stored
	for m, err := range c.Read(s.t.Context(), fulfillment.StreamEvents, filter, 1) {
		if err != nil {
			s.t.Fatal(err)
		}
		all = append(all, m)
	}
	return all
}

func until(t *testing.T, what string, reached func() bool) {
	t.Helper()
	if !comes(reached) {
		t.Fatalf("not reached: %s", what)
	}
}

// comes waits for a state, and reports false when it never comes.
func comes(reached func() bool) bool {
	deadline := time.Now().Add(60 * time.Second) // nobody waits so long, unless the machine is busy
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !reached() {
		if time.Now().After(deadline) {
			return false
		}
		<-tick.C
	}
	return true
}

// reader is a running example.
type reader struct {
	t   *testing.T
	cmd *exec.Cmd
	mu  sync.Mutex
	out bytes.Buffer
}

func (r *reader) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.out.Write(p)
}

// start runs the example; stop ends it as Ctrl-C does.
func startReader(t *testing.T, cmd *exec.Cmd, address string) *reader {
	t.Helper()
	r := &reader{t: t, cmd: cmd}
	cmd.Env = append(os.Environ(), "NATS_URL="+address)
	cmd.Stdout, cmd.Stderr = r, r
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it has ended, or the test has failed
		_ = cmd.Wait()
	})
	return r
}

func (r *reader) stop() {
	r.t.Helper()
	if err := r.cmd.Process.Signal(os.Interrupt); err != nil {
		r.t.Fatal(err)
	}
	if err := r.cmd.Wait(); err != nil {
		r.t.Errorf("after Ctrl-C: %v\n%s", err, &r.out)
	}
}

var printedID = regexp.MustCompile(`(?m)\((\S+/\S+/\S+)\)$`)

// printed are the ce-ids at the ends of its lines.
func (r *reader) printed() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var ids []string
	for _, m := range printedID.FindAllSubmatch(r.out.Bytes(), -1) {
		ids = append(ids, string(m[1]))
	}
	return ids
}

// await waits until the reader has printed exactly that, in that order.
func (r *reader) await(what string, want []string) {
	r.t.Helper()
	comes(func() bool { return len(r.printed()) >= len(want) }) // else the difference says more
	if diff := cmp.Diff(want, r.printed()); diff != "" {
		r.t.Fatalf("%s (-want +got):\n%s\n%s", what, diff, &r.out)
	}
}

// acknowledged waits until nothing is left to do for the durable consumer.
func (s *site) acknowledged(durable string) {
	s.t.Helper()
	nc, err := nats.Connect(s.address())
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

// read checks one example: run makes a command of it.
func read(t *testing.T, durable, filter string, run func() *exec.Cmd) {
	t.Helper()
	s := newSite(t)
	ids := s.work(8, filter)
	if len(ids) == 0 {
		t.Fatal("there are no events to read")
	}
	first := startReader(t, run(), s.address())
	first.await("what there was before it began", ids)
	ids = s.work(8, filter)
	first.await("and what came meanwhile", ids)
	first.stop()
	s.acknowledged(durable)

	before := len(ids)
	ids = s.work(8, filter)
	second := startReader(t, run(), s.address())
	second.await("after a stop it goes on where it was", ids[before:])
	s.stop()
	s.start()
	ids = s.work(8, filter)
	second.await("and after the broker's", ids[before:])
	second.stop()
}

// program builds the example in a folder.
func program(t *testing.T, folder string) func() *exec.Cmd {
	t.Helper()
	name := filepath.Join(t.TempDir(), folder)
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", name, "./"+folder).CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return func() *exec.Cmd { return exec.CommandContext(t.Context(), name) }
}

func TestEventsNATS_Process_PrintsEachOnce(t *testing.T) {
	t.Parallel()
	read(t, "events-printer", "fulfillment.events.>", program(t, "events-nats"))
}

func TestEventsWatermill_Process_PrintsEachOnce(t *testing.T) {
	t.Parallel()
	read(t, "approvals-printer", "fulfillment.events.*.approved.>", program(t, "events-watermill"))
}

func TestEventsNode_Process_PrintsEachOnce(t *testing.T) {
	t.Parallel()
	node, here := nodetest.Open(t, "events-node")
	if !here {
		return
	}
	read(t, "events-node-printer", "fulfillment.events.>", func() *exec.Cmd { return node.Command(t.Context(), "main.js") })
}
