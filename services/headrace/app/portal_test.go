package app_test

import (
	"net/http"
	"testing"

	"github.com/headrace/headrace/pkg/deadletter"
	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/ledger"
	"github.com/headrace/headrace/pkg/pipelinetest"
	"github.com/headrace/headrace/pkg/simfault"
)

// The tests here are of requests that a person finishes in Connect's portal
// while Headrace has them: each is closed by itself, in whatever state it was,
// and the vendor is not called for it any more. Those that are held stand in
// TestFlow_HeldAndFinishedByAPerson_IsClosed.

func (f *flow) state(id string) fulfillment.State {
	f.t.Helper()
	h, err := ledger.Show(f.t.Context(), f.client, id)
	if err != nil {
		return ""
	}
	return h.State
}

func (f *flow) finish(id, status string, event fulfillment.Event) {
	f.t.Helper()
	if err := f.connect.SetStatus(id, status); err != nil {
		f.t.Fatal(err)
	}
	f.events(id, event)
	if s := f.state(id); s != fulfillment.StateOf(event) {
		f.t.Errorf("the ledger has it %s after %s", s, event)
	}
}

func TestPortal_FinishedInAnOutage_IsClosedWhileItLasts(t *testing.T) {
	t.Parallel()
	f := newFlow(t)
	if err := f.vendor.Faults().Set([]simfault.Fault{{Path: "/tenant", Status: http.StatusServiceUnavailable}}); err != nil {
		t.Fatal(err)
	}
	failed, approved := f.connect.AddRequest(ordered(nil)), f.connect.AddRequest(ordered(nil))
	f.run()
	f.until("both were tried twice", func() bool { return len(f.vendor.Faults().Calls()) >= 4 })
	f.finish(failed, "failed", fulfillment.EventFailed)
	f.finish(approved, "approved", fulfillment.EventApproved)
	if err := f.vendor.Faults().Set(nil); err != nil {
		t.Fatal(err)
	}
	f.connect.AddRequest(ordered(nil)) // it comes after them in everything
	f.until("the vendor is well again", func() bool { return len(f.vendor.Tenants()) > 0 })
	if n := len(f.vendor.Tenants()); n != 1 {
		t.Errorf("%d tenants, want that of the third only", n)
	}
}

func TestPortal_FinishedWhileTheTenantIsMade_IsClosed(t *testing.T) {
	t.Parallel()
	f := newFlow(t)
	id := f.connect.AddRequest(ordered(map[string]string{note: "slow: 1h"}))
	f.run()
	f.until("it waits", func() bool { return f.state(id) == fulfillment.StateWaiting })
	f.finish(id, "failed", fulfillment.EventFailed)
}

func TestPortal_FinishedWhenDead_IsClosedAndNoLongerListed(t *testing.T) {
	t.Parallel()
	f := newFlow(t)
	if err := f.vendor.Faults().Set([]simfault.Fault{{Path: "/tenant", Status: http.StatusServiceUnavailable}}); err != nil {
		t.Fatal(err)
	}
	id := f.connect.AddRequest(ordered(nil))
	f.run()
	f.until("it was tried", func() bool { return len(f.vendor.Faults().Calls()) > 0 })
	// As the service does after eight tries of what it does not understand.
	var seq uint64
	for m, err := range f.client.Read(t.Context(), fulfillment.StreamRequests, "fulfillment.requests.*.*.*."+id, 1) {
		if err != nil {
			t.Fatal(err)
		}
		seq = m.Sequence
	}
	d := pipelinetest.Deliver(t, f.client, fulfillment.StreamRequests, seq, 8)
	if err := deadletter.NewWriter(f.client, nil).Write(t.Context(), deadletter.OfDelivery(d, fulfillment.StageProcess, "not understood")); err != nil {
		t.Fatal(err)
	}
	f.until("it is dead", func() bool { return f.state(id) == fulfillment.StateDead })
	f.finish(id, "approved", fulfillment.EventApproved)
	if letters, err := deadletter.List(t.Context(), f.client, deadletter.Filter{}); err != nil || len(letters) != 0 {
		t.Errorf("still listed: %+v, %v", letters, err)
	}
}
