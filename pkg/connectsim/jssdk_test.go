package connectsim_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/headrace/headrace/pkg/connectsim"
)

// TestJavaScriptSDK runs CloudBlue's own SDK, unchanged, against the
// simulator. It needs node and npm, and once a package registry; where they
// are missing the test says so and passes.
func TestJavaScriptSDK(t *testing.T) {
	t.Parallel()
	node, missing := sdk(t)
	if missing != "" {
		t.Log("left out: " + missing)
		// What was not checked must not look checked, wherever go test shows
		// more than its verdict.
		fmt.Fprintln(os.Stderr, "connectsim: the JavaScript SDK's check was left out: "+missing)
		return
	}
	p := newPortal(t, connectsim.Options{})
	script := exec.CommandContext(t.Context(), node, "fidelity.js", p.url+connectsim.BasePath, testKey)
	script.Dir = "jssdk"
	out, err := script.CombinedOutput()
	if err != nil {
		t.Fatalf("fidelity.js: %v\n%s", err, out)
	}
	t.Logf("%s", out)
	if n := strings.Count(string(out), "ok "); n < 9 {
		t.Errorf("fidelity.js took %d steps, want 9", n)
	}
}

// sdk finds node and installs the SDK unless it is there; else it says why it
// can't.
func sdk(t *testing.T) (node, missing string) {
	t.Helper()
	node, err := exec.LookPath("node")
	if err != nil {
		return "", "there is no node"
	}
	if _, err := os.Stat(filepath.Join("jssdk", "node_modules", "@cloudblueconnect", "connect-javascript-sdk")); err == nil {
		return node, ""
	}
	npm, err := exec.LookPath("npm")
	if err != nil {
		return "", "there is no npm"
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	install := exec.CommandContext(ctx, npm, "ci", "--no-audit", "--no-fund")
	install.Dir = "jssdk"
	if out, err := install.CombinedOutput(); err != nil {
		last := strings.Split(strings.TrimSpace(string(out)), "\n")
		return "", "npm ci: " + last[len(last)-1]
	}
	return node, ""
}
