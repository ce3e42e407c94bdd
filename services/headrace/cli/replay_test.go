package cli

import (
	"strings"
	"testing"
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
	if got := headrace(t, nil, "replay", "results", "--yes"); got.status != statusNoBroker {
		t.Errorf("without a broker: status %d: %s", got.status, got.stderr)
	}
}
