package purchase_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/pipelinetest"
	"github.com/headrace/headrace/pkg/processor"
	"github.com/headrace/headrace/pkg/vendorapi"
)

// finder answers what the test says.
type finder struct {
	findings processor.Findings
	err      error
	asked    int
}

func (f *finder) Find(context.Context, *processor.Work) (processor.Findings, error) {
	f.asked++
	return f.findings, f.err
}

func (f *finder) has(ids ...string) { f.findings.Tenants = ids }

const settle = 100 * time.Second

func newFinding(t *testing.T, v *vendor, idempotent bool) (*bench, *finder) {
	t.Helper()
	f := &finder{}
	b := newBench(t, v, idempotent, "", func(p *processor.Profile) { p.Finder, p.Settle = f, settle })
	b.clock.add(settle) // the streams are not new
	return b, f
}

func (b *bench) approved(t *testing.T, tenant string) {
	t.Helper()
	if r := b.result(t); r.Decision != fulfillment.Approve || len(r.Params) == 0 || *r.Params[0].Value != tenant {
		t.Errorf("result is %+v, want the approval with %s", r, tenant)
	}
}

func TestLookup_TenantThere_IsTakenWithoutAnIntent(t *testing.T) {
	t.Parallel()
	v := &vendor{create: ready, status: "ready"}
	b, f := newFinding(t, v, false)
	f.has("T-7")
	if err := b.handle(t); err != nil || v.creates != 0 {
		t.Fatalf("err %v, %d creations, want none", err, v.creates)
	}
	b.approved(t, "T-7")
}

func TestLookup_TenantProcessing_IsAskedForByItsID(t *testing.T) {
	t.Parallel()
	v := &vendor{create: ready, status: "processing"}
	b, f := newFinding(t, v, false)
	f.has("T-7")
	if err := b.handle(t); err != nil {
		t.Fatal(err)
	}
	if r := b.result(t); r.Decision != fulfillment.Wait || *r.Params[0].Value != "T-7" || v.creates != 0 {
		t.Errorf("%d creations, result is %+v", v.creates, r)
	}
}

func TestLookup_OutcomeUnknown_IsFoundOrWaitedForOrRepeated(t *testing.T) {
	t.Parallel()
	v := &vendor{create: refuse(vendorapi.Unavailable, 503), status: "ready"}
	b, f := newFinding(t, v, false)
	if err := b.handle(t); err == nil {
		t.Fatal("503 is decided")
	}
	begun := b.intent(t)
	// The vendor has no such tenant yet: it may come.
	err := b.handle(t)
	if err == nil && !b.scheduled(t) || v.creates != 1 || f.asked != 2 {
		t.Fatalf("err %v, %d creations, %d lookups: want a pause", err, v.creates, f.asked)
	}
	if in := b.intent(t); !in.Time.Equal(begun.Time) || in.State != fulfillment.IntentCalling {
		t.Errorf("intent is %+v, want that of the call at %s", in, begun.Time)
	}
	// It does not: the call is made again, once.
	b.clock.add(settle)
	b.redeliver(t)
	if err := b.handle(t); err == nil || v.creates != 2 {
		t.Fatalf("err %v, %d creations, want 2", err, v.creates)
	}
	if in := b.intent(t); !in.Time.After(begun.Time) || in.State != fulfillment.IntentCalling || !strings.Contains(in.Reason, "created no tenant") {
		t.Errorf("intent is %+v, want that of the second call", in)
	}
	// That one did create it.
	f.has("T-8")
	b.redeliver(t)
	if err := b.handle(t); err != nil || v.creates != 2 {
		t.Fatalf("err %v, %d creations", err, v.creates)
	}
	b.approved(t, "T-8")
}

func TestLookup_NotDone_IsRepeatedAtOnce(t *testing.T) {
	t.Parallel()
	v := &vendor{create: refuse(vendorapi.RateLimited, 429)}
	b, _ := newFinding(t, v, false)
	if err := b.handle(t); err == nil {
		t.Fatal("429 is decided")
	}
	v.create = ready
	if err := b.handle(t); err != nil || v.creates != 2 {
		t.Fatalf("err %v, %d creations", err, v.creates)
	}
	b.approved(t, "T-1")
}

