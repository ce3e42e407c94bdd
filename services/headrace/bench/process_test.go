package bench

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/pprof"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/headrace/headrace/pkg/headrace"
)

// roles are what this test binary is when it is started as a process of its
// own. Each ends with its standard input, so that none outlives the tests.
func roles() map[string]func() error {
	return map[string]func() error{
		"stand-in": serveStandIn, "loop": loop, "bare": bare, "headrace": itself,
		"server": server, "fill": fill,
	}
}

// built is set when there is something to be removed.
var built atomic.Bool

// binary is Headrace as make build makes it.
var binary = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "headrace-bench-")
	if err != nil {
		return "", err
	}
	built.Store(true)
	name := filepath.Join(dir, "headrace")
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", name, "github.com/headrace/headrace/services/headrace")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return name, fmt.Errorf("build: %w: %s", err, out)
	}
	return name, nil
})

func TestMain(m *testing.M) {
	if role := os.Getenv("BENCH_ROLE"); role != "" {
		if err := profiled(roles()[role]); err != nil {
			fmt.Fprintln(os.Stderr, role+":", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	code := m.Run()
	if built.Load() {
		name, _ := binary()
		_ = os.RemoveAll(filepath.Dir(name))
	}
	os.Exit(code)
}

// profiled runs f, with a processor profile where one is wanted.
func profiled(f func() error) error {
	name := os.Getenv("BENCH_PROFILE")
	if name == "" {
		return f()
	}
	out, err := os.Create(name)
	if err != nil {
		return err
	}
	defer out.Close()
	if err := pprof.StartCPUProfile(out); err != nil {
		return err
	}
	defer pprof.StopCPUProfile()
	return f()
}

// heapProfile is put beside that of the processor.
func heapProfile() {
	name := os.Getenv("BENCH_PROFILE")
	if name == "" {
		return
	}
	if out, err := os.Create(name + ".heap"); err == nil {
		_ = pprof.WriteHeapProfile(out) // without it, the other is there
		_ = out.Close()
	}
}

// itself is Headrace within this binary, for profiles and for tests: what is
// measured is the one that make build makes.
func itself() error {
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		heapProfile()
		cancel()
	}()
	if status := headrace.Run(ctx, []string{"up"}, headrace.Streams(strings.NewReader(""), os.Stdout, os.Stderr)); status != 0 {
		return fmt.Errorf("exit status %d", status)
	}
	return nil
}

// process is one that was started.
type process struct {
	cmd   *exec.Cmd
	role  bool // it ends with its standard input
	stdin io.Closer
	log   string
	out   *bufio.Reader
}

// start starts a process with nothing but env. Its log goes to a file, as
// whoever runs it would have it.
func start(t *testing.T, dir string, cmd *exec.Cmd, env map[string]string) *process {
	t.Helper()
	p := &process{cmd: cmd, role: env["BENCH_ROLE"] != "", log: filepath.Join(dir, filepath.Base(cmd.Path)+env["BENCH_ROLE"]+".log")}
	cmd.Dir = dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "TMPDIR=" + os.Getenv("TMPDIR")}
	for k, v := range env {
		cmd.Env = append(cmd.Env, k+"="+v)
	}
	log, err := os.Create(p.log)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	cmd.Stderr = log
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.out = bufio.NewReader(out)
	if p.stdin, err = cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.kill)
	return p
}

// role starts this binary again.
func role(t *testing.T, s setting, name string, env map[string]string) *process {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{"BENCH_ROLE": name}
	for k, v := range env {
		all[k] = v
	}
	return start(t, s.dir, exec.Command(self), all)
}

// kill ends the process at once; it may be called twice.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait()
}

// end lets a role end, for its profile. It kills what knows nothing of roles.
func (p *process) end() {
	if !p.role {
		p.kill()
		return
	}
	_ = p.stdin.Close()
	_ = p.cmd.Wait()
}

func (p *process) tail() string {
	text, _ := os.ReadFile(p.log)
	const most = 3000
	return string(text[max(0, len(text)-most):])
}

// upstreams is a stand-in in a process of its own.
type upstreams struct {
	*process
	url string
}

func startUpstreams(t *testing.T, s setting, requests int, latency time.Duration, more ...string) *upstreams {
	t.Helper()
	env := map[string]string{"BENCH_REQUESTS": fmt.Sprint(requests), "BENCH_LATENCY": latency.String()}
	for _, m := range more {
		name, value, _ := strings.Cut(m, "=")
		env[name] = value
	}
	p := role(t, setting{dir: s.dir}, "stand-in", env)
	url, err := p.out.ReadString('\n')
	if err != nil {
		t.Fatalf("the stand-in does not start: %v\n%s", err, p.tail())
	}
	return &upstreams{p, strings.TrimSpace(url)}
}

// steer asks the stand-in for something and returns what has happened by then.
// Beside is the process that is measured, whose log is told if it takes too long.
func (u *upstreams) steer(t *testing.T, what string, beside *process) tally {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.url+"/_bench/"+what, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatalf("not reached: %s: %v\n%s", what, err, beside.tail())
	}
	defer resp.Body.Close()
	var got tally
	if err := json.NewDecoder(resp.Body).Decode(&got); err != nil {
		t.Fatal(err)
	}
	return got
}

// patience is how long anything may take.
const patience = 3 * time.Minute
