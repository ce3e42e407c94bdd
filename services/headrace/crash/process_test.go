package crash

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/headrace/headrace/pkg/failpoint"
)

// built is set when there is something to be removed.
var built atomic.Bool

// binary is built once for all tests that need it, with failpoints.
var binary = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "headrace-crash-")
	if err != nil {
		return "", err
	}
	built.Store(true)
	name := filepath.Join(dir, "headrace")
	out, err := exec.Command("go", "build", raceFlag, "-tags", "failpoints", "-o", name,
		"github.com/headrace/headrace/services/headrace").CombinedOutput()
	if err != nil {
		return name, fmt.Errorf("build: %w: %s", err, out)
	}
	return name, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if built.Load() {
		name, _ := binary()
		_ = os.RemoveAll(filepath.Dir(name))
	}
	os.Exit(code)
}

// process is one life of a Headrace process.
type process struct {
	cmd  *exec.Cmd
	done chan struct{} // closed when it is gone
	said string        // the last of its log, once it is gone
	race bool          // the race detector spoke; once it is gone
	ran  atomic.Bool   // it came so far as to say that it runs
}

// launch starts the binary. What it says goes to log, and struck is told of
// each failpoint that strikes, the moment before it does.
func launch(t *testing.T, args []string, env map[string]string, log io.Writer, struck func(failpoint.Point, string, string)) *process {
	t.Helper()
	name, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	p := &process{cmd: exec.Command(name, args...), done: make(chan struct{})}
	p.cmd.Dir = t.TempDir()
	p.cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + p.cmd.Dir}
	for k, v := range env {
		p.cmd.Env = append(p.cmd.Env, k+"="+v)
	}
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	p.cmd.Stdout, p.cmd.Stderr = write, write
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = write.Close()
	go func() {
		p.listen(read, log, struck)
		_ = p.cmd.Wait()
		close(p.done)
	}()
	return p
}

// listen reads what the process says until it is gone.
func (p *process) listen(from io.ReadCloser, log io.Writer, struck func(failpoint.Point, string, string)) {
	defer from.Close()
	const most = 40
	var last []string
	lines := bufio.NewScanner(from)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		line := lines.Text()
		_, _ = fmt.Fprintln(log, line)
		if last = append(last, line); len(last) > most && !p.race {
			last = last[1:]
		}
		if strings.Contains(line, `"msg":"running"`) {
			p.ran.Store(true)
		}
		if strings.Contains(line, "WARNING: DATA RACE") {
			p.race = true
		}
		if point, action, request, ok := failpoint.Struck(line); ok {
			// A subject in the place of a request ends with it.
			struck(point, action, requestID.FindString(request))
		}
	}
	p.said = strings.Join(last, "\n")
}

// signal is for a process that may be gone already.
func (p *process) signal(s syscall.Signal) { _ = p.cmd.Process.Signal(s) }

// killed reports whether it ended by SIGKILL.
func (p *process) killed() bool {
	status, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus)
	return ok && status.Signaled() && status.Signal() == syscall.SIGKILL
}

// pause is one that ends early when done does; it reports whether it did not.
func pause(done <-chan struct{}, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-done:
		return false
	}
}
