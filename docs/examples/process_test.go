package examples

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

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

// startReader runs the example; stop ends it as Ctrl-C does.
func startReader(t *testing.T, cmd *exec.Cmd, address string, environ ...string) *reader {
	t.Helper()
	r := &reader{t: t, cmd: cmd}
	cmd.Env = append(append(os.Environ(), "NATS_URL="+address), environ...)
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

// program builds the example in a folder.
func program(t *testing.T, folder string) func() *exec.Cmd {
	t.Helper()
	name := filepath.Join(t.TempDir(), folder)
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", name, "./"+folder).CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return func() *exec.Cmd { return exec.CommandContext(t.Context(), name) }
}
