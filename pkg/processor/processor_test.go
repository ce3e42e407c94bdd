package processor_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/headrace/headrace/pkg/deadletter"
	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/pipelinetest"
	"github.com/headrace/headrace/pkg/processor"
	"github.com/headrace/headrace/pkg/stream"
)

// bench is a processor over a real broker, with a service that answers what the
// test says.
type bench struct {
	*processor.Processor
	client *stream.Client
	calls  int
	answer func(w *processor.Work) (processor.Verdict, error)
	status string        // of the request in Connect
	ahead  time.Duration // the clock is ahead of the time
}

type noMetrics struct{}

func (noMetrics) Decision(string, string, string)       {}
func (noMetrics) Retry(string, string, string)          {}
func (noMetrics) Handled(string, string, time.Duration) {}

func (b *bench) Decide(_ context.Context, w *processor.Work) (processor.Verdict, error) {
	b.calls++
	return b.answer(w)
}

func newBench(t *testing.T, answer func(w *processor.Work) (processor.Verdict, error)) *bench {
	t.Helper()
	b := &bench{client: pipelinetest.Client(t), answer: answer, status: "pending"}
	b.Processor = processor.New(processor.Config{
		Service: "purchase", Decider: b, Log: b.client, Dead: deadletter.NewWriter(b.client, nil),
		Profiles: func(*processor.Work) (*processor.Profile, error) {
			return &processor.Profile{TenantParam: processor.DefaultTenantParam}, nil
		},
		Status:  func(context.Context, fulfillment.Key) (string, error) { return b.status, nil },
		Metrics: noMetrics{}, Logger: pipelinetest.Logger(),
		Now: func() time.Time { return time.Now().Add(b.ahead) },
	})
	return b
}

func approve(*processor.Work) (processor.Verdict, error) {
	return processor.Approve(processor.Value("subscription_id", "T-1")), nil
}

var errVendor = errors.New("vendor is on fire")

func key() fulfillment.Key { return pipelinetest.Key(fulfillment.Purchase, "PR-1") }

func (b *bench) result(t *testing.T) fulfillment.Result {
	t.Helper()
	return pipelinetest.Body[fulfillment.Result](t, b.client, fulfillment.StreamResults, key().Subject(fulfillment.RootResults))
}

func (b *bench) results(t *testing.T) int {
	t.Helper()
	return pipelinetest.Count(t, b.client, fulfillment.StreamResults, fulfillment.RootResults+".>")
}

func (b *bench) head(t *testing.T) *stream.Stored {
	t.Helper()
	return pipelinetest.Last(t, b.client, fulfillment.StreamRequests, fulfillment.HeadFilter("AS-1"))
}

func (b *bench) letter(t *testing.T) fulfillment.Letter {
	t.Helper()
	return pipelinetest.Body[fulfillment.Letter](t, b.client, fulfillment.StreamDead, key().DeadFilter())
}

func TestHandle_Approved_StoresOneResultHoweverOftenDelivered(t *testing.T) {
	t.Parallel()
	b := newBench(t, approve)
	d := pipelinetest.Open(t, b.client, key(), pipelinetest.Request(t, key(), ""))
	for range 3 {
		if err := b.Handle(t.Context(), d); err != nil {
			t.Fatal(err)
		}
		d.Attempt++
	}
	r := b.result(t)
	if r.Decision != fulfillment.Approve || r.Episode != d.Sequence || *r.Params[0].Value != "T-1" {
		t.Errorf("result is %+v", r)
	}
	if b.calls != 1 || b.results(t) != 1 {
		t.Errorf("%d decisions and %d results, want one of each", b.calls, b.results(t))
	}
}

func TestHandle_NotTheHead_IsDropped(t *testing.T) {
	t.Parallel()
	b := newBench(t, approve)
	stale := pipelinetest.Open(t, b.client, key(), pipelinetest.Request(t, key(), ""))
	later := pipelinetest.Key(fulfillment.Cancel, "PR-2")
	pipelinetest.Open(t, b.client, later, pipelinetest.Request(t, later, ""))
	if err := b.Handle(t.Context(), stale); err != nil || b.calls != 0 {
		t.Errorf("err %v, %d decisions; want none: another request is the asset's head", err, b.calls)
	}
}

