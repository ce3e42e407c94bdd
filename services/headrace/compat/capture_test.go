package compat

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/headrace/headrace/pkg/broker"
	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/simfault"
	"github.com/headrace/headrace/pkg/stream"
	"github.com/headrace/headrace/pkg/vendorsim"
)

const apiKey = "SU-000-000-001:0123456789abcdef0123456789abcdef01234567"

// TestCapture_Release writes the messages of a release to testdata. It is run
// once for each:
//
//	CAPTURE_VERSION=v0.1.0 CAPTURE_BINARY=/path/to/headrace go test ./services/headrace/compat -run Capture
func TestCapture_Release(t *testing.T) {
	t.Parallel()
	version, binary := os.Getenv("CAPTURE_VERSION"), os.Getenv("CAPTURE_BINARY")
	if version == "" || binary == "" {
		t.Skip("CAPTURE_VERSION and CAPTURE_BINARY name no release: its messages are in testdata")
	}
	c := newCapture(t, binary)
	all := orders()
	for _, o := range all[:len(all)-1] {
		c.ids[o.name] = o.place(c.upstreams, "")
	}
	c.until("the vendor refused a call", func() bool { return len(c.vendor.Operations()) > 0 })
	c.until("letters of four requests", func() bool { return c.count(fulfillment.StreamDead) >= 5 })
	c.until("questions", func() bool { return c.status("asked") == "inquiring" && c.status("answered") == "inquiring" })
	if err := c.connect.Answer(c.ids["answered"], map[string]string{"admin_email": "ada@example.com"}); err != nil {
		t.Fatal(err)
	}
	c.run("dead", "redrive", c.ids["redriven"], "--by", "ops")
	c.run("dead", "discard", c.ids["discarded"], "--by", "ops", "--reason", "done by hand")
	c.finish("finished")
	if _, err := c.client.Append(t.Context(), stream.Message{
		Subject: "fulfillment.requests.purchase.PRD-1.AS-9.PR-9", ID: "scribbled", Body: []byte("{"),
	}); err != nil {
		t.Fatal(err)
	}
	c.until("all is approved that can be", func() bool {
		for _, name := range []string{"bought", "changed", "cancelled", "suspended", "resumed", "answered", "finished"} {
			if c.status(name) != "approved" {
				return false
			}
		}
		return c.status("rejected") == "failed" && c.count(fulfillment.StreamEvents) >= 12 && c.count(fulfillment.StreamDead) >= 9
	})
	last := all[len(all)-1]
	c.ids[last.name] = last.place(c.upstreams, "")
	c.until("it waits", func() bool {
		return c.last(fulfillment.StreamRequests, "fulfillment.schedules.*.*.*."+c.ids[last.name]) && c.param(last.name) != ""
	})
	c.write(version)
}

// capture is a released binary at work.
type capture struct {
	*upstreams
	t      *testing.T
	binary string
	env    []string
	ids    map[string]string
	client *stream.Client
}

func newCapture(t *testing.T, binary string) *capture {
	t.Helper()
	c := &capture{upstreams: newUpstreams(t, vendorsim.Options{Async: 6 * time.Second}), t: t, binary: binary, ids: map[string]string{}}
	if err := c.vendor.Faults().Set([]simfault.Fault{{Method: http.MethodPost, Path: "/tenant", Status: http.StatusTooManyRequests, Times: 1}}); err != nil {
		t.Fatal(err)
	}
	data := t.TempDir()
	c.env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "HEADRACE_DATA_DIR=" + data, "HEADRACE_HTTP_ADDR=off",
		"HEADRACE_CONNECT_ENDPOINT=" + c.connectURL, "HEADRACE_CONNECT_API_KEY=" + apiKey, "HEADRACE_CONNECT_POLL_INTERVAL=300ms",
		"HEADRACE_VENDOR_ENDPOINT=" + c.vendorURL,
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	up := exec.CommandContext(ctx, binary, "up")
	up.Env, up.Dir, up.Stderr = c.env, t.TempDir(), nil
	if err := up.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cancel(); _ = up.Wait() })
	c.until("the broker runs", func() bool {
		access, err := broker.ReadAccess(data)
		if err != nil {
			return false
		}
		c.client, err = stream.Connect(t.Context(), stream.Options{URL: access.URL, User: access.User, Password: access.Password})
		return err == nil
	})
	t.Cleanup(c.client.Close)
	c.until("the streams are there", func() bool {
		_, err := c.client.LastSequence(t.Context(), fulfillment.StreamDead)
		return err == nil
	})
	return c
}

func (c *capture) until(what string, reached func() bool) {
	c.t.Helper()
	until(c.t, what, reached)
}

func until(t *testing.T, what string, reached func() bool) {
	t.Helper()
	deadline := time.Now().Add(90 * time.Second)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !reached() {
		if time.Now().After(deadline) {
			t.Fatalf("not reached: %s", what)
		}
		<-tick.C
	}
}

func (c *capture) status(name string) string { return c.connect.Statuses()[c.ids[name]] }

func (c *capture) param(name string) string {
	r, _ := c.connect.Request(c.ids[name])
	return r.Params["subscription_id"]
}

func (c *capture) count(name string) uint64 {
	s, err := c.client.StreamState(c.t.Context(), name)
	if err != nil {
		c.t.Fatal(err)
	}
	return s.Messages
}

func (c *capture) last(name, filter string) bool {
	_, err := c.client.Last(c.t.Context(), name, filter)
	return err == nil
}

func (c *capture) run(args ...string) {
	c.t.Helper()
	cmd := exec.CommandContext(c.t.Context(), c.binary, args...)
	cmd.Env, cmd.Dir = c.env, c.t.TempDir()
	if out, err := cmd.CombinedOutput(); err != nil {
		c.t.Fatalf("%v: %v: %s", args, err, out)
	}
}

// finish approves a request in Connect, as a person does.
func (c *capture) finish(name string) {
	c.t.Helper()
	req, err := http.NewRequestWithContext(c.t.Context(), http.MethodPost, c.connectURL+"/requests/"+c.ids[name]+"/approve",
		strings.NewReader(`{"activation_tile": "done by hand"}`))
	if err != nil {
		c.t.Fatal(err)
	}
	req.Header.Set("Authorization", "ApiKey "+apiKey)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		c.t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode >= 300 {
		c.t.Fatalf("approve %s: %s", name, resp.Status)
	}
}

// write stores what is in the streams.
func (c *capture) write(version string) {
	c.t.Helper()
	f := fixture{Version: version, Requests: c.ids, Statuses: map[string]string{}}
	statuses := c.connect.Statuses()
	for name, id := range c.ids {
		f.Statuses[name] = statuses[id]
	}
	f.Messages = readAll(c.t, c.client)
	text, err := json.MarshalIndent(f, "", " ")
	if err != nil {
		c.t.Fatal(err)
	}
	dir := filepath.Join("testdata", version)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		c.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "messages.json"), append(text, '\n'), 0o644); err != nil {
		c.t.Fatal(err)
	}
}

// readAll is everything in the streams.
func readAll(t *testing.T, client *stream.Client) []message {
	t.Helper()
	var all []message
	for _, name := range streams() {
		for m, err := range client.Read(t.Context(), name, "", 1) {
			if err != nil {
				t.Fatal(err)
			}
			one := message{Stream: m.Stream, Sequence: m.Sequence, Subject: m.Subject, ID: m.ID, Header: m.Header, Scheduled: m.Scheduled}
			if json.Valid(m.Body) {
				one.Body = m.Body
			} else {
				one.Text = string(m.Body)
			}
			all = append(all, one)
		}
	}
	return all
}
