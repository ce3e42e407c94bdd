package growth

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
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

// TestTime times on the store that TestFill made what people and start-ups wait
// for. GROWTH_COMMANDS, if set, are the commands to time, one a line.
func TestTime(t *testing.T) {
	dir := os.Getenv("GROWTH_DIR")
	if dir == "" {
		t.Skip("measures on the ten million messages that TestFill stores: set GROWTH_DIR to where they are")
	}
	s := newSite(t, dir)
	p := s.start("at first")
	for _, command := range s.commands() {
		s.time(command)
	}
	p.end(syscall.SIGTERM)
	p = s.start("after a clean stop")
	p.end(syscall.SIGKILL)
	p = s.start("after SIGKILL")
	p.end(syscall.SIGTERM)
}

type site struct {
	t   *testing.T
	bin string
	env []string
}

func newSite(t *testing.T, dir string) *site {
	t.Helper()
	s := &site{t: t, bin: filepath.Join(t.TempDir(), "headrace")}
	if out, err := exec.Command("go", "build", "-o", s.bin, "github.com/headrace/headrace/services/headrace").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	con := httptest.NewServer(connectsim.New(connectsim.Options{Empty: true}).Handler())
	ven := httptest.NewServer(vendorsim.New(vendorsim.Options{}).Handler())
	t.Cleanup(con.Close)
	t.Cleanup(ven.Close)
	s.env = append(os.Environ(),
		"HEADRACE_CONNECT_ENDPOINT="+con.URL+connectsim.BasePath, "HEADRACE_CONNECT_API_KEY=ApiKey SU-000-000-001:0123456789abcdef0123456789abcdef01234567",
		"HEADRACE_VENDOR_ENDPOINT="+ven.URL, "HEADRACE_DATA_DIR="+filepath.Join(dir, "data"),
		"HEADRACE_HTTP_ADDR=127.0.0.1:0", "HEADRACE_LOG_FORMAT=json", "HEADRACE_SYNC=1s",
	)
	return s
}

func (s *site) commands() []string {
	if own := os.Getenv("GROWTH_COMMANDS"); own != "" {
		return strings.Split(own, "\n")
	}
	k := keyOf(messages(s.t) / perRequest / 2)
	return []string{
		"requests show " + k.Request,
		"requests list --asset " + k.Asset,
		"requests list --limit 20",
		"requests list --state held --limit 20",
		"dead list --limit 20",
		"replay requests --request " + k.Request + " --dry-run",
		"replay requests --since 1m --dry-run",
		"replay events --to growth --since 1s --dry-run",
		"replay events --to growth --asset " + k.Asset + " --dry-run",
		"doctor",
	}
}

// time runs a command to its end.
func (s *site) time(command string) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, s.bin, strings.Fields(command)...)
	var out bytes.Buffer
	cmd.Env, cmd.Stdout, cmd.Stderr = s.env, &out, &out
	began := time.Now()
	err := cmd.Run()
	took := time.Since(began)
	rss := cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss >> 10
	s.t.Logf("%-60s %10s  %5d MB  %6d lines  %v", command, took.Round(time.Millisecond), rss, strings.Count(out.String(), "\n"), err)
	if err != nil {
		text := out.String()
		s.t.Logf("%s", text[:min(len(text), 600)])
	}
}

type process struct {
	s   *site
	cmd *exec.Cmd
	log *buffer
}

// buffer is a log that is read while it is written.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

// said returns the first line of the log with that message.
func (b *buffer) said(msg string) (line map[string]any, found bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for text := range strings.Lines(b.b.String()) {
		var said map[string]any
		if json.Unmarshal([]byte(text), &said) == nil && said["msg"] == msg {
			return said, true
		}
	}
	return nil, false
}

// start starts headrace up and times it until it runs, is ready, and has polled.
func (s *site) start(what string) *process {
	s.t.Helper()
	p := &process{s: s, cmd: exec.Command(s.bin, "up"), log: new(buffer)}
	p.cmd.Env, p.cmd.Stdout, p.cmd.Stderr = s.env, p.log, p.log
	began := time.Now()
	if err := p.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = p.cmd.Process.Kill() })
	var running map[string]any
	s.until(func() (found bool) { running, found = p.log.said("running"); return found })
	runs := time.Since(began)
	s.until(func() bool {
		resp, err := http.Get(fmt.Sprintf("http://%s/readyz", running["http"]))
		if err != nil {
			return false
		}
		defer resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})
	ready := time.Since(began)
	s.until(func() bool { _, found := p.log.said("poll done"); return found })
	s.t.Logf("start %s: runs after %s, ready after %s, polled after %s, then has %d MB", what,
		runs.Round(time.Millisecond), ready.Round(time.Millisecond), time.Since(began).Round(time.Millisecond), p.resident())
	return p
}

func (s *site) until(reached func() bool) {
	s.t.Helper()
	deadline := time.Now().Add(5 * time.Minute)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !reached() {
		if time.Now().After(deadline) {
			s.t.Fatal("not reached")
		}
		<-tick.C
	}
}

// resident is the process's memory in MB.
func (p *process) resident() (mb int) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(status)) {
		if n, _ := fmt.Sscanf(line, "VmRSS: %d", &mb); n == 1 {
			return mb >> 10
		}
	}
	return 0
}

func (p *process) end(how syscall.Signal) {
	p.s.t.Helper()
	began := time.Now()
	mb := p.resident()
	if err := p.cmd.Process.Signal(how); err != nil {
		p.s.t.Fatal(err)
	}
	_ = p.cmd.Wait()
	p.s.t.Logf("ended by %s after %s, had %d MB", how, time.Since(began).Round(time.Millisecond), mb)
}
