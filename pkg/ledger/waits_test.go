package ledger_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/ledger"
	"github.com/headrace/headrace/pkg/pipelinetest"
	"github.com/headrace/headrace/pkg/stream"
)

func TestShow_UpstreamPaused_IsTheReasonOfWhoWaitsForIt(t *testing.T) {
	t.Parallel()
	c := pipelinetest.Client(t)
	key := pipelinetest.Key(fulfillment.Purchase, "PR-1")
	pipelinetest.Open(t, c, key, pipelinetest.Request(t, key, ""))
	since := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	say := func(u fulfillment.Upstream) {
		t.Helper()
		u.Since = since
		body, err := json.Marshal(u)
		if err != nil {
			t.Fatal(err)
		}
		pipelinetest.Append(t, c, stream.Message{Subject: fulfillment.UpstreamSubject(u.ID), Body: body})
	}
	reason := func() string {
		t.Helper()
		h, err := ledger.Show(t.Context(), c, "PR-1")
		if err != nil {
			t.Fatal(err)
		}
		all, err := ledger.List(t.Context(), c, ledger.Filter{Reason: h.Reason}, 0)
		if err != nil || len(all) != 1 || all[0].Reason != h.Reason {
			t.Fatalf("list and show differ: %v, %v", all, err)
		}
		return h.Reason
	}
	other := fulfillment.Upstream{
		ID: "b", Name: "the vendor at b", Kind: fulfillment.UpstreamVendor, Products: []string{"PRD-2"},
		State: fulfillment.UpstreamPaused, Reason: "it answers 502",
	}
	say(other)
	if got := reason(); got != "" {
		t.Errorf("the vendor of another product is paused, and the reason is %q", got)
	}
	own := fulfillment.Upstream{
		ID: "a", Name: "the vendor at a", Kind: fulfillment.UpstreamVendor, Products: []string{key.Product},
		State: fulfillment.UpstreamFailing, Reason: "it answers 503",
	}
	say(own)
	if got := reason(); !strings.Contains(got, "the vendor at a, failing since 2026-03-02T09:00:00Z: it answers 503") {
		t.Errorf("reason %q", got)
	}
	own.State = fulfillment.UpstreamProbing
	say(own)
	if got := reason(); !strings.Contains(got, "the vendor at a, paused since") {
		t.Errorf("reason %q", got)
	}
	own.State = fulfillment.UpstreamOpen
	say(own)
	if got := reason(); got != "" {
		t.Errorf("it is open again, and the reason is %q", got)
	}
}
