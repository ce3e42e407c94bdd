package committer_test

import (
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/pipelinetest"
	"github.com/headrace/headrace/pkg/simfault"
)

func (b *bench) told(t *testing.T, want ...fulfillment.Event) {
	t.Helper()
	if diff := cmp.Diff(want, pipelinetest.Told(t, b.client, b.key)); diff != "" {
		t.Errorf("events: %s", diff)
	}
}

func TestCommit_ConnectDown_ProvisionedIsToldMeanwhile(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	d := b.approved(t)
	if err := b.sim.Faults().Set([]simfault.Fault{{Path: "**", Status: http.StatusServiceUnavailable}}); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if err := b.Handle(t.Context(), d); err == nil {
			t.Fatal("committed, with Connect down")
		}
		d.Attempt++
	}
	b.told(t, fulfillment.EventReceived, fulfillment.EventProvisioned)
	if err := b.sim.Faults().Set(nil); err != nil {
		t.Fatal(err)
	}
	b.commit(t, d, 2)
	b.told(t, approvedOnce()...)
}

func TestCommit_ApprovedByAPerson_NobodySaysThatItIsProvisioned(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	if err := b.sim.SetStatus(b.key.Request, "approved"); err != nil {
		t.Fatal(err)
	}
	b.commit(t, b.decided(t, fulfillment.Recheck, ""), 2)
	b.told(t, fulfillment.EventReceived, fulfillment.EventActivated, fulfillment.EventApproved)
}

func TestCommit_Approve_TheEventShowsTheSubscriptionAsItIsThen(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.commit(t, b.approved(t), 1)
	e := pipelinetest.Body[fulfillment.EventBody](t, b.client, fulfillment.StreamEvents, b.key.EventSubject(fulfillment.EventActivated))
	s := e.Subscription
	if s == nil || s.ID != b.key.Asset || s.Status != "active" || s.Tenant != "T-1" || len(s.Items) == 0 || e.Status != "approved" || e.Customer == nil {
		t.Errorf("%+v of %+v", s, e)
	}
}

// What we were to save did not come to Connect: a person was faster.
func TestHandle_ApprovedByAPerson_TheEventTellsWhatConnectHas(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	d := b.approved(t)
	if err := b.sim.SetStatus(b.key.Request, "approved"); err != nil {
		t.Fatal(err)
	}
	b.commit(t, d, 1)
	if e := b.lastEvent(t); e.Event != fulfillment.EventApproved || e.Subscription.Tenant != "" {
		t.Errorf("%+v of %+v", e, e.Subscription)
	}
}
