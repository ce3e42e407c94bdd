package committer_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/pipelinetest"
	"github.com/headrace/headrace/pkg/processor"
	"github.com/headrace/headrace/pkg/simfault"
	"github.com/headrace/headrace/pkg/stream"
)

// replayed approves the bench's purchase as T-1 and stores the result of its
// first replay, which made the tenant T-2.
func (b *bench) replayed(t *testing.T, d fulfillment.Decision) *stream.Delivery {
	t.Helper()
	b.commit(t, b.approved(t), 1)
	body, err := json.Marshal(fulfillment.Result{
		RequestID: b.key.Request, AssetID: b.key.Asset, ProductID: b.key.Product, Type: b.key.Type,
		Episode: 9, Attempt: 1, Decision: d, Reason: "done", Replay: 1, Time: time.Now(),
		Params: []fulfillment.Param{processor.Value("subscription_id", "T-2")},
	})
	if err != nil {
		t.Fatal(err)
	}
	seq := pipelinetest.Append(t, b.client, stream.Message{Subject: b.key.Subject(fulfillment.RootResults), Body: body})
	return pipelinetest.Deliver(t, b.client, fulfillment.StreamResults, seq, 1)
}

// saved is the tenant that Connect has for the asset, and how many adjustments
// were made.
func (b *bench) saved(t *testing.T) (tenant string, adjustments map[string]int) {
	t.Helper()
	for _, a := range b.sim.Assets() {
		if a.ID == b.key.Asset {
			tenant = a.Params["subscription_id"]
		}
	}
	return tenant, b.sim.Counts()["adjustment"]
}

func (b *bench) lastEvent(t *testing.T) fulfillment.EventBody {
	t.Helper()
	return pipelinetest.Body[fulfillment.EventBody](t, b.client, fulfillment.StreamEvents, b.key.EventFilter())
}

// approvedOnce are the events of a purchase that was approved, and more.
func approvedOnce(more ...fulfillment.Event) []fulfillment.Event {
	return append([]fulfillment.Event{
		fulfillment.EventReceived, fulfillment.EventProvisioned, fulfillment.EventActivated, fulfillment.EventApproved,
	}, more...)
}

func TestReplay_NewTenant_SavedByOneAdjustmentAndToldOnce(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.commit(t, b.replayed(t, fulfillment.Approve), 3)
	tenant, adjustments := b.saved(t)
	if tenant != "T-2" || adjustments["approved"] != 1 || adjustments["pending"] != 0 {
		t.Errorf("Connect has %s after the adjustments %v", tenant, adjustments)
	}
	if diff := cmp.Diff(approvedOnce(fulfillment.EventReplayed), pipelinetest.Told(t, b.client, b.key)); diff != "" {
		t.Error(diff)
	}
	if e := b.lastEvent(t); e.Event != fulfillment.EventReplayed || e.Episode != 9 || e.Status != "approved" || !strings.Contains(e.Reason, "round 1") ||
		e.Subscription.Tenant != "T-2" {
		t.Errorf("%+v of %+v", e, e.Subscription)
	}
}

func TestReplay_CrashAfterTheAdjustmentWasCreated_ItIsFoundAgain(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	d := b.replayed(t, fulfillment.Approve)
	for _, path := range []string{"**/requests", "**/approve"} { // the effect is there, the answer is not
		if err := b.sim.Faults().Set([]simfault.Fault{{Method: "POST", Path: path, Drop: "after"}}); err != nil {
			t.Fatal(err)
		}
		if err := b.Handle(t.Context(), d); err == nil && path == "**/requests" {
			t.Errorf("%s: no error", path)
		}
		d.Attempt++
	}
	if err := b.sim.Faults().Set(nil); err != nil {
		t.Fatal(err)
	}
	b.commit(t, d, 2)
	if tenant, adjustments := b.saved(t); tenant != "T-2" || adjustments["approved"] != 1 || adjustments["pending"] != 0 {
		t.Errorf("Connect has %s after the adjustments %v", tenant, adjustments)
	}
}

func TestReplay_AdjustmentRefused_HeldWithTheNewTenantUntilItIsSaved(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	d := b.replayed(t, fulfillment.Approve)
	if err := b.sim.Faults().Set([]simfault.Fault{{Method: "POST", Path: "**/requests", Status: 400}}); err != nil {
		t.Fatal(err)
	}
	b.commit(t, d, 1)
	l := pipelinetest.Body[fulfillment.Letter](t, b.client, fulfillment.StreamDead, b.key.DeadFilter())
	if l.Stage != fulfillment.StageHold || !strings.Contains(l.Reason, "subscription_id=T-2") {
		t.Errorf("%s: %s", l.Stage, l.Reason)
	}
	if diff := cmp.Diff(approvedOnce(), pipelinetest.Told(t, b.client, b.key)); diff != "" {
		t.Error(diff)
	}
	if err := b.sim.Faults().Set(nil); err != nil {
		t.Fatal(err)
	}
	var r fulfillment.Result
	if err := json.Unmarshal(d.Body, &r); err != nil {
		t.Fatal(err)
	}
	seq := pipelinetest.Append(t, b.client, stream.Message{Subject: d.Subject, Body: d.Body}) // as a redrive does
	b.commit(t, pipelinetest.Deliver(t, b.client, fulfillment.StreamResults, seq, 1), 1)
	if tenant, _ := b.saved(t); tenant != "T-2" || b.lastEvent(t).Event != fulfillment.EventReplayed {
		t.Errorf("Connect has %s; %+v", tenant, b.lastEvent(t))
	}
}

func TestReplay_WaitsOrIsLeft_ChangesNothingInConnect(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.commit(t, b.replayed(t, fulfillment.Wait), 1)
	if tenant, adjustments := b.saved(t); tenant != "T-1" || len(adjustments) != 0 || b.lastEvent(t).Event != fulfillment.EventApproved {
		t.Errorf("while it waits: %s, %v, %+v", tenant, adjustments, b.lastEvent(t))
	}
	b.commit(t, b.replayed(t, fulfillment.Recheck), 1)
	if e := b.lastEvent(t); e.Event != fulfillment.EventLeft || e.Episode != 9 {
		t.Errorf("%+v", e)
	}
}