func TestLookup_CannotBeRelyedOn_IsHeld(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		findings processor.Findings
		err      error
		reason   string
	}{
		{processor.Findings{Tenants: []string{"T-1", "T-2"}}, nil, "several tenants for the asset: T-1, T-2"},
		{processor.Findings{Tenants: strings.Split(strings.Repeat("T ", 11)+"T", " ")}, nil, "T and 2 more"},
		{processor.Findings{Reason: "it is Tuesday"}, nil, "makes no sense: it is Tuesday"},
		{processor.Findings{}, &vendorapi.Error{Kind: vendorapi.Rejected, Status: 422, Message: "what?"}, "cannot be asked"},
		{processor.Findings{}, &vendorapi.Error{Kind: vendorapi.NotFound, Status: 404}, "cannot be asked"},
		{processor.Findings{}, &vendorapi.Error{Kind: vendorapi.Conflict, Status: 409}, "cannot be asked"},
		{processor.Findings{}, &vendorapi.Error{NotSent: true, Err: errors.New("no id")}, "cannot be asked"},
	} {
		v := &vendor{create: ready}
		b, f := newFinding(t, v, false)
		f.findings, f.err = tt.findings, tt.err
		if err := b.handle(t); err != nil || v.creates != 0 {
			t.Fatalf("%s: err %v, %d creations, want none", tt.reason, err, v.creates)
		}
		if reason := b.held(t); !strings.Contains(reason, tt.reason) {
			t.Errorf("held for %q, want %q", reason, tt.reason)
		}
	}
}

func TestLookup_VendorDown_CreatesNothing(t *testing.T) {
	t.Parallel()
	v := &vendor{create: ready}
	b, f := newFinding(t, v, false)
	f.err = &vendorapi.Error{Kind: vendorapi.Unavailable, Status: 503}
	if err := b.handle(t); err == nil || v.creates != 0 {
		t.Errorf("err %v, %d creations, want a retry", err, v.creates)
	}
}

func TestLookup_Conflict_LooksBeforeItFailsOrHolds(t *testing.T) {
	t.Parallel()
	for _, idempotent := range []bool{true, false} {
		// At first, with the tenant there: an intent was lost, say.
		v := &vendor{create: refuse(vendorapi.Conflict, 409), status: "ready"}
		b, f := newFinding(t, v, idempotent)
		refused := v.create
		v.create = func() (vendorapi.Tenant, error) { f.has("T-3"); return refused() }
		if err := b.handle(t); err != nil {
			t.Fatal(err)
		}
		b.approved(t, "T-3")
		// At first, and nobody there.
		v = &vendor{create: refused}
		b, _ = newFinding(t, v, idempotent)
		if err := b.handle(t); err != nil || b.result(t).Decision != fulfillment.Fail {
			t.Errorf("err %v, want a failure", err)
		}
		// After a call of unknown outcome, and nobody there for longer than there could be.
		v = &vendor{create: refuse(vendorapi.Network, 0)}
		b, _ = newFinding(t, v, idempotent)
		if err := b.handle(t); err == nil {
			t.Fatal("a lost answer is decided")
		}
		v.create = refused
		if err := b.handle(t); err == nil && !b.scheduled(t) {
			t.Errorf("idempotent %v: decided before the tenant could be seen", idempotent)
		}
		b.clock.add(settle)
		b.redeliver(t)
		if err := b.handle(t); err != nil {
			t.Fatal(err)
		}
		if reason := b.held(t); !strings.Contains(reason, "repeated call") {
			t.Errorf("held for %q", reason)
		}
	}
}

func TestLookup_VendorHonoursTheKey_NeedsNone(t *testing.T) {
	t.Parallel()
	v := &vendor{create: refuse(vendorapi.Network, 0)}
	b, f := newFinding(t, v, true)
	if err := b.handle(t); err == nil {
		t.Fatal("a lost answer is decided")
	}
	v.create = ready
	if err := b.handle(t); err != nil || f.asked != 0 {
		t.Fatalf("err %v, %d lookups, want none", err, f.asked)
	}
	b.approved(t, "T-1")
}

// TestLookup_StreamsNew_WaitsForCallsOfThePast has a process start without a
// data directory while the vendor still works on a call of the one before it.
func TestLookup_StreamsNew_WaitsForCallsOfThePast(t *testing.T) {
	t.Parallel()
	v := &vendor{create: ready, status: "ready"}
	b, f := newFinding(t, v, false)
	b.clock.add(-settle)
	if err := b.handle(t); err == nil && !b.scheduled(t) || v.creates != 0 || f.asked != 1 {
		t.Fatalf("err %v, %d creations, %d lookups: want a pause", err, v.creates, f.asked)
	}
	f.has("T-4")
	b.redeliver(t)
	if err := b.handle(t); err != nil || v.creates != 0 {
		t.Fatalf("err %v, %d creations", err, v.creates)
	}
	b.approved(t, "T-4")
}

// TestLookup_StreamsNew_NewOrdersDoNotWait has an order come in after the start.
func TestLookup_StreamsNew_NewOrdersDoNotWait(t *testing.T) {
	t.Parallel()
	v := &vendor{create: ready}
	b, _ := newFinding(t, v, false)
	b.clock.add(-settle)
	body := bytes.Replace(b.d.Body, []byte("2026-03-02T09:14:05+00:00"), []byte(time.Now().Add(2*time.Minute).Format(time.RFC3339)), 1)
	b.d = pipelinetest.Open(t, b.client, key(), body)
	if err := b.handle(t); err != nil || v.creates != 1 {
		t.Fatalf("err %v, %d creations, want one", err, v.creates)
	}
}
