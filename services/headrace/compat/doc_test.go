// Package compat holds today's code to the messages of released versions: it
// reads what they wrote, and they read what it writes. See
// docs/explanation/compatibility.md.
package compat

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/headrace/headrace/pkg/fulfillment"
)

// message is a stored message of a released version, as a file can hold it.
type message struct {
	Stream    string            `json:"stream"`
	Sequence  uint64            `json:"sequence"`
	Subject   string            `json:"subject"`
	ID        string            `json:"id"`
	Header    map[string]string `json:"header"`
	Scheduled bool              `json:"scheduled,omitempty"`
	Body      json.RawMessage   `json:"body,omitempty"`
	// Text is the body of what is no JSON.
	Text string `json:"text,omitempty"`
}

func (m message) body() []byte {
	if m.Body != nil {
		return m.Body
	}
	return []byte(m.Text)
}

// fixture is what a released version left in its streams after the orders of
// this package.
type fixture struct {
	Version string `json:"version"`
	// Requests are the ids by the orders' names.
	Requests map[string]string `json:"requests"`
	// Statuses are those that Connect had the requests in, by the same names.
	Statuses map[string]string `json:"statuses"`
	Messages []message         `json:"messages"`
}

// releases are the versions of which there are messages, the oldest first.
func releases(t *testing.T) []string {
	t.Helper()
	dirs, err := filepath.Glob("testdata/v*")
	if err != nil || len(dirs) == 0 {
		t.Fatalf("no messages of any release: %v", err)
	}
	for i, d := range dirs {
		dirs[i] = filepath.Base(d)
	}
	return dirs
}

func load(t *testing.T, version string) fixture {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", version, "messages.json"))
	if err != nil {
		t.Fatal(err)
	}
	var f fixture
	if err := json.Unmarshal(text, &f); err != nil {
		t.Fatal(err)
	}
	return f
}

func streams() []string {
	return []string{fulfillment.StreamRequests, fulfillment.StreamResults, fulfillment.StreamEvents, fulfillment.StreamDead}
}
