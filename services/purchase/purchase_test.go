package purchase_test

import (
	"context"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/headrace/headrace/pkg/deadletter"
	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/pipelinetest"
	"github.com/headrace/headrace/pkg/processor"
	"github.com/headrace/headrace/pkg/stream"
	"github.com/headrace/headrace/pkg/stream/streamtest"
	"github.com/headrace/headrace/pkg/vendorapi"
	"github.com/headrace/headrace/services/purchase"
)

// vendor answers what the test says and looks at what is on disk when it is
// called.
type vendor struct {
	processor.TenantAPI // the calls that a purchase does not make
	create              func() (vendorapi.Tenant, error)
	status              string
	creates             int
	key                 string // of the last creation
}

func (v *vendor) CreateTenant(_ context.Context, key string, _ vendorapi.TenantBody) (vendorapi.Tenant, error) {
	v.creates++
	v.key = key
	return v.create()
}

func (v *vendor) GetTenant(_ context.Context, _, id string) (vendorapi.Tenant, error) {
	return vendorapi.Tenant{ID: id, Status: v.status}, nil
}

type noMetrics struct{}

func (noMetrics) Decision(string, string, string)       {}
func (noMetrics) Retry(string, string, string)          {}
func (noMetrics) Handled(string, string, time.Duration) {}

type bench struct {
	*processor.Processor
	broker *streamtest.Broker
	client *stream.Client
	d      *stream.Delivery
	clock  *clock
	log    *log
	config processor.Config
	status string // of the request in Connect
}

// log counts what is read of the streams.
type log struct {
	*stream.Client
	reads int
}

func (l *log) Last(ctx context.Context, name, filter string) (*stream.Stored, error) {
	l.reads++
	return l.Client.Last(ctx, name, filter)
}

// clock is ahead of the time by what the test adds.
type clock struct{ ahead time.Duration }

func (c *clock) now() time.Time      { return time.Now().Add(c.ahead) }
func (c *clock) add(d time.Duration) { c.ahead += d }

func key() fulfillment.Key { return pipelinetest.Key(fulfillment.Purchase, "PR-1") }

func newBench(t *testing.T, v *vendor, idempotent bool, tenant string, more ...func(*processor.Profile)) *bench {
	t.Helper()
	broker, clock := streamtest.Server(t), &clock{}
	c := pipelinetest.ClientOf(t, broker)
	profile := &processor.Profile{
		Vendor: processor.TenantVendor{API: v}, Idempotent: idempotent, TenantParam: processor.DefaultTenantParam,
	}
	for _, change := range more {
		change(profile)
	}
	b := &bench{
		status: "pending",
		broker: broker, client: c, clock: clock, log: &log{Client: c},
		d: pipelinetest.Open(t, c, key(), pipelinetest.Request(t, key(), tenant)),
	}
	b.config = processor.Config{
		Alone:   true,
		Service: "purchase", Decider: purchase.Service{}, Log: b.log, Now: clock.now,
		Profiles: func(*processor.Work) (*processor.Profile, error) { return profile, nil },
		Dead:     deadletter.NewWriter(c, nil),
		Status:   func(context.Context, fulfillment.Key) (string, error) { return b.status, nil },
		Metrics:  noMetrics{}, Logger: pipelinetest.Logger(),
	}
	b.Processor = processor.New(b.config)
	return b
}

// handle delivers the request once more.
func (b *bench) handle(t *testing.T) error {
	t.Helper()
	err := b.Handle(t.Context(), b.d)
	b.d.Attempt++
	return err
}

// redeliver makes the schedule, if there is one, the delivery in hand: its time
// has come.
func (b *bench) redeliver(t *testing.T) {
	t.Helper()
	head := pipelinetest.Last(t, b.client, fulfillment.StreamRequests, fulfillment.HeadFilter(key().Asset))
	if head.Sequence != b.d.Sequence {
		b.d = pipelinetest.Deliver(t, b.client, fulfillment.StreamRequests, head.Sequence, 1)
	}
}

func (b *bench) scheduled(t *testing.T) bool {
	t.Helper()
	return pipelinetest.Last(t, b.client, fulfillment.StreamRequests, key().Subject(fulfillment.RootSchedules)) != nil
}

func (b *bench) result(t *testing.T) fulfillment.Result {
	t.Helper()
	return pipelinetest.Body[fulfillment.Result](t, b.client, fulfillment.StreamResults, key().Subject(fulfillment.RootResults))
}

func (b *bench) intent(t *testing.T) fulfillment.Intent {
	t.Helper()
	return pipelinetest.Body[fulfillment.Intent](t, b.client, fulfillment.StreamResults, key().Subject(fulfillment.RootIntents))
}

func (b *bench) held(t *testing.T) string {
	t.Helper()
	l := pipelinetest.Body[fulfillment.Letter](t, b.client, fulfillment.StreamDead, key().DeadSubject(fulfillment.StageHold))
	return l.Reason
}

func ready() (vendorapi.Tenant, error) { return vendorapi.Tenant{ID: "T-1", Status: "ready"}, nil }

func refuse(kind vendorapi.Kind, status int) func() (vendorapi.Tenant, error) {
	return func() (vendorapi.Tenant, error) {
		return vendorapi.Tenant{}, &vendorapi.Error{Kind: kind, Status: status, Message: "the vendor says no", Method: "POST", Path: "/tenant"}
	}
}

