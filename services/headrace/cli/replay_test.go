package cli

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/headrace/headrace/pkg/config"
	"github.com/headrace/headrace/pkg/deadletter"
	"github.com/headrace/headrace/pkg/episode"
	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/stream"
)

func TestReplay_WithoutTerminalAndYes_IsRefused(t *testing.T) {
	t.Parallel()
	p := letters(t)
	got := p.try(t, "replay", "results")
	if got.status != statusUsage || !strings.Contains(got.stderr, "--yes") {
		t.Errorf("status %d: %s", got.status, got.stderr)
	}
}

func TestReplay_NothingSelected_SaysSo(t *testing.T) {
	t.Parallel()
	p := letters(t)
	for _, how := range []string{"--dry-run", "--yes"} {
		if got := p.try(t, "replay", "results", how, "--asset", "AS-404"); got.status != statusDone || !strings.Contains(got.stdout, "Nothing") {
			t.Errorf("%s: status %d: %s%s", how, got.status, got.stdout, got.stderr)
		}
		if got := p.try(t, "replay", "results", how, "--output", "json"); got.stdout != "[]\n" {
			t.Errorf("%s: %s%s", how, got.stdout, got.stderr)
		}
	}
}

func TestReplay_WrongFlags_AreWrongUse(t *testing.T) {
	t.Parallel()
	for _, flag := range []string{"--rate=0", "--rate=-1", "--since=yesterday", "--from-seq=-1", "--output=xml"} {
		if got := headrace(t, nil, "replay", "results", "--yes", flag); got.status != statusUsage {
			t.Errorf("%s: status %d: %s", flag, got.status, got.stderr)
		}
	}
	for _, flags := range [][]string{{"--round=2"}, {"--again", "--round=0"}, {"--again", "--round=-1"}} {
		if got := headrace(t, nil, append([]string{"replay", "requests", "--yes"}, flags...)...); got.status != statusUsage {
			t.Errorf("%s: status %d: %s", flags, got.status, got.stderr)
		}
	}
	if got := headrace(t, nil, "replay", "results", "--yes"); got.status != statusNoBroker {
		t.Errorf("without a broker: status %d: %s", got.status, got.stderr)
	}
}

// approved adds an event of a request, and a result of another that is not
// committed, to the broker of p.
func approved(t *testing.T, p *Program) *stream.Client {
	t.Helper()
	cfg, err := p.settings(config.Need{Broker: true})
	if err != nil {
		t.Fatal(err)
	}
	c, err := p.reach(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	if _, err := episode.PutEvent(t.Context(), c, fulfillment.EventBody{
		RequestID: "PR-8", AssetID: "AS-8", ProductID: "PRD-1", Type: fulfillment.Change, Event: fulfillment.EventApproved, Episode: 3,
	}, episode.Closing{}); err != nil {
		t.Fatal(err)
	}
	if _, err := episode.PutResult(t.Context(), c, fulfillment.Result{
		RequestID: "PR-9", AssetID: "AS-9", ProductID: "PRD-1", Type: fulfillment.Purchase, Episode: 4, Attempt: 1, Decision: fulfillment.Approve,
	}, "decided", 0); err != nil {
		t.Fatal(err)
	}
	err = deadletter.NewWriter(c, nil).Write(t.Context(), fulfillment.Letter{ // so that it is not in the committer's hands
		RequestID: "PR-9", AssetID: "AS-9", ProductID: "PRD-1", Type: fulfillment.Purchase, Stage: fulfillment.StageCommit, Episode: 4,
		Stream: fulfillment.StreamResults, Sequence: 1,
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestReplayResults_AsksAndTellsWhatBecameOfEach(t *testing.T) {
	t.Parallel()
	p := letters(t)
	c := approved(t, p)
	results := func() uint64 {
		n, err := c.LastSequence(t.Context(), fulfillment.StreamResults)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	p.Asks = func() bool { return true }
	for answer, want := range map[string]uint64{"": 1, "n\n": 1, "what\n": 1} {
		p.Stdin = strings.NewReader(answer)
		if got := p.try(t, "replay", "results"); got.status != statusDone || results() != want || !strings.Contains(got.stderr, "no, result exists") {
			t.Errorf("%q: status %d, %d results: %s%s", answer, got.status, results(), got.stdout, got.stderr)
		}
	}
	if got := p.try(t, "replay", "results", "--dry-run"); got.status != statusDone || results() != 1 || !strings.Contains(got.stdout, "PR-9") {
		t.Errorf("dry run: status %d, %d results: %s%s", got.status, results(), got.stdout, got.stderr)
	}
	p.Stdin = strings.NewReader("y\n")
	got := p.try(t, "replay", "results", "--wait", "1ms", "--by", "ada", "--output", "json")
	var steps []map[string]any
	if err := json.Unmarshal([]byte(got.stdout), &steps); err != nil || got.status != statusDone || results() != 2 {
		t.Fatalf("status %d, %d results, %v: %s%s", got.status, results(), err, got.stdout, got.stderr)
	}
	if s := steps[0]; len(steps) != 1 || s["request_id"] != "PR-9" || s["done"] != "sent" || s["reason"] != "not finished yet" || s["sequence"] != 1.0 {
		t.Errorf("%v", steps)
	}
	if again := p.try(t, "replay", "results", "--yes"); again.status != statusDone || !strings.Contains(again.stdout, "1 nothing.") {
		t.Errorf("again: status %d: %s%s", again.status, again.stdout, again.stderr)
	}
	if shown := p.try(t, "requests", "show", "PR-9"); !strings.Contains(shown.stdout, "replayed by ada") {
		t.Errorf("%s", shown.stdout)
	}
}

func TestReplayEvents_SaysHowManyWereSent(t *testing.T) {
	t.Parallel()
	p := letters(t)
	approved(t, p)
	got := p.try(t, "replay", "events", "--yes", "--rate", "1000")
	if got.status != statusDone || !strings.Contains(got.stdout, "\n1 sent.\n") || !strings.Contains(got.stdout, "replay.fulfillment.events.change.approved.PRD-1.AS-8.PR-8") {
		t.Errorf("status %d: %s%s", got.status, got.stdout, got.stderr)
	}
	if got := p.try(t, "replay", "events", "--yes", "--to", "fulfillment.events"); got.status != statusUsage {
		t.Errorf("status %d: %s", got.status, got.stderr)
	}
}
