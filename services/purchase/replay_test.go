package purchase_test

import (
	"strings"
	"testing"

	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/pipelinetest"
	"github.com/headrace/headrace/pkg/stream"
	"github.com/headrace/headrace/pkg/vendorapi"
)

// replay makes a round of the approved purchase the delivery in hand.
func (b *bench) replay(t *testing.T, tenant, round string) {
	t.Helper()
	b.status = "approved"
	seq := pipelinetest.Append(t, b.client, stream.Message{
		Subject: key().Subject(fulfillment.RootRequests), Body: pipelinetest.Request(t, key(), tenant),
		Header: map[string]string{fulfillment.HeaderReplay: round},
	})
	b.d = pipelinetest.Deliver(t, b.client, fulfillment.StreamRequests, seq, 1)
}

func TestPurchase_Replay_MakesAnotherTenantUnderTheRoundsKey(t *testing.T) {
	t.Parallel()
	v := &vendor{create: ready}
	b := newBench(t, v, false, "")
	for _, want := range []string{"PR-1", "PR-1/replay-1", "PR-1/replay-2"} {
		if want != "PR-1" {
			b.replay(t, "T-1", strings.TrimPrefix(want, "PR-1/replay-")) // the body may name the tenant that was lost
		}
		if err := b.handle(t); err != nil {
			t.Fatal(err)
		}
		if r := b.result(t); v.key != want || r.Decision != fulfillment.Approve || (r.Replay > 0) != (want != "PR-1") {
			t.Errorf("key %s, not %s: %+v", v.key, want, r)
		}
	}
	if v.creates != 3 {
		t.Errorf("%d creations, not 3", v.creates)
	}
}

func TestPurchase_ReplayCrashedInTheCall_WithoutIdempotency_IsHeldAndNotRepeated(t *testing.T) {
	t.Parallel()
	v := &vendor{create: ready}
	b := newBench(t, v, false, "")
	if err := b.handle(t); err != nil {
		t.Fatal(err)
	}
	b.replay(t, "", "1")
	b.crash(t, v)
	if reason := b.held(t); v.creates != 2 || !strings.Contains(reason, "outcome is not known") {
		t.Errorf("%d creations, held for %q", v.creates, reason)
	}
}

func TestPurchase_Replay_RefusedOrNotApproved_NeitherFailsNorCalls(t *testing.T) {
	t.Parallel()
	v := &vendor{create: ready}
	b := newBench(t, v, true, "")
	if err := b.handle(t); err != nil {
		t.Fatal(err)
	}
	b.replay(t, "", "1")
	b.status = "failed"
	if err := b.handle(t); err != nil {
		t.Fatal(err)
	}
	if r := b.result(t); v.creates != 1 || r.Decision != fulfillment.Recheck || r.Replay != 1 {
		t.Errorf("%d creations, %+v", v.creates, r)
	}
	b.replay(t, "", "2")
	v.create = func() (vendorapi.Tenant, error) {
		return vendorapi.Tenant{}, &vendorapi.Error{Kind: vendorapi.Rejected, Status: 422, Message: "no such plan"}
	}
	if err := b.handle(t); err != nil {
		t.Fatal(err)
	}
	if reason := b.held(t); !strings.Contains(reason, "no such plan") {
		t.Errorf("held for %q", reason)
	}
}
