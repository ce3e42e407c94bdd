package compat

import (
	"encoding/json"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/headrace/headrace/schemas/breaking"
)

// document is what others build on of an AsyncAPI document, besides the schemas.
type document struct {
	Channels   map[string]struct{ Address string }
	Components struct {
		Messages map[string]struct{ Headers json.RawMessage }
	}
}

// TestRelease_ItsChannels_AreKept refuses what would break those who subscribe to
// what a release publishes, or read its headers.
func TestRelease_ItsChannels_AreKept(t *testing.T) {
	t.Parallel()
	for _, version := range releases(t) {
		old, err := os.ReadFile(filepath.Join("testdata", version, "schemas", "asyncapi.json"))
		if errors.Is(err, fs.ErrNotExist) {
			continue // v0.1.0 had none
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, fault := range brokenChannels(t, old, asyncAPI(t)) {
			t.Errorf("breaks who builds on %s: %s", version, fault)
		}
	}
}

func TestBrokenChannels_Changes_AreTold(t *testing.T) {
	t.Parallel()
	old := string(asyncAPI(t))
	for _, c := range []struct{ name, from, to, want string }{
		{"nothing", "", "", ""},
		{"a channel gone", `"approved": {
      "address"`, `"agreed": {
      "address"`, "channel approved: gone"},
		{"another subject", ".approved.{product}", ".agreed.{product}", "channel approved: is on fulfillment.events.{type}.agreed.{product}.{asset}.{request}"},
		{"a header less sure", `^fulfillment\\.[^.]+\\.approved\\.v1$`, `^fulfillment\\..*$`, "message approved: ce-type: pattern"},
		{"a channel more", `"channels": {`, `"channels": { "new": { "address": "new" },`, ""},
	} {
		today := strings.Replace(old, c.from, c.to, 1)
		if c.from != "" && today == old {
			t.Fatalf("%s: %q is not in the document", c.name, c.from)
		}
		got := strings.Join(brokenChannels(t, []byte(old), []byte(today)), "; ")
		if c.want == "" && got != "" || !strings.HasPrefix(got, c.want) {
			t.Errorf("%s: got %q", c.name, got)
		}
	}
}

// brokenChannels tells what of the old document is gone or was changed in
// today's.
func brokenChannels(t *testing.T, old, today []byte) []string {
	t.Helper()
	var was, is document
	if err := errors.Join(json.Unmarshal(old, &was), json.Unmarshal(today, &is)); err != nil {
		t.Fatal(err)
	}
	var faults []string
	for _, name := range slices.Sorted(maps.Keys(was.Channels)) {
		channel, there := is.Channels[name]
		switch {
		case !there:
			faults = append(faults, "channel "+name+": gone")
		case channel.Address != was.Channels[name].Address:
			faults = append(faults, "channel "+name+": is on "+channel.Address)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(was.Components.Messages)) {
		message, there := is.Components.Messages[name]
		if !there {
			faults = append(faults, "message "+name+": gone")
			continue
		}
		changes, err := breaking.Changes(was.Components.Messages[name].Headers, message.Headers)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range changes {
			c.File = "message " + name
			faults = append(faults, c.String())
		}
	}
	return faults
}

func asyncAPI(t *testing.T) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "..", "schemas", "asyncapi.json"))
	if err != nil {
		t.Fatal(err)
	}
	return text
}
