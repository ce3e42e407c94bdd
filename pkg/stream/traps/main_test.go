package traps

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"
)

// childEnv names what a child process does; urlEnv is its broker.
const (
	childEnv = "TRAPS_TEST_CHILD"
	urlEnv   = "TRAPS_TEST_URL"
)

// TestMain is also the main of the processes that a trap may kill.
func TestMain(m *testing.M) {
	role, ok := os.LookupEnv(childEnv)
	if !ok {
		os.Exit(m.Run())
	}
	run, ok := children()[role]
	if !ok {
		fmt.Fprintf(os.Stderr, "no child %q\n", role)
		os.Exit(64)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := run(ctx, os.Getenv(urlEnv)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// child runs a process of the test binary until it ends or stop is closed, and
// returns its exit status (-1: killed, as by stop) and what it wrote to stderr.
func child(t *testing.T, role, url string, stop <-chan struct{}) (int, string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+role, urlEnv+"="+url)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	var err error
	select {
	case err = <-done:
	case <-stop:
		_ = cmd.Process.Kill()
		err = <-done
	}
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("run child %s: %v", role, err)
	}
	return cmd.ProcessState.ExitCode(), stderr.String()
}
