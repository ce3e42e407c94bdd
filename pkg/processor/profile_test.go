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

func TestHandle_OperatorSaysDone_ApprovesAsTheProfileSays(t *testing.T) {
	t.Parallel()
	b := profiled(t, &processor.Profile{
		Manual: true, IfRefused: fulfillment.Hold,
		Approval: func(*processor.Work, processor.Verdict) (fulfillment.Template, error) {
			return fulfillment.Template{Tile: "Welcome"}, nil
		},
	})
	pipelinetest.Open(t, b.client, key(), pipelinetest.Request(t, key(), ""))
	seq := pipelinetest.Append(t, b.client, stream.Message{
		Subject: key().Subject(fulfillment.RootRetries), Body: pipelinetest.Request(t, key(), ""),
		Header: map[string]string{fulfillment.HeaderEpisode: "1", fulfillment.HeaderDone: `[{"id":"subscription_id","value":"T-1"}]`},
	})
	if err := b.Handle(t.Context(), pipelinetest.Deliver(t, b.client, fulfillment.StreamRequests, seq, 1)); err != nil {
		t.Fatal(err)
	}
	r := b.result(t)
	if r.Decision != fulfillment.Approve || *r.Params[0].Value != "T-1" || r.Template.Tile != "Welcome" || r.IfRefused != fulfillment.Hold || b.calls != 0 {
		t.Errorf("result %+v after %d calls", r, b.calls)
	}
}

// TestSave_Twice_TheFinalResultHasItAll: the committer acts on the last result
// alone.
func TestSave_Twice_TheFinalResultHasItAll(t *testing.T) {
	t.Parallel()
	b := profiled(t, &processor.Profile{})
	b.answer = func(w *processor.Work) (processor.Verdict, error) {
		for _, p := range []fulfillment.Param{processor.Value("subscription_id", "T-1"), processor.Value("activation_url", "https://t-1")} {
			if err := w.Save(t.Context(), "step by step", p); err != nil {
				return processor.Verdict{}, err
			}
		}
		return processor.Fail("the second call was refused"), nil
	}
	d := pipelinetest.Open(t, b.client, key(), pipelinetest.Request(t, key(), ""))
	if err := b.Handle(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	r := b.result(t)
	if r.Decision != fulfillment.Fail || len(r.Params) != 2 || *r.Params[0].Value != "T-1" || *r.Params[1].Value != "https://t-1" {
		t.Errorf("result %+v", r)
	}
}

func TestHandle_HeldByPolicy_DoesNotComeToAHandler(t *testing.T) {
	t.Parallel()
	b := profiled(t, &processor.Profile{Policies: map[fulfillment.Type]processor.Policy{fulfillment.Purchase: processor.PolicyHold}})
	own := processor.Profiles(func(*processor.Work) (*processor.Profile, error) {
		return &processor.Profile{
			TenantParam: processor.DefaultTenantParam,
			Policies:    map[fulfillment.Type]processor.Policy{fulfillment.Purchase: processor.PolicyHold},
		}, nil
	}).With("PRD-1", fulfillment.Purchase, b)
	b.Processor = processor.New(processor.Config{
		Service: "purchase", Decider: b, Log: b.client, Dead: deadletter.NewWriter(b.client, nil), Profiles: own,
		Status:  func(context.Context, fulfillment.Key) (string, error) { return b.status, nil },
		Metrics: noMetrics{}, Logger: pipelinetest.Logger(),
	})
	d := pipelinetest.Open(t, b.client, key(), pipelinetest.Request(t, key(), ""))
	if err := b.Handle(t.Context(), d); err != nil || b.calls != 0 || b.letter(t).Stage != fulfillment.StageHold {
		t.Errorf("err %v, %d calls, letter %+v", err, b.calls, b.letter(t))
	}
}

func TestHandle_VendorRepeatsAPassword_NobodyReadsIt(t *testing.T) {
	t.Parallel()
	b := profiled(t, &processor.Profile{})
	b.answer = func(*processor.Work) (processor.Verdict, error) {
		return processor.Fail(`password: weak, in ?pw=hunter%2F2 "hunter/2"`), nil
	}
	body := `{"id":"PR-1","type":"purchase","status":"pending","asset":{"id":"AS-1","product":{"id":"PRD-1"},` +
		`"params":[{"id":"secret","type":"password","phase":"ordering","value":"hunter/2"}]}}`
	d := pipelinetest.Open(t, b.client, key(), []byte(body))
	if err := b.Handle(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	if r := b.result(t); r.Reason != `password: weak, in ?pw=••• "•••"` {
		t.Errorf("reason %q", r.Reason)
	}
}
