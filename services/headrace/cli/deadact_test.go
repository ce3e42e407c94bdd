package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/headrace/headrace/pkg/broker"
	"github.com/headrace/headrace/pkg/deadletter"
	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/stream"
)

// heldRequests is a broker with n purchases that are held, each with a password,
// the program beside it, and a client of the broker.
func heldRequests(t *testing.T, n int) (*Program, *stream.Client) {
	t.Helper()
	p := letters(t)
	access, err := broker.ReadAccess(filepath.Join(p.WorkDir, "data"))
	if err != nil {
		t.Fatal(err)
	}
	c, err := stream.Connect(t.Context(), stream.Options{URL: access.URL, User: access.User, Password: access.Password})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	w := deadletter.NewWriter(c, nil)
	for i := range n {
		key := fulfillment.Key{Type: fulfillment.Purchase, Product: "PRD-9", Asset: fmt.Sprintf("AS-9%d", i), Request: fmt.Sprintf("PR-9%d", i)}
		m := stream.Message{Subject: key.Subject(fulfillment.RootRequests), ID: key.Request, Body: []byte(fmt.Sprintf(
			`{"id":%q,"type":"purchase","asset":{"id":%q,"product":{"id":"PRD-9"},"params":[{"id":"pw","type":"password","value":"hunter2"},{"id":"login","value":"ann"}]}}`,
			key.Request, key.Asset))}
		seq, err := c.Append(t.Context(), m)
		if err != nil {
			t.Fatal(err)
		}
		stored, err := c.Get(t.Context(), fulfillment.StreamRequests, seq)
		if err != nil {
			t.Fatal(err)
		}
		reason := fmt.Sprintf("who knows, number %d", i)
		if err := w.Write(t.Context(), deadletter.OfDelivery(&stream.Delivery{Stored: *stored, Attempt: 1}, fulfillment.StageHold, reason)); err != nil {
			t.Fatal(err)
		}
	}
	return p, c
}

