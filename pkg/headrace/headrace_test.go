package headrace_test

import (
	"bytes"
	"context"
	"io"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/headrace/headrace/pkg/connectsim"
	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/headrace"
	"github.com/headrace/headrace/pkg/processor"
)

func approve(context.Context, *processor.Work) (processor.Verdict, error) {
	return processor.Approve(), nil
}

func TestRun_WrongHandlers_AreRefusedBeforeAnythingRuns(t *testing.T) {
	t.Parallel()
	ok := headrace.HandlerFunc(approve)
	for name, opts := range map[string][]headrace.Option{
		"teleport":     {headrace.Handle("PRD-1", "teleport", ok)},
		"two handlers": {headrace.Handle("PRD-1", fulfillment.Change, ok), headrace.Handle("PRD-1", fulfillment.Change, ok)},
		"a product":    {headrace.Handle("", fulfillment.Change, ok)},
		"a handler":    {headrace.Handle("PRD-1", fulfillment.Change, nil)},
	} {
		var told bytes.Buffer
		opts = append(opts, headrace.Streams(strings.NewReader(""), io.Discard, &told))
		if status := headrace.Run(t.Context(), []string{"version"}, opts...); status != 2 || !strings.Contains(told.String(), name) {
			t.Errorf("%s: status %d and %q", name, status, told.String())
		}
	}
}

// site is a simulated Connect with a change and a cancellation, and a program
// whose handler takes the changes; no vendor endpoint is set.
type site struct {
	connect        *connectsim.Server
	change, cancel string
	settings       string
	mu             sync.Mutex
	seen           []string
}

func newSite(t *testing.T, extra string) *site {
	t.Helper()
	s := &site{connect: connectsim.New(connectsim.Options{Empty: true})}
	server := httptest.NewServer(s.connect.Handler())
	t.Cleanup(server.Close)
	s.change = s.connect.AddRequest(connectsim.NewRequest{Type: "change", Params: map[string]string{"admin_email": "a@example.com"}})
	s.cancel = s.connect.AddRequest(connectsim.NewRequest{Type: "cancel"})
	s.settings = filepath.Join(t.TempDir(), "headrace.yaml")
	text := "connect: {endpoint: '" + server.URL + connectsim.BasePath + "', api_key: 'SU-000-000-001:0123456789abcdef', poll_interval: 1s}\n" +
		"data_dir: " + t.TempDir() + "\nsync: 1m\nhttp_addr: 'off'\n" + extra
	if err := os.WriteFile(s.settings, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return s
}

// Decide saves before it decides, as one with several calls would.
func (s *site) Decide(ctx context.Context, w *processor.Work) (processor.Verdict, error) {
	s.mu.Lock()
	s.seen = append(s.seen, w.Request.ID+" of "+w.Tenant())
	s.mu.Unlock()
	if err := w.Save(ctx, "the first call is made", processor.Value("subscription_id", "T-anew")); err != nil {
		return processor.Verdict{}, err
	}
	open, err := w.OpenCall(ctx)
	if err != nil || open != nil {
		return processor.Hold("the outcome is not known"), err
	}
	if err := w.BeginCall(ctx); err != nil {
		return processor.Verdict{}, err
	}
	return processor.Approve(processor.Value("subscription_id", w.Tenant())), nil
}

// run runs the program until reached, and returns its log.
func (s *site) run(t *testing.T, reached func(log string) bool) string {
	t.Helper()
	r, _ := s.connect.Request(s.change)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	log, ended := new(buffer), make(chan int, 1)
	go func() {
		ended <- headrace.Run(ctx, []string{"up", "--config", s.settings},
			headrace.Streams(strings.NewReader(""), io.Discard, log), headrace.Handle(r.ProductID, fulfillment.Change, s))
	}()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(time.Minute); !reached(log.String()); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("not reached:\n%s", log)
		}
	}
	stop()
	if status := <-ended; status != 0 {
		t.Errorf("ended with status %d:\n%s", status, log)
	}
	return log.String()
}

// buffer is a bytes.Buffer for two.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func TestRun_HandlerWithoutVendorEndpoint_TakesItsTypeAndTheRestIsHeld(t *testing.T) {
	t.Parallel()
	s := newSite(t, "")
	s.run(t, func(log string) bool {
		r, _ := s.connect.Request(s.change)
		return r.Status == "approved" && strings.Contains(log, "the program has no handler for requests of type cancel")
	})
	r, _ := s.connect.Request(s.change)
	if len(s.seen) != 1 || !strings.HasPrefix(s.seen[0], s.change+" of T-") || r.Params["subscription_id"] != "T-anew" {
		t.Errorf("the handler saw %v, and %v was saved", s.seen, r.Params)
	}
	if c, _ := s.connect.Request(s.cancel); c.Status != "pending" {
		t.Errorf("the cancellation is %s, want held", c.Status)
	}
}

func TestRun_DryRun_DoesNotCallTheHandler(t *testing.T) {
	t.Parallel()
	s := newSite(t, "dry_run: true\n")
	s.run(t, func(log string) bool { return strings.Contains(log, "ask the program's own handler") })
	if r, _ := s.connect.Request(s.change); len(s.seen) != 0 || r.Status != "pending" {
		t.Errorf("the handler saw %v; the request is %s", s.seen, r.Status)
	}
}
