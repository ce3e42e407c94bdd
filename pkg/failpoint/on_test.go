//go:build failpoints

package failpoint

import (
	"bytes"
	"os"
	"os/exec"
	"syscall"
	"testing"
)

// TestMain lets the tests have a process of their own die.
func TestMain(m *testing.M) {
	if os.Getenv("FAILPOINT_CHILD") != "" {
		for range 3 {
			Here(Approved, "PR-1")
		}
		return
	}
	os.Exit(m.Run())
}

func TestHere_Armed_DiesAtTheNthTime(t *testing.T) {
	t.Parallel()
	for charges, dies := range map[string]bool{
		"approved=kill@3": true, "approved=kill%1": true, "approved=kill@4": false, "listed=kill@1": false, "": false,
	} {
		cmd := exec.Command(os.Args[0])
		cmd.Env = []string{"FAILPOINT_CHILD=1", "FAILPOINTS=" + charges}
		var said bytes.Buffer
		cmd.Stderr = &said
		_ = cmd.Run() // its status says it all
		status, _ := cmd.ProcessState.Sys().(syscall.WaitStatus)
		if killed := status.Signaled() && status.Signal() == syscall.SIGKILL; killed != dies {
			t.Errorf("%q: killed %v: %s", charges, killed, &said)
		}
		p, action, request, ok := Struck(said.String())
		if ok != dies || dies && (p != Approved || action != Kill || request != "PR-1") {
			t.Errorf("%q: it said %q", charges, &said)
		}
	}
}

func TestParse_Wrong_IsTold(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"nowhere=kill@1", "listed=die@1", "listed=kill@0", "listed=kill", "listed=kill%often"} {
		if _, err := parse(text); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
}