func TestPurchase_Created_IsApprovedWithTheTenantSaved(t *testing.T) {
	t.Parallel()
	v := &vendor{}
	b := newBench(t, v, true, "")
	v.create = func() (vendorapi.Tenant, error) {
		if in := b.intent(t); in.State != fulfillment.IntentCalling || in.IdempotencyKey != "PR-1" {
			t.Errorf("intent at the time of the call is %+v", in)
		}
		return ready()
	}
	if err := b.handle(t); err != nil {
		t.Fatal(err)
	}
	r := b.result(t)
	if r.Decision != fulfillment.Approve || r.Params[0].ID != "subscription_id" || *r.Params[0].Value != "T-1" {
		t.Errorf("result is %+v", r)
	}
}

func TestPurchase_TenantKnown_IsNotCreatedAgain(t *testing.T) {
	t.Parallel()
	v := &vendor{create: ready, status: "active"}
	b := newBench(t, v, true, "T-5")
	if err := b.handle(t); err != nil || v.creates != 0 {
		t.Fatalf("err %v, %d creations, want none", err, v.creates)
	}
	if r := b.result(t); r.Decision != fulfillment.Approve || *r.Params[0].Value != "T-5" {
		t.Errorf("result is %+v", r)
	}
}

func TestPurchase_Rejected_FailsWithTheVendorsWords(t *testing.T) {
	t.Parallel()
	for _, status := range []int{400, 422} {
		v := &vendor{create: refuse(vendorapi.Rejected, status)}
		b := newBench(t, v, true, "")
		if err := b.handle(t); err != nil {
			t.Fatal(err)
		}
		if r := b.result(t); r.Decision != fulfillment.Fail || r.Reason != "the vendor says no" {
			t.Errorf("%d: result is %+v", status, r)
		}
		if in := b.intent(t); in.State != fulfillment.IntentNotDone {
			t.Errorf("%d: intent is %+v, want not-done", status, in)
		}
	}
}

func TestPurchase_NoTenantID_Fails(t *testing.T) {
	t.Parallel()
	b := newBench(t, &vendor{create: func() (vendorapi.Tenant, error) { return vendorapi.Tenant{}, nil }}, true, "")
	if err := b.handle(t); err != nil {
		t.Fatal(err)
	}
	if r := b.result(t); r.Decision != fulfillment.Fail || !strings.Contains(r.Reason, "tenantId") {
		t.Errorf("result is %+v", r)
	}
}

func TestPurchase_Conflict_FailsAtFirstAndHoldsLater(t *testing.T) {
	t.Parallel()
	v := &vendor{create: refuse(vendorapi.Conflict, 409)}
	first := newBench(t, v, true, "")
	if err := first.handle(t); err != nil {
		t.Fatal(err)
	}
	if r := first.result(t); r.Decision != fulfillment.Fail {
		t.Errorf("409 on a first attempt: result is %+v, want a failure", r)
	}

	later := newBench(t, v, true, "")
	v.create = refuse(vendorapi.Unavailable, 503)
	if err := later.handle(t); err == nil {
		t.Fatal("503 is decided")
	}
	v.create = refuse(vendorapi.Conflict, 409)
	if err := later.handle(t); err != nil {
		t.Fatal(err)
	}
	if reason := later.held(t); !strings.Contains(reason, "may exist") {
		t.Errorf("held for %q", reason)
	}
}

func TestPurchase_OutcomeUnknown_DependsOnIdempotency(t *testing.T) {
	t.Parallel()
	lost := refuse(vendorapi.Network, 0)

	v := &vendor{create: lost}
	honours := newBench(t, v, true, "")
	if err := honours.handle(t); err == nil {
		t.Fatal("a lost answer is decided")
	}
	v.create = ready
	if err := honours.handle(t); err != nil || honours.result(t).Decision != fulfillment.Approve {
		t.Errorf("err %v: with the same key the call is safe to repeat", err)
	}

	v = &vendor{create: lost}
	ignores := newBench(t, v, false, "")
	if err := ignores.handle(t); err != nil || v.creates != 1 {
		t.Fatalf("err %v, %d creations", err, v.creates)
	}
	if reason := ignores.held(t); !strings.Contains(reason, "not known") {
		t.Errorf("held for %q", reason)
	}
}

// crash ends the process in the vendor call, and delivers the message again.
func (b *bench) crash(t *testing.T, v *vendor) {
	t.Helper()
	v.create = func() (vendorapi.Tenant, error) { runtime.Goexit(); return ready() } // nothing after the call reaches the broker
	crashed := make(chan struct{})
	go func() {
		defer close(crashed)
		_ = b.Handle(t.Context(), b.d)
	}()
	<-crashed
	b.d.Attempt = 2
	if err := b.handle(t); err != nil {
		t.Fatal(err)
	}
}

func TestPurchase_CrashedInTheCall_WithoutIdempotency_IsHeldAndNotRepeated(t *testing.T) {
	t.Parallel()
	v := &vendor{}
	b := newBench(t, v, false, "")
	b.crash(t, v)
	if reason := b.held(t); v.creates != 1 || !strings.Contains(reason, "outcome is not known") {
		t.Errorf("%d creations, held for %q", v.creates, reason)
	}
}

func TestPurchase_NotSent_WithoutIdempotency_IsTriedAgain(t *testing.T) {
	t.Parallel()
	v := &vendor{create: func() (vendorapi.Tenant, error) {
		return vendorapi.Tenant{}, &vendorapi.Error{Kind: vendorapi.Network, NotSent: true}
	}}
	b := newBench(t, v, false, "")
	if err := b.handle(t); err == nil {
		t.Fatal("a call that was not sent is decided")
	}
	v.create = ready
	if err := b.handle(t); err != nil || b.result(t).Decision != fulfillment.Approve || v.creates != 2 {
		t.Errorf("err %v after %d calls", err, v.creates)
	}
}
