package cli

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
)

// outcome is what one run of headrace left behind.
type outcome struct {
	status         int
	stdout, stderr string
}

// subject is a Program in an empty directory without environment, and its
// streams.
func subject(t *testing.T, environ ...string) (*Program, *buffer, *buffer) {
	t.Helper()
	out, errs := new(buffer), new(buffer)
	return &Program{
		Stdin: strings.NewReader(""), Stdout: out, Stderr: errs, Environ: environ, WorkDir: t.TempDir(),
		Services: func(context.Context, Run) error { t.Error("services were run"); return nil },
	}, out, errs
}

// headrace runs a subject with the arguments.
func headrace(t *testing.T, environ []string, args ...string) outcome {
	t.Helper()
	p, out, errs := subject(t, environ...)
	status := p.Run(t.Context(), args)
	return outcome{status, out.String(), errs.String()}
}

// buffer may be read while it is written.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// waitFor polls until done, and shows what there is when it never is.
func waitFor(t *testing.T, done func() bool, state fmt.Stringer) {
	t.Helper()
	deadline := time.After(2 * time.Minute)
	for tick := time.NewTicker(5 * time.Millisecond); !done(); {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("never came to pass; there is:\n%s", state)
		}
	}
}
