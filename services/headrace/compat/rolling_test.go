package compat

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/headrace/headrace/pkg/connectsim"
	"github.com/headrace/headrace/pkg/vendorsim"
)

// TestRelease_BesideToday_OneBroker rolls from a release to today's code and
// back, under load: the real binary of the release, built from its commit, and
// today's services share a broker for a while.
func TestRelease_BesideToday_OneBroker(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("builds a release from its commit, which takes minutes: not with -short")
	}
	for _, version := range releases(t) {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			binary := buildRelease(t, version)
			w := newRolling(t, binary)
			old := w.startOld()
			w.load()
			w.untilDone("the release works alone", 10)
			stopToday := w.startToday()
			w.load()
			w.untilDone("both work", 40)
			old()
			w.load()
			w.untilDone("today's code works alone", 70)
			old = w.startOld()
			stopToday() // rolled back
			w.load()
			w.untilDone("the release works alone again", 100)
			until(t, "no request is pending", w.settled)
			old()
			w.once()
		})
	}
}

// rolling is a world in which processes of a release come and go.
type rolling struct {
	*world
	binary string
}

func newRolling(t *testing.T, binary string) *rolling {
	t.Helper()
	w := emptyWorld(t, vendorsim.Options{Work: 20 * time.Millisecond, Async: time.Second})
	return &rolling{world: w, binary: binary}
}

// load orders five of each type.
func (w *rolling) load() {
	for _, t := range w.connect.Load(connectsim.LoadOptions{Purchases: 6, Changes: 6, Cancels: 6, Suspends: 6, Resumes: 6}) {
		state := vendorsim.StateActive
		if t.Suspended {
			state = vendorsim.StateSuspended
		}
		w.vendor.Add(vendorsim.Tenant{ID: t.ID, ExternalID: t.AssetID, State: state})
	}
}

func (w *rolling) untilDone(what string, n int) {
	w.t.Helper()
	until(w.t, what, func() bool { return len(w.vendor.Operations()) >= n })
}

func (w *rolling) settled() bool {
	for _, r := range w.connect.Requests() {
		if r.Status == "pending" {
			return false
		}
	}
	return true
}

// once fails unless each request is approved and was carried out exactly once.
func (w *rolling) once() {
	w.t.Helper()
	seen := map[string]int{}
	for _, op := range w.vendor.Operations() {
		seen[op.IdempotencyKey]++
	}
	for _, r := range w.connect.Requests() {
		if r.Status != "approved" || seen[r.ID] != 1 {
			w.t.Errorf("%s %s is %s with %d effects at the vendor, want approved with 1", r.Type, r.ID, r.Status, seen[r.ID])
		}
	}
	if pairs := w.vendor.Overlaps(); len(pairs) > 0 {
		w.t.Errorf("operations overlap on one asset: %+v", pairs)
	}
}

// startOld starts all services of the release; stop ends them with SIGTERM.
func (w *rolling) startOld() (stop func()) {
	w.t.Helper()
	cmd := exec.CommandContext(context.WithoutCancel(w.t.Context()), w.binary, "up")
	cmd.Dir = w.t.TempDir()
	cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + cmd.Dir, "HEADRACE_NATS_URL=" + w.url, "HEADRACE_HTTP_ADDR=off",
		"HEADRACE_CONNECT_ENDPOINT=" + w.connectURL, "HEADRACE_CONNECT_API_KEY=" + apiKey, "HEADRACE_CONNECT_POLL_INTERVAL=200ms",
		"HEADRACE_VENDOR_ENDPOINT=" + w.vendorURL, "HEADRACE_CONCURRENCY=2",
	}
	if err := cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	ended := false
	stop = func() {
		if ended {
			return
		}
		ended = true
		_ = cmd.Process.Signal(syscall.SIGTERM)
		if err := cmd.Wait(); err != nil {
			w.t.Errorf("the release ended with %v", err)
		}
	}
	w.t.Cleanup(stop)
	return stop
}

// buildRelease builds the release's binary from the repository's history.
func buildRelease(t *testing.T, version string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", version, "commit"))
	if err != nil {
		t.Fatal(err)
	}
	commit, dir := strings.TrimSpace(string(text)), t.TempDir()
	script := fmt.Sprintf(`set -e
git -C "$(git rev-parse --show-toplevel)" cat-file -e %[1]s^{commit}
git -C "$(git rev-parse --show-toplevel)" archive %[1]s | tar -x -C %[2]s
cd %[2]s && go build -o %[2]s/released ./services/headrace`, commit, dir)
	out, err := exec.CommandContext(t.Context(), "sh", "-c", script).CombinedOutput()
	if err != nil && strings.Contains(string(out), commit) {
		t.Skipf("LEFT OUT: %s (commit %s) is not in the history that is here, so it can't be built beside today's code: %s", version, commit, out)
	}
	if err != nil {
		t.Fatalf("build %s: %v: %s", version, err, out)
	}
	return filepath.Join(dir, "released")
}