func TestHandle_NoAnswer_IsNoDecision(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(*processor.Work) (processor.Verdict, error) { return processor.Verdict{}, nil })
	d := pipelinetest.Open(t, b.client, key(), pipelinetest.Request(t, key(), ""))
	if err := b.Handle(t.Context(), d); err != nil || b.results(t) != 0 {
		t.Errorf("err %v, %d results: nothing is approved by omission", err, b.results(t))
	}
	if head := b.head(t); head.Subject != key().Subject(fulfillment.RootSchedules) || head.Header[fulfillment.HeaderFaults] != "1" {
		t.Errorf("head is %s with %v, want another try that counts the fault", head.Subject, head.Header)
	}
}

func TestHandle_NotReady_WaitsAndGoesOnWithTheTenant(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(w *processor.Work) (processor.Verdict, error) {
		if !w.Waited {
			v := processor.Wait("not ready", processor.Value("subscription_id", "T-7"))
			v.After = 20 * time.Millisecond
			return v, nil
		}
		if w.Tenant() != "T-7" || w.Attempt != 2 {
			t.Errorf("tenant %q, attempt %d; want T-7, 2", w.Tenant(), w.Attempt)
		}
		return approve(w)
	})
	d := pipelinetest.Open(t, b.client, key(), pipelinetest.Request(t, key(), ""))
	if err := b.Handle(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	if r := b.result(t); r.Decision != fulfillment.Wait {
		t.Errorf("first result is %+v, want what is known so far", r)
	}
	// The copy that comes again, as after a crash before the acknowledgement.
	d.Attempt = 2
	if err := b.Handle(t.Context(), d); err != nil || b.calls != 1 {
		t.Errorf("err %v, %d decisions: the schedule is the head now", err, b.calls)
	}
	var fired *stream.Stored
	pipelinetest.Until(t, "the schedule fires", func() bool {
		fired = pipelinetest.Last(t, b.client, fulfillment.StreamRequests, key().Subject(fulfillment.RootRetries))
		return fired != nil
	})
	if err := b.Handle(t.Context(), &stream.Delivery{Stored: *fired, Attempt: 1}); err != nil {
		t.Fatal(err)
	}
	if r := b.result(t); r.Decision != fulfillment.Approve || r.Episode != d.Sequence || r.Attempt != 2 {
		t.Errorf("result is %+v, want an approval in the same episode", r)
	}
}

func TestHandle_UpstreamDown_NeverEndsInDead(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(*processor.Work) (processor.Verdict, error) {
		return processor.Verdict{}, processor.Transient(errVendor, 0)
	})
	d := pipelinetest.Open(t, b.client, key(), pipelinetest.Request(t, key(), ""))
	for _, attempt := range []int{1, 50} {
		d.Attempt = attempt
		if err := b.Handle(t.Context(), d); !errors.Is(err, errVendor) {
			t.Fatalf("attempt %d: err %v, want the vendor's: the message itself comes again", attempt, err)
		}
	}
	if n := pipelinetest.Count(t, b.client, fulfillment.StreamDead, ""); n != 0 {
		t.Errorf("%d dead letters: an outage is not the customer's fault", n)
	}
}

func TestHandle_UpstreamAsksForALongPause_IsScheduled(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(*processor.Work) (processor.Verdict, error) {
		return processor.Verdict{}, processor.Transient(errVendor, time.Hour)
	})
	d := pipelinetest.Open(t, b.client, key(), pipelinetest.Request(t, key(), ""))
	if err := b.Handle(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	if head := b.head(t); head.Subject != key().Subject(fulfillment.RootSchedules) || fulfillment.Attempt(head.Header) != 2 {
		t.Errorf("head is %s, attempt %d; want a schedule of attempt 2", head.Subject, fulfillment.Attempt(head.Header))
	}
}

func TestHandle_NotUnderstood_EndsInDeadOnce_OutagesNotCounted(t *testing.T) {
	t.Parallel()
	panics := false
	b := newBench(t, func(*processor.Work) (processor.Verdict, error) {
		if panics = !panics; panics {
			panic("a bug")
		}
		return processor.Verdict{}, errVendor
	})
	pipelinetest.Open(t, b.client, key(), pipelinetest.Request(t, key(), ""))
	for try := 1; try <= 8; try++ {
		head := b.head(t)
		// Deliveries that ended in an outage, of which nothing was stored.
		if err := b.Handle(t.Context(), &stream.Delivery{Stored: *head, Attempt: 20}); err != nil {
			t.Fatal(err)
		}
		if n := pipelinetest.Count(t, b.client, fulfillment.StreamDead, ""); (n == 1) != (try == 8) {
			t.Fatalf("%d letters after %d tries, want one after 8", n, try)
		}
	}
	if l := b.letter(t); l.Stage != fulfillment.StageProcess || b.calls != 8 {
		t.Errorf("letter is %+v after %d calls", l, b.calls)
	}
}

