// Package nodetest lets tests run scripts on node with packages from npm that a
// lock file pins. Where node, npm or the registry is missing, a test is left out,
// and says so on standard error: what was not checked must not look checked.
package nodetest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Dir is a folder with scripts, a package.json and its lock file, whose packages
// are installed.
type Dir struct {
	path, node string
}

// Open installs the packages of the folder unless they are there; once for all
// processes that do so at the same time. It reports false where that can't be
// done, and then has told why: the test should return.
func Open(t testing.TB, path string) (*Dir, bool) {
	t.Helper()
	d := &Dir{path: path}
	missing := d.prepare(t)
	if missing == "" {
		return d, true
	}
	t.Log("left out: " + missing)
	fmt.Fprintf(os.Stderr, "%s was left out: %s\n", t.Name(), missing)
	return nil, false
}

// most is how much of a failed script's output is told.
const most = 4000

// Run runs a script of the folder to its end and returns what it wrote to
// standard output. It fails the test where the script fails. Arguments that name
// files are read by the script alone: go test does not know that they changed,
// unless the test looks at them, too.
func (d *Dir) Run(t testing.TB, stdin io.Reader, script string, args ...string) []byte {
	t.Helper()
	if _, err := os.Stat(filepath.Join(d.path, script)); err != nil { // so that go test knows of the script
		t.Fatal(err)
	}
	cmd := d.Command(t.Context(), script, args...)
	var stderr bytes.Buffer
	cmd.Stdin, cmd.Stderr = stdin, &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s%s", script, err, out[max(0, len(out)-most):], &stderr)
	}
	return out
}

// Command prepares a run of a script of the folder, for what goes on beside the
// test.
func (d *Dir) Command(ctx context.Context, script string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, d.node, append([]string{script}, args...)...)
	cmd.Dir = d.path
	return cmd
}

// prepare returns what is missing, "" for nothing.
func (d *Dir) prepare(t testing.TB) string {
	var err error
	if d.node, err = exec.LookPath("node"); err != nil {
		return "there is no node"
	}
	unlock, err := lock(filepath.Join(d.path, "package-lock.json"))
	if err != nil {
		return err.Error()
	}
	defer unlock()
	pinned, err := os.ReadFile(filepath.Join(d.path, "package-lock.json"))
	if err != nil {
		return err.Error()
	}
	// The lock file that npm has finished with.
	stamp := filepath.Join(d.path, "node_modules", ".installed.json")
	if done, err := os.ReadFile(stamp); err == nil && bytes.Equal(done, pinned) {
		return ""
	}
	npm, err := exec.LookPath("npm")
	if err != nil {
		return "there is no npm"
	}
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	install := exec.CommandContext(ctx, npm, "ci", "--no-audit", "--no-fund", "--ignore-scripts")
	install.Dir = d.path
	if out, err := install.CombinedOutput(); err != nil {
		last := strings.Split(strings.TrimSpace(string(out)), "\n")
		return "npm ci: " + last[len(last)-1]
	}
	if err := os.WriteFile(stamp, pinned, 0o600); err != nil {
		return err.Error()
	}
	return ""
}

// lock holds other test processes off: packages' tests run side by side, and npm
// begins with removing what is there.
func lock(path string) (unlock func(), err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	return func() { _ = f.Close() }, nil
}
