// Package e2e tests the binary from outside: real processes, real signals, real
// HTTP. It knows of Headrace what a user knows.
package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/headrace/headrace/pkg/connectsim"
	"github.com/headrace/headrace/pkg/vendorsim"
)

// binary is built once for all tests, with the race detector like the tests.
var binary = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "headrace-e2e-")
	if err != nil {
		return "", err
	}
	name := filepath.Join(dir, "headrace")
	out, err := exec.Command("go", "build", "-race", "-o", name, "github.com/headrace/headrace/services/headrace").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build: %w: %s", err, out)
	}
	return name, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if name, err := binary(); err == nil {
		_ = os.RemoveAll(filepath.Dir(name))
	}
	os.Exit(code)
}

// site is a vendor's installation: both upstreams, simulated in the test, and
// the settings of a process.
type site struct {
	t       *testing.T
	connect *connectsim.Server
	vendor  *vendorsim.Server
	env     map[string]string
}

// patience is how long a test waits for what comes in a moment, unless the machine
// is very busy.
const patience = 5 * time.Minute

const key = "SU-000-000-001:0123456789abcdef0123456789abcdef01234567"

func newSite(t *testing.T, co connectsim.Options, vo vendorsim.Options) *site {
	t.Helper()
	co.APIKey = key
	s := &site{t: t, connect: connectsim.New(co), vendor: vendorsim.New(vo)}
	con, ven := httptest.NewServer(s.connect.Handler()), httptest.NewServer(s.vendor.Handler())
	t.Cleanup(con.Close)
	t.Cleanup(ven.Close)
	s.seed(s.connect.Tenants())
	s.env = map[string]string{
		"HEADRACE_CONNECT_ENDPOINT":      con.URL + connectsim.BasePath,
		"HEADRACE_CONNECT_API_KEY":       "ApiKey " + key,
		"HEADRACE_CONNECT_POLL_INTERVAL": "500ms",
		"HEADRACE_VENDOR_ENDPOINT":       ven.URL,
		"HEADRACE_DATA_DIR":              t.TempDir(),
		"HEADRACE_HTTP_ADDR":             "127.0.0.1:0",
		"HEADRACE_LOG_FORMAT":            "json",
	}
	return s
}

func (s *site) seed(tenants []connectsim.Tenant) {
	for _, t := range tenants {
		state := vendorsim.StateActive
		if t.Suspended {
			state = vendorsim.StateSuspended
		}
		s.vendor.Add(vendorsim.Tenant{ID: t.ID, ExternalID: t.AssetID, State: state})
	}
}

// command prepares a run of the binary.
func (s *site) command(ctx context.Context, args ...string) *exec.Cmd {
	s.t.Helper()
	name, err := binary()
	if err != nil {
		s.t.Fatal(err)
	}
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = s.t.TempDir()
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + cmd.Dir}
	for k, v := range s.env {
		cmd.Env = append(cmd.Env, k+"="+v)
	}
	return cmd
}

// result is what a command that ended left behind.
type result struct {
	status         int
	stdout, stderr string
}

// run runs a command to its end.
func (s *site) run(args ...string) result {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	cmd := s.command(ctx, args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	_ = cmd.Run() // its status says it all
	return result{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}

// process is a Headrace that runs.
type process struct {
	t    *testing.T
	cmd  *exec.Cmd
	log  *logBuffer
	http string
}

// logBuffer is a process's log, which is read while it is written.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// start starts a process and waits until it says that it runs.
func (s *site) start(args ...string) *process {
	s.t.Helper()
	p := &process{t: s.t, cmd: s.command(context.WithoutCancel(s.t.Context()), args...), log: new(logBuffer)}
	p.cmd.Stdout, p.cmd.Stderr = p.log, p.log
	if err := p.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		p.kill()
		if s.t.Failed() {
			s.t.Logf("log of %v:\n%s", args, tail(p.log.String()))
		}
	})
	s.until("the process runs", func() bool {
		for line := range strings.Lines(p.log.String()) {
			var said struct{ Msg, HTTP string }
			if json.Unmarshal([]byte(line), &said) == nil && said.Msg == "running" {
				p.http = said.HTTP
				return true
			}
		}
		return false
	})
	return p
}

func tail(s string) string {
	const most = 4000
	if len(s) > most {
		return "…" + s[len(s)-most:]
	}
	return s
}

// kill ends the process as a power cut would, and may be called twice.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait()
}

// stop sends SIGTERM and returns the exit status and how long it took.
func (p *process) stop() (status int, took time.Duration) {
	p.t.Helper()
	began := time.Now()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		p.t.Fatal(err)
	}
	_ = p.cmd.Wait()
	return p.cmd.ProcessState.ExitCode(), time.Since(began)
}

// get reads a page of the process.
func (p *process) get(path string) (status int, body string) {
	p.t.Helper()
	resp, err := http.Get("http://" + p.http + path)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, err.Error()
	}
	return resp.StatusCode, string(b)
}

func (s *site) until(what string, reached func() bool) {
	s.t.Helper()
	deadline := time.Now().Add(patience)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !reached() {
		if time.Now().After(deadline) {
			s.t.Fatalf("not reached: %s", what)
		}
		<-tick.C
	}
}

// settled reports whether nothing is pending in Connect.
func (s *site) settled() bool {
	for _, byStatus := range s.connect.Counts() {
		if byStatus["pending"] > 0 {
			return false
		}
	}
	return true
}

// once fails unless every request is approved and was carried out exactly once.
func (s *site) once() {
	s.t.Helper()
	seen := map[string]int{}
	for _, op := range s.vendor.Operations() {
		seen[op.IdempotencyKey]++
	}
	for _, r := range s.connect.Requests() {
		if r.Status != "approved" || seen[r.ID] != 1 {
			s.t.Errorf("%s %s is %s with %d effects at the vendor, want approved with 1", r.Type, r.ID, r.Status, seen[r.ID])
		}
	}
}