// sent counts the requests that were sent again.
func sent(t *testing.T, c *stream.Client) int {
	t.Helper()
	n := 0
	for _, err := range c.Read(t.Context(), fulfillment.StreamRequests, fulfillment.RootRetries+".>", 1) {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	return n
}

func (o outcome) must(t *testing.T, status int, want ...string) {
	t.Helper()
	if o.status != status {
		t.Errorf("status %d, want %d:\n%s%s", o.status, status, o.stdout, o.stderr)
	}
	for _, w := range want {
		if !strings.Contains(o.stdout+o.stderr, w) {
			t.Errorf("no %q in:\n%s%s", w, o.stdout, o.stderr)
		}
	}
}

func TestDeadRedrive_Filters_PreviewAskAndSend(t *testing.T) {
	t.Parallel()
	p, c := heldRequests(t, 3)
	p.try(t, "dead", "redrive", "--product", "PRD-9").must(t, statusUsage, "--yes")
	p.try(t, "dead", "redrive", "--product", "PRD-9", "--dry-run").must(t, statusDone, "PR-90", "PR-91", "PR-92", "to be looked at afresh")
	p.try(t, "dead", "redrive", "1", "PR-9", "--dry-run").must(t, statusFailed, "nothing: ", "no such dead letter")
	p.try(t, "dead", "redrive", "1", "--product", "PRD-9").must(t, statusUsage, "not both")
	p.try(t, "dead", "redrive").must(t, statusUsage, "or filters")
	p.try(t, "dead", "redrive", "--product", "PRD-9", "--edit").must(t, statusUsage, "one id")
	p.try(t, "dead", "redrive", "--product", "PRD-9", "--yes", "--rate", "0").must(t, statusUsage, "--rate")
	p.try(t, "dead", "redrive", "--asset", "AS-404", "--yes").must(t, statusDone, "No dead letters")
	asked := *p
	asked.Asks, asked.Stdin = func() bool { return true }, strings.NewReader("n\n")
	asked.try(t, "dead", "redrive", "--reason", "NUMBER").must(t, statusDone, "PR-90", "Redrive 3? [y/N]")
	if n := sent(t, c); n != 0 {
		t.Fatalf("%d were sent", n)
	}
	asked.Stdin = strings.NewReader("y\n")
	asked.try(t, "dead", "redrive", "--reason", "NUMBER 1").must(t, statusDone, "Redrive 1? [y/N]", "PR-91    redriven")
	got := p.try(t, "dead", "redrive", "--since", "1h", "--until", "0s", "--product", "PRD-9", "--yes", "--rate", "1000", "--output", "json", "--by", "ann")
	var deeds []deed
	if err := json.Unmarshal([]byte(got.stdout), &deeds); err != nil || len(deeds) != 2 || deeds[1].Done != "redriven" || sent(t, c) != 3 {
		t.Errorf("%v, %d sent: %s%s", err, sent(t, c), got.stdout, got.stderr)
	}
	p.try(t, "dead", "redrive", "PR-90", "PR-404").must(t, statusFailed, "nothing", "moved on", "1 of 2 failed")
	p.try(t, "dead", "audit", "--by", "ann").must(t, statusDone, "PR-90", "PR-92", "redriven")
	var records []deadletter.Record
	got = p.try(t, "dead", "audit", "--since", "1h", "--deed", "redriven", "--output", "json")
	if err := json.Unmarshal([]byte(got.stdout), &records); err != nil || len(records) != 3 || records[2].By != "ann" {
		t.Errorf("%v: %s", err, got.stdout)
	}
	p.try(t, "dead", "audit", "1").must(t, statusDone, "Nothing was done")
}

func TestDeadDiscard_Filters_WithoutAsking(t *testing.T) {
	t.Parallel()
	p, _ := heldRequests(t, 2)
	p.try(t, "dead", "discard", "--product", "PRD-9", "--dry-run").must(t, statusDone, "leave PR-90 to a person")
	p.try(t, "dead", "discard", "--letter-reason", "number", "--reason", "by hand", "--yes", "--rate", "1000").must(t, statusDone, "PR-91    discarded")
	p.try(t, "dead", "list", "--product", "PRD-9").must(t, statusDone, "No dead letters")
	p.try(t, "dead", "audit", "--request", "PR-91").must(t, statusDone, "discarded", "by hand")
	if got := p.try(t, "dead", "audit", "--limit", "1"); !strings.Contains(got.stdout, "PR-91") || strings.Contains(got.stdout, "PR-90") {
		t.Errorf("not the last record alone:\n%s", got.stdout)
	}
}

func TestDeadRedrive_Interrupted_SaysWhatWasDone(t *testing.T) {
	t.Parallel()
	p, c := heldRequests(t, 5)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	out, errs := new(buffer), new(buffer)
	p.Stdout, p.Stderr = out, errs
	status := make(chan int)
	go func() {
		status <- p.Run(ctx, []string{"dead", "redrive", "--product", "PRD-9", "--yes", "--rate", "0.5"})
	}()
	waitFor(t, func() bool { return sent(t, c) > 0 }, errs)
	cancel()
	if s := <-status; s != statusFailed || strings.Count(out.String(), "redriven") != 1 || strings.Count(out.String(), notBegun) != 4 ||
		!strings.Contains(errs.String(), "interrupted: 4 of 5 were not begun") {
		t.Errorf("status %d\n%s%s", s, out, errs)
	}
	p.try(t, "dead", "audit").must(t, statusDone, "PR-90") // what was begun was finished
}

func TestDeadRedrive_Edit_SendsWhatWasSaved(t *testing.T) {
	t.Parallel()
	p, c := heldRequests(t, 1)
	dir := t.TempDir()
	p.Environ = append(p.Environ, "PATH="+os.Getenv("PATH"))
	edit := func(script string, args ...string) outcome {
		again := *p
		again.Environ = append(again.Environ[:len(again.Environ):len(again.Environ)], "VISUAL="+script)
		return again.try(t, append([]string{"dead", "redrive", "PR-90"}, args...)...)
	}
	p.try(t, "dead", "redrive", "PR-90", "--edit").must(t, statusFailed, "EDITOR")
	edit("true", "--edit").must(t, statusFailed, "nothing was changed")
	edit("false", "--edit").must(t, statusFailed, "editor")
	edit(`sed -i 's/"ann"/ann/'`, "--edit").must(t, statusFailed, "not valid JSON, line", "--body")
	edit(`sed -i 's/PR-90/PR-91/'`, "--edit").must(t, statusFailed, "not about the letter's request")
	edit(`sed -i 's/ann/•••/'`, "--edit").must(t, statusFailed, "asset.params[1].value", "masked")
	masked := filepath.Join(dir, "masked.json")
	if err := os.WriteFile(masked, []byte(`{"id":"PR-90","type":"purchase","asset":{"id":"AS-90","product":{"id":"PRD-9"},"params":[{"id":"login","value":"•••"}]}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	p.try(t, "dead", "redrive", "PR-90", "--body", masked).must(t, statusFailed, "masked")
	if n := sent(t, c); n != 0 {
		t.Fatalf("%d were sent", n)
	}
	edit(`grep -q hunter2 "$1" && exit 9; sed -i s/ann/bob/`, "--edit", "--by", "ann").must(t, statusDone, "redriven")
	m, err := c.Last(t.Context(), fulfillment.StreamRequests, fulfillment.RootRetries+".>")
	if err != nil || !strings.Contains(string(m.Body), `"hunter2"`) || !strings.Contains(string(m.Body), `"bob"`) || strings.Contains(string(m.Body), "•") {
		t.Errorf("%v: sent %s", err, m.Body)
	}
	p.try(t, "dead", "audit").must(t, statusDone, "body edited")
}

func TestDeadShow_Reveal_IsOnRecord(t *testing.T) {
	t.Parallel()
	p, _ := heldRequests(t, 1)
	p.try(t, "dead", "show", "PR-90", "--reveal", "--by", "ann").must(t, statusDone, "hunter2")
	if got := p.try(t, "dead", "show", "PR-90", "-o", "json"); strings.Contains(got.stdout, "hunter2") || !strings.Contains(got.stdout, `"masked": true`) {
		t.Errorf("%s", got.stdout)
	}
	p.try(t, "dead", "audit", "--deed", "revealed").must(t, statusDone, "ann", "PR-90")
	p.try(t, "dead", "list", "--request", "PR-90").must(t, statusDone, "hold")
	p.try(t, "requests", "show", "PR-90").must(t, statusDone, "held", "ann")
}
