package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/headrace/headrace/pkg/broker"
	"github.com/headrace/headrace/pkg/episode"
	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/stream"
)

// events is a running broker beside p, and what puts the event of PR-n there.
func events(t *testing.T, p *Program) (b *broker.Broker, put func(n int, e fulfillment.Event)) {
	t.Helper()
	b, err := broker.Start(t.Context(), broker.Options{Dir: filepath.Join(p.WorkDir, "data"), SyncInterval: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Shutdown(context.WithoutCancel(t.Context())) })
	c, err := stream.Connect(t.Context(), stream.Options{InProcess: b, User: b.User(), Password: b.Password()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	if err := c.Apply(t.Context(), stream.Fulfillment(stream.Limits{})); err != nil {
		t.Fatal(err)
	}
	return b, func(n int, e fulfillment.Event) {
		t.Helper()
		_, err := episode.PutEvent(t.Context(), c, fulfillment.EventBody{
			RequestID: fmt.Sprintf("PR-%d", n), AssetID: fmt.Sprintf("AS-%d", n%2), ProductID: "PRD-1", Type: fulfillment.Purchase,
			Event: e, Episode: uint64(n), Reason: "line\nbreak \x1b[31m", Time: time.Date(2026, 1, 31, 12, 0, n, 0, time.UTC),
		}, episode.Closing{})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// requestsOf are those that the lines of JSON are about.
func requestsOf(t *testing.T, lines string) []string {
	t.Helper()
	var all []string
	for line := range strings.Lines(lines) {
		var e struct {
			Data fulfillment.EventBody `json:"data"`
		}
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		all = append(all, e.Data.RequestID)
	}
	return all
}

func TestEventsTail_Filters_ShowWhatWasAskedFor(t *testing.T) {
	t.Parallel()
	p, _, _ := subject(t)
	_, put := events(t, p)
	for n := 1; n <= 12; n++ {
		put(n, map[bool]fulfillment.Event{true: fulfillment.EventFailed, false: fulfillment.EventApproved}[n == 3])
	}
	for flags, want := range map[string][]string{
		"--limit 2":                            {"PR-11", "PR-12"},
		"--event failed":                       {"PR-3"},
		"--request PR-7 --type purchase":       {"PR-7"},
		"--asset AS-1 --limit 2":               {"PR-9", "PR-11"},
		"--product PRD-2":                      nil,
		"--since 0s":                           nil,
		"--until 1h":                           nil,
		"--since 1h --limit 1":                 {"PR-12"},
		"--since 1h --event failed --until 0s": {"PR-3"},
	} {
		got := p.try(t, append([]string{"events", "tail", "--output", "json"}, strings.Fields(flags)...)...)
		if diff := cmp.Diff(want, requestsOf(t, got.stdout)); diff != "" || got.status != statusDone {
			t.Errorf("%s: status %d %s\n%s", flags, got.status, got.stderr, diff)
		}
	}
	for flags, want := range map[string]int{"": lastFew, "--limit 0": 12, "--since 1h": 12} {
		got := p.try(t, append([]string{"events", "tail"}, strings.Fields(flags)...)...)
		if n := strings.Count(got.stdout, "\n"); n != want || strings.Contains(got.stdout, "\x1b") {
			t.Errorf("%q: %d lines, want %d:\n%s", flags, n, want, got.stdout)
		}
	}
}

func TestEventsTail_FarBack_IsFound(t *testing.T) {
	t.Parallel()
	p, _, _ := subject(t)
	_, put := events(t, p)
	put(1, fulfillment.EventFailed)
	put(2, fulfillment.EventFailed)
	for n := range firstLook + 10 {
		put(n+3, fulfillment.EventApproved)
	}
	for flags, want := range map[string][]string{
		"--event failed --limit 1": {"PR-2"}, "--event failed": {"PR-1", "PR-2"}, "--limit 1": {fmt.Sprintf("PR-%d", firstLook+12)},
	} {
		got := p.try(t, append([]string{"events", "tail", "--output", "json"}, strings.Fields(flags)...)...)
		if diff := cmp.Diff(want, requestsOf(t, got.stdout)); diff != "" {
			t.Errorf("%s: status %d %s\n%s", flags, got.status, got.stderr, diff)
		}
	}
}

func TestEventsTail_JSON_IsACloudEvent(t *testing.T) {
	t.Parallel()
	p, _, _ := subject(t)
	_, put := events(t, p)
	put(7, fulfillment.EventApproved)
	got := p.try(t, "events", "tail", "-o", "json")
	var e map[string]any
	if err := json.Unmarshal([]byte(got.stdout), &e); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]any{
		"specversion": "1.0", "id": "PR-7/7/approved", "type": "fulfillment.purchase.approved.v1", "source": "/headrace", "episode": "7",
		"natssubject": "fulfillment.events.purchase.approved.PRD-1.AS-1.PR-7", "natssequence": 1.0,
	} {
		if e[name] != want {
			t.Errorf("%s is %v, want %v", name, e[name], want)
		}
	}
	if data, ok := e["data"].(map[string]any); !ok || data["event"] != "approved" {
		t.Errorf("data is %v", e["data"])
	}
}

// The broker of a new start has another address and another password.
func TestEventsTail_BrokerRestarts_GoesOnWithoutGapOrDouble(t *testing.T) {
	t.Parallel()
	p, out, errs := subject(t)
	b, put := events(t, p)
	put(1, fulfillment.EventApproved)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan int, 1)
	go func() { ended <- p.Run(ctx, []string{"events", "tail", "--follow", "--output", "json"}) }()
	lines := func(n int) func() bool {
		return func() bool { return strings.Count(out.String(), "\n") == n }
	}
	waitFor(t, lines(1), errs)
	put(2, fulfillment.EventApproved)
	waitFor(t, lines(2), errs)
	if err := b.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	waitFor(t, func() bool { return strings.Contains(errs.String(), "waiting for it") }, errs)
	_, put = events(t, p)
	put(3, fulfillment.EventApproved)
	waitFor(t, lines(3), errs)
	stop()
	if status := <-ended; status != statusDone || !strings.Contains(errs.String(), "is back") {
		t.Errorf("status %d: %s", status, errs)
	}
	if diff := cmp.Diff([]string{"PR-1", "PR-2", "PR-3"}, requestsOf(t, out.String())); diff != "" {
		t.Error(diff)
	}
}

func TestEventsTail_WrongUse_AndNoBroker(t *testing.T) {
	t.Parallel()
	for _, flags := range []string{"--limit=-1", "--since=yesterday", "--follow --until=1h", "--output=xml", "extra"} {
		got := headrace(t, nil, append([]string{"events", "tail"}, strings.Fields(flags)...)...)
		if got.status != statusUsage {
			t.Errorf("%s: status %d: %s", flags, got.status, got.stderr)
		}
	}
	if got := headrace(t, nil, "events", "tail", "--follow"); got.status != statusNoBroker {
		t.Errorf("without a broker: status %d: %s", got.status, got.stderr)
	}
}
