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
