package cli

import (
	"context"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/headrace/headrace/pkg/broker"
	"github.com/headrace/headrace/pkg/deadletter"
	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/stream"
)

const heldBody = `{"id":"PR-1","asset":{"params":[
	{"id":"admin_password","type":"password","value":"hunter2","structured_value":{"a":"hunter2"}},
	{"id":"empty","type":"password","value":""},
	{"id":"login","type":"text","value":"ann"}]},"big":12345678901234567890}`

// letters is a running broker with three dead letters, and the program beside
// it: broker.json is all that it finds it by.
func letters(t *testing.T) *Program {
	t.Helper()
	p, _, _ := subject(t)
	b, err := broker.Start(t.Context(), broker.Options{Dir: filepath.Join(p.WorkDir, "data"), SyncInterval: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Shutdown(context.WithoutCancel(t.Context())); err != nil { // the test's own has ended by now
			t.Error(err)
		}
	})
	c, err := stream.Connect(t.Context(), stream.Options{InProcess: b, User: b.User(), Password: b.Password()})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Apply(t.Context(), stream.Fulfillment(stream.Limits{})); err != nil {
		t.Fatal(err)
	}
	w := deadletter.NewWriter(c, nil)
	at := time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)
	for i, l := range []fulfillment.Letter{
		{
			RequestID: "PR-1", AssetID: "AS-1", ProductID: "PRD-1", Type: fulfillment.Purchase, Stage: fulfillment.StageHold,
			Reason: "outcome \x1b[31munknown", Attempts: 2, Subject: "fulfillment.requests.purchase.PRD-1.AS-1.PR-1",
			Headers: map[string][]string{"ce-episode": {"7"}}, Body: []byte(heldBody),
		},
		{
			RequestID: "PR-2", AssetID: "AS-2", ProductID: "PRD-1", Type: "return", Stage: fulfillment.StageType,
			Reason: `no service takes "return"`, Subject: "fulfillment.requests.return.PRD-1.AS-2.PR-2", Body: []byte(`{}`),
		},
		{
			RequestID: "PR-3", Stage: fulfillment.StageDecode, Reason: "not JSON", Subject: "fulfillment.requests._._._.PR-3",
			Body: []byte("\xff\x00{"),
		},
	} {
		l.Time, l.Stream, l.Sequence, l.Episode = at, fulfillment.StreamRequests, uint64(i+7), uint64(i+7)
		if err := w.Write(t.Context(), l); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

func (p *Program) try(t *testing.T, args ...string) outcome {
	t.Helper()
	out, errs := new(buffer), new(buffer)
	again := *p
	again.Stdout, again.Stderr = out, errs
	status := again.Run(t.Context(), args)
	return outcome{status, out.String(), errs.String()}
}

func TestDead_Letters_ListedAndShown(t *testing.T) {
	t.Parallel()
	p := letters(t)
	t.Run("list as JSON has the fields of the contract", func(t *testing.T) {
		var list []map[string]any
		got := p.try(t, "dead", "list", "--output", "json")
		if err := json.Unmarshal([]byte(got.stdout), &list); err != nil || len(list) != 3 {
			t.Fatalf("%d letters, %v: %s%s", len(list), err, got.stdout, got.stderr)
		}
		for _, field := range []string{"id", "request_id", "asset_id", "type", "stage", "reason", "time", "attempts", "subject"} {
			if _, ok := list[2][field]; !ok {
				t.Errorf("no %s in %v", field, list[2])
			}
		}
		if list[0]["request_id"] != "PR-1" || list[0]["attempts"] != 2.0 || list[2]["asset_id"] != "" {
			t.Errorf("list: %s", got.stdout)
		}
	})
	t.Run("list as text steers no terminal", func(t *testing.T) {
		got := p.try(t, "dead", "list", "--stage", "hold")
		if got.status != 0 || strings.Count(got.stdout, "\n") != 2 || strings.Contains(got.stdout, "\x1b") || !strings.Contains(got.stdout, "PR-1") {
			t.Errorf("status %d:\n%s%s", got.status, got.stdout, got.stderr)
		}
	})
	t.Run("nothing found is an empty array", func(t *testing.T) {
		if got := p.try(t, "dead", "list", "--type", "cancel", "-o", "json"); got.stdout != "[]\n" {
			t.Errorf("stdout %q", got.stdout)
		}
	})
	t.Run("limit", func(t *testing.T) {
		if got := p.try(t, "dead", "list", "--limit", "1"); strings.Count(got.stdout, "\n") != 2 {
			t.Errorf("stdout:\n%s", got.stdout)
		}
	})
	t.Run("show leaves out passwords", func(t *testing.T) {
		for _, args := range [][]string{{"dead", "show", "PR-1"}, {"dead", "show", "1", "--output", "json"}} {
			got := p.try(t, args...)
			if got.status != 0 || strings.Contains(got.stdout, "hunter2") || strings.Contains(got.stdout, "\x1b") {
				t.Errorf("%v: status %d:\n%s%s", args, got.status, got.stdout, got.stderr)
			}
			for _, kept := range []string{`"ann"`, "•••", "12345678901234567890", "ce-episode", `"value": ""`} {
				if !strings.Contains(got.stdout, kept) {
					t.Errorf("%v: no %s in\n%s", args, kept, got.stdout)
				}
			}
		}
	})
	t.Run("show of what is not text", func(t *testing.T) {
		if got := p.try(t, "dead", "show", "PR-3"); !strings.Contains(got.stdout, `"\xff\x00{"`) {
			t.Errorf("stdout:\n%s", got.stdout)
		}
		var s map[string]any
		got := p.try(t, "dead", "show", "PR-3", "-o", "json")
		if err := json.Unmarshal([]byte(got.stdout), &s); err != nil || s["body_base64"] != "/wB7" {
			t.Errorf("%v: %s", err, got.stdout)
		}
	})
	t.Run("show of what is not there", func(t *testing.T) {
		if got := p.try(t, "dead", "show", "PR-9"); got.status != 1 || got.stderr != "headrace: PR-9: no such dead letter; headrace dead list has the ids\n" {
			t.Errorf("status %d, %s", got.status, got.stderr)
		}
	})
}
