package events_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/headrace/headrace/pkg/events"
	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/schemas"
)

// header is the least that a client for NATS gives.
type header map[string]string

func (h header) Get(name string) string { return h[name] }

const approved = `{"request_id":"PR-1","asset_id":"AS-1","product_id":"PRD-1","type":"purchase","event":"approved","episode":7,` +
	`"status":"approved","reason":"","time":"2026-03-02T09:00:00Z","subscription":{"id":"AS-1"},"of a later release":[1]}`

func headerOf(id, kind string) header { return header{"ce-id": id, "ce-type": kind} }

func TestDecode_Event_HasIDAndBody(t *testing.T) {
	t.Parallel()
	got, err := events.Decode(headerOf("PR-1/7/approved", "fulfillment.purchase.approved.v1"), []byte(approved))
	if err != nil {
		t.Fatal(err)
	}
	want := &events.Event{ID: "PR-1/7/approved", EventBody: fulfillment.EventBody{
		RequestID: "PR-1", AssetID: "AS-1", ProductID: "PRD-1", Type: fulfillment.Purchase, Event: fulfillment.EventApproved, Episode: 7,
		Status: "approved", Time: time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC), Subscription: &fulfillment.Subscription{ID: "AS-1"},
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestDecode_EveryExample_IsTaken(t *testing.T) {
	t.Parallel()
	for _, fact := range fulfillment.Facts() {
		all, err := schemas.Examples("event." + string(fact.Event) + ".v1.json")
		if err != nil || len(all) == 0 {
			t.Errorf("%s: %d examples, %v", fact.Event, len(all), err)
		}
		for _, example := range all {
			e, err := events.Decode(header(example.Header), example.Body)
			if err != nil || e.Event != fact.Event {
				t.Errorf("%s, %s: %v", fact.Event, example.Case, err)
			}
		}
	}
}

func TestDecode_NotOfThisVersion_SaysSo(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"", "fulfillment.purchase.approved.v2", "com.example.order.v1", "fulfillment.purchase.approved"} {
		if _, err := events.Decode(headerOf("PR-1/7/approved", kind), []byte(`no matter`)); !errors.Is(err, events.ErrVersion) {
			t.Errorf("%q: %v", kind, err)
		}
	}
}

func TestDecode_Faults_AreTold(t *testing.T) {
	t.Parallel()
	const id, kind = "PR-1/7/approved", "fulfillment.purchase.approved.v1"
	for what, tc := range map[string]struct {
		header header
		body   string
	}{
		"unexpected end": {headerOf(id, kind), approved[:40]},
		"ce-id":          {headerOf("", kind), approved},
		"ce-type":        {headerOf(id, "fulfillment.purchase.failed.v1"), approved},
		"request_id":     {headerOf(id, kind), strings.Replace(approved, "PR-1", "", 1)},
		"episode":        {headerOf(id, kind), strings.Replace(approved, `"episode":7`, `"episode":0`, 1)},
		"time":           {headerOf(id, kind), strings.Replace(approved, `"time"`, `"times"`, 1)},
	} {
		if _, err := events.Decode(tc.header, []byte(tc.body)); !errors.Is(err, events.ErrInvalid) || !strings.Contains(err.Error(), what) {
			t.Errorf("%s: %v", what, err)
		}
	}
}
