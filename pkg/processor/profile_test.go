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

// profiled is a bench whose product has the profile.
func profiled(t *testing.T, p *processor.Profile) *bench {
	t.Helper()
	b := &bench{client: pipelinetest.Client(t), answer: approve, status: "pending"}
	p.TenantParam = processor.DefaultTenantParam
	b.Processor = processor.New(processor.Config{
		Service: "purchase", Decider: b, Log: b.client, Dead: deadletter.NewWriter(b.client, nil),
		Profiles: func(*processor.Work) (*processor.Profile, error) { return p, nil },
		Status:   func(context.Context, fulfillment.Key) (string, error) { return b.status, nil },
		Metrics:  noMetrics{}, Logger: pipelinetest.Logger(),
	})
	return b
}

func TestHandle_NoTemplateToBeHad_Holds(t *testing.T) {
	t.Parallel()
	b := profiled(t, &processor.Profile{
		Approval: func(_ *processor.Work, v processor.Verdict) (fulfillment.Template, error) {
			if v.Decision != fulfillment.Approve || len(v.Params) != 1 {
				t.Errorf("asked about %+v", v)
			}
			return fulfillment.Template{}, errors.New("there is nothing to tell")
		},
	})
	d := pipelinetest.Open(t, b.client, key(), pipelinetest.Request(t, key(), ""))
	if err := b.Handle(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	if l := b.letter(t); l.Stage != fulfillment.StageHold || l.Reason != "there is nothing to tell" {
		t.Errorf("letter %+v", l)
	}
	if r := b.result(t); r.Decision != fulfillment.Wait || *r.Params[0].Value != "T-1" {
		t.Errorf("the tenant's id is not saved: %+v", r)
	}
}

// TestSave_InThisAttempt_IsNotOverdue saves a tenant's id and finds the tenant
// pending, all in one attempt.
func TestSave_InThisAttempt_IsNotOverdue(t *testing.T) {
	t.Parallel()
	b := profiled(t, &processor.Profile{Overdue: time.Hour})
	b.answer = func(w *processor.Work) (processor.Verdict, error) {
		if err := w.Save(t.Context(), "created", processor.Value("subscription_id", "T-1")); err != nil {
			return processor.Verdict{}, err
		}
		return processor.Answer{State: processor.Pending, Status: "coming"}.Verdict(w), nil
	}
	d := pipelinetest.Open(t, b.client, key(), pipelinetest.Request(t, key(), ""))
	if err := b.Handle(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	if head := b.head(t); head.Subject != key().Subject(fulfillment.RootSchedules) {
		t.Errorf("head is %s, want a schedule", head.Subject)
	}
}

func TestAnswer_Reasons_AreTold(t *testing.T) {
	t.Parallel()
	w := &processor.Work{Profile: &processor.Profile{}}
	for _, a := range []processor.Answer{
		{State: processor.Failed, Reason: "no disk"}, {State: processor.Strange, Reason: "no disk"}, {State: processor.Rejected, Reason: "no disk"},
	} {
		if v := a.Verdict(w); v.Reason != "no disk" {
			t.Errorf("%+v: %+v", a, v)
		}
	}
	for _, a := range []processor.Answer{{State: processor.Failed, Status: "x"}, {Status: "x"}} {
		if v := a.Verdict(w); v.Reason == "" {
			t.Errorf("%+v has no reason", a)
		}
	}
}

// TestHandle_TenantOverdue_Holds has a tenant pending for longer than the
// profile allows, over two attempts.
func TestHandle_TenantOverdue_Holds(t *testing.T) {
	t.Parallel()
	b := profiled(t, &processor.Profile{Overdue: time.Millisecond})
	b.answer = func(w *processor.Work) (processor.Verdict, error) {
		v := processor.Answer{State: processor.Pending, Status: "coming", Params: []fulfillment.Param{processor.Value("subscription_id", "T-1")}}.Verdict(w)
		v.After = 20 * time.Millisecond
		return v, nil
	}
	d := pipelinetest.Open(t, b.client, key(), pipelinetest.Request(t, key(), ""))
	if err := b.Handle(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	var fired *stream.Stored
	pipelinetest.Until(t, "the schedule fires", func() bool {
		fired = pipelinetest.Last(t, b.client, fulfillment.StreamRequests, key().Subject(fulfillment.RootRetries))
		return fired != nil
	})
	if err := b.Handle(t.Context(), &stream.Delivery{Stored: *fired, Attempt: 1}); err != nil {
		t.Fatal(err)
	}
	if l := b.letter(t); l.Stage != fulfillment.StageHold || l.Reason != "the tenant is still coming at the vendor after 1ms" {
		t.Errorf("letter %+v", l)
	}
}

func TestHandle_Policy_DecidesBeforeTheService(t *testing.T) {
	t.Parallel()
	renewal := pipelinetest.Key(fulfillment.Renew, "PR-1")
	for policy, want := range map[processor.Policy]struct {
		calls   int
		decided fulfillment.Decision
	}{
		processor.PolicyApprove: {0, fulfillment.Approve},
		processor.PolicyCall:    {1, fulfillment.Approve},
		processor.PolicyHold:    {0, ""},
	} {
		b := profiled(t, &processor.Profile{Policies: map[fulfillment.Type]processor.Policy{fulfillment.Renew: policy}})
		d := pipelinetest.Open(t, b.client, renewal, pipelinetest.Request(t, renewal, "T-1"))
		if err := b.Handle(t.Context(), d); err != nil {
			t.Fatal(err)
		}
		var decided fulfillment.Decision
		if pipelinetest.Last(t, b.client, fulfillment.StreamResults, renewal.Subject(fulfillment.RootResults)) != nil {
			decided = pipelinetest.Body[fulfillment.Result](t, b.client, fulfillment.StreamResults, renewal.Subject(fulfillment.RootResults)).Decision
		}
		held := pipelinetest.Last(t, b.client, fulfillment.StreamDead, renewal.DeadSubject(fulfillment.StageHold)) != nil
		if b.calls != want.calls || decided != want.decided || held != (policy == processor.PolicyHold) {
			t.Errorf("%s: %d calls, decided %q, held %v; want %+v", policy, b.calls, decided, held, want)
		}
	}
}

func TestHandle_NoProfileForTheRequest_IsHeldWithTheReason(t *testing.T) {
	t.Parallel()
	b := &bench{client: pipelinetest.Client(t), answer: approve, status: "pending"}
	b.Processor = processor.New(processor.Config{
		Service: "purchase", Decider: b, Log: b.client, Dead: deadletter.NewWriter(b.client, nil),
		Profiles: func(*processor.Work) (*processor.Profile, error) { return nil, errors.New("no profile is for preview") },
		Status:   func(context.Context, fulfillment.Key) (string, error) { return b.status, nil },
		Metrics:  noMetrics{}, Logger: pipelinetest.Logger(),
	})
	d := pipelinetest.Open(t, b.client, key(), pipelinetest.Request(t, key(), ""))
	if err := b.Handle(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	if l := b.letter(t); l.Reason != "no profile is for preview" || b.calls != 0 {
		t.Errorf("letter %+v after %d calls", l, b.calls)
	}
}