func TestHandle_StrangeStatus_IsHeldWithTheTenantSaved(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(*processor.Work) (processor.Verdict, error) {
		v := processor.Hold("status is odd")
		v.Params = []fulfillment.Param{processor.Value("subscription_id", "T-9")}
		return v, nil
	})
	d := pipelinetest.Open(t, b.client, key(), pipelinetest.Request(t, key(), ""))
	if err := b.Handle(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	if r := b.result(t); r.Decision != fulfillment.Wait || *r.Params[0].Value != "T-9" || b.letter(t).Stage != fulfillment.StageHold {
		t.Errorf("result %+v, letter %+v", r, b.letter(t))
	}
}

func TestHandle_Hold_IsLeftToAPersonOnce(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(*processor.Work) (processor.Verdict, error) { return processor.Hold("look at this"), nil })
	d := pipelinetest.Open(t, b.client, key(), pipelinetest.Request(t, key(), ""))
	for range 2 {
		if err := b.Handle(t.Context(), d); err != nil {
			t.Fatal(err)
		}
		d.Attempt++
	}
	if l := b.letter(t); l.Stage != fulfillment.StageHold || l.Reason != "look at this" || b.calls != 1 {
		t.Errorf("letter is %+v after %d decisions", l, b.calls)
	}
}

func TestHandle_FinishedInConnect_CallsNobody(t *testing.T) {
	t.Parallel()
	b := newBench(t, approve)
	b.status = "approved"
	d := pipelinetest.Open(t, b.client, key(), pipelinetest.Request(t, key(), ""))
	d.Attempt = 2
	if err := b.Handle(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	if r := b.result(t); r.Decision != fulfillment.Recheck || b.calls != 0 {
		t.Errorf("result is %+v after %d decisions, want a recheck after none", r, b.calls)
	}
}

func TestHandle_OldMessage_IsCheckedAgainstConnect(t *testing.T) {
	t.Parallel()
	b := newBench(t, approve)
	b.status = "failed"
	d := pipelinetest.Open(t, b.client, key(), pipelinetest.Request(t, key(), ""))
	d.Time = d.Time.Add(-61 * time.Minute)
	if err := b.Handle(t.Context(), d); err != nil || b.calls != 0 {
		t.Errorf("err %v, %d decisions; want none for a message older than an hour", err, b.calls)
	}
}

func TestHandle_LostItsMessage_CannotPublish(t *testing.T) {
	t.Parallel()
	var b *bench
	b = newBench(t, func(w *processor.Work) (processor.Verdict, error) {
		// While the vendor is called, the worker that has the message now decides.
		pipelinetest.Append(t, b.client, stream.Message{
			Subject: key().Subject(fulfillment.RootResults), Body: []byte(`{"decision":"fail","episode":1}`),
		})
		return approve(w)
	})
	d := pipelinetest.Open(t, b.client, key(), pipelinetest.Request(t, key(), ""))
	if err := b.Handle(t.Context(), d); !errors.Is(err, stream.ErrConflict) {
		t.Errorf("err %v, want a conflict", err)
	}
	if r := b.result(t); r.Decision != fulfillment.Fail || b.results(t) != 1 {
		t.Errorf("result is %+v of %d, want the other worker's alone", r, b.results(t))
	}
}

func TestHandle_Unreadable_EndsInDeadOnceAndStopsNothing(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"no JSON":       `{"id":`,
		"empty":         ``,
		"no asset":      `{"id":"PR-1","type":"purchase","status":"pending"}`,
		"another asset": `{"id":"PR-1","type":"purchase","status":"pending","asset":{"id":"AS-2","product":{"id":"PRD-1"}}}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, approve)
			d := pipelinetest.Open(t, b.client, key(), []byte(body))
			for range 2 {
				if err := b.Handle(t.Context(), d); err != nil {
					t.Fatal(err)
				}
				d.Attempt++
			}
			l := b.letter(t)
			if l.Stage != fulfillment.StageDecode || string(l.Body) != body || l.Subject != d.Subject || l.RequestID != "PR-1" {
				t.Errorf("letter is %+v", l)
			}
			if n := pipelinetest.Count(t, b.client, fulfillment.StreamDead, ""); n != 1 || b.calls != 0 {
				t.Errorf("%d letters after %d decisions, want 1 after 0", n, b.calls)
			}
		})
	}
}
