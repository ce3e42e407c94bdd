package committer_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/headrace/headrace/pkg/connect"
	"github.com/headrace/headrace/pkg/connectsim"
	"github.com/headrace/headrace/pkg/deadletter"
	"github.com/headrace/headrace/pkg/facts"
	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/guard"
	"github.com/headrace/headrace/pkg/pipelinetest"
	"github.com/headrace/headrace/pkg/processor"
	"github.com/headrace/headrace/pkg/simfault"
	"github.com/headrace/headrace/pkg/stream"
	"github.com/headrace/headrace/services/committer"
)

type noMetrics struct{}

func (noMetrics) Event(string, string)                  {}
func (noMetrics) Retry(string, string, string)          {}
func (noMetrics) Handled(string, string, time.Duration) {}

// bench is a committer between a real broker and a simulated Connect with one
// pending purchase.
type bench struct {
	*committer.Committer
	client *stream.Client
	log    *log
	teller *facts.Teller
	sim    *connectsim.Server
	key    fulfillment.Key
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

func newBench(t *testing.T) *bench {
	t.Helper()
	return newBenchWith(t, connectsim.Options{Empty: true})
}

func newBenchWith(t *testing.T, o connectsim.Options) *bench {
	t.Helper()
	b := &bench{client: pipelinetest.Client(t), sim: connectsim.New(o)}
	server := httptest.NewServer(b.sim.Handler())
	t.Cleanup(server.Close)
	con, err := connect.NewClient(server.URL+connectsim.BasePath, "SU-000-000-000:secret",
		connect.WithRetry(1, time.Millisecond, time.Millisecond), connect.WithTransport(guard.Transport(connect.NewTransport())))
	if err != nil {
		t.Fatal(err)
	}
	b.log = &log{Client: b.client}
	b.teller = facts.New(b.log, facts.Rules{}).Remembering()
	b.Committer = committer.New(committer.Config{
		Log: b.log, Dead: deadletter.NewWriter(b.client, nil), Facts: b.teller, Requests: con.Requests,
		Assets: con.Assets, Adjustments: con.Requests,
		Templates: committer.NewTemplates(con.Templates.List, time.Minute), Metrics: noMetrics{}, Logger: pipelinetest.Logger(),
	})
	r, _ := b.sim.Request(b.sim.AddRequest(connectsim.NewRequest{Lines: []connectsim.Line{{Item: "NW-SEAT", Quantity: "5"}}}))
	b.key = fulfillment.Key{Type: fulfillment.Purchase, Product: r.ProductID, Asset: r.AssetID, Request: r.ID}
	return b
}

// decided stores a result of episode 7 and returns its delivery.
func (b *bench) decided(t *testing.T, d fulfillment.Decision, reason string, params ...fulfillment.Param) *stream.Delivery {
	t.Helper()
	body, err := json.Marshal(fulfillment.Result{
		RequestID: b.key.Request, AssetID: b.key.Asset, ProductID: b.key.Product, Type: b.key.Type,
		Episode: 7, Attempt: 1, Decision: d, Reason: reason, Params: params, Time: time.Now(),
	})
	if err != nil {
		t.Fatal(err)
	}
	seq := pipelinetest.Append(t, b.client, stream.Message{Subject: b.key.Subject(fulfillment.RootResults), Body: body})
	return pipelinetest.Deliver(t, b.client, fulfillment.StreamResults, seq, 1)
}

func (b *bench) approved(t *testing.T) *stream.Delivery {
	t.Helper()
	return b.decided(t, fulfillment.Approve, "", processor.Value("subscription_id", "T-1"))
}

// commit delivers d as often as is said; each must be acknowledged.
func (b *bench) commit(t *testing.T, d *stream.Delivery, times int) {
	t.Helper()
	for range times {
		if err := b.Handle(t.Context(), d); err != nil {
			t.Fatal(err)
		}
		d.Attempt++
	}
}

func (b *bench) request(t *testing.T) connectsim.Request {
	t.Helper()
	r, ok := b.sim.Request(b.key.Request)
	if !ok {
		t.Fatal("the request is gone")
	}
	return r
}

// event is the one event that closes the episode: the last there is.
func (b *bench) event(t *testing.T) fulfillment.EventBody {
	t.Helper()
	closing := 0
	events := pipelinetest.Told(t, b.client, b.key)
	for _, e := range events {
		if e.Closes() {
			closing++
		}
	}
	if closing != 1 {
		t.Fatalf("events %v, want one that closes", events)
	}
	return pipelinetest.Body[fulfillment.EventBody](t, b.client, fulfillment.StreamEvents, b.key.EventFilter())
}

func TestCommit_Approve_SavesThenApprovesThenSaysSoOnce(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.commit(t, b.approved(t), 3)
	r := b.request(t)
	if r.Status != "approved" || r.Params["subscription_id"] != "T-1" || r.TemplateID == "" {
		t.Errorf("request is %s with %v and template %q", r.Status, r.Params, r.TemplateID)
	}
	if e := b.event(t); e.Event != fulfillment.EventApproved || e.Episode != 7 {
		t.Errorf("event is %+v", e)
	}
	writes := map[string]int{}
	for _, c := range b.sim.Faults().Calls() {
		if c.Method != http.MethodGet {
			writes[c.Method]++
		}
	}
	if writes[http.MethodPut] != 1 || writes[http.MethodPost] != 1 {
		t.Errorf("writes to Connect: %v, want one PUT and one POST for three deliveries", writes)
	}
}

func TestCommit_Fail_GivesTheReason(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.commit(t, b.decided(t, fulfillment.Fail, "the region is not served"), 1)
	if r := b.request(t); r.Status != "failed" || r.Reason != "the region is not served" {
		t.Errorf("request is %s for %q", r.Status, r.Reason)
	}
	if e := b.event(t); e.Event != fulfillment.EventFailed || e.Reason != "the region is not served" {
		t.Errorf("event is %+v", e)
	}
}

func TestCommit_Inquire_MarksThenAsks(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	wrong := "This is not an address."
	b.commit(t, b.decided(t, fulfillment.Inquire, "", fulfillment.Param{ID: "admin_email", ValueError: &wrong}), 2)
	if r := b.request(t); r.Status != "inquiring" || r.ParamErrors["admin_email"] != wrong {
		t.Errorf("request is %s with errors %v", r.Status, r.ParamErrors)
	}
	if e := b.event(t); e.Event != fulfillment.EventInquiring {
		t.Errorf("event is %+v", e)
	}
}

func TestCommit_Wait_SavesAndLeavesThePendingOpen(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.commit(t, b.decided(t, fulfillment.Wait, "", processor.Value("subscription_id", "T-1")), 1)
	if r := b.request(t); r.Status != "pending" || r.Params["subscription_id"] != "T-1" {
		t.Errorf("request is %s with %v", r.Status, r.Params)
	}
	if n := pipelinetest.Count(t, b.client, fulfillment.StreamEvents, ""); n != 0 {
		t.Errorf("%d events: waiting closes nothing", n)
	}
}

func TestCommit_RequiredParameterEmpty_FailsWithItsName(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.commit(t, b.decided(t, fulfillment.Approve, ""), 1)
	if r := b.request(t); r.Status != "failed" || r.Reason != "required fulfillment parameters are empty: subscription_id" {
		t.Errorf("request is %s for %q", r.Status, r.Reason)
	}
}

func TestCommit_MovedByAPerson_IsNamedByConnect(t *testing.T) {
	t.Parallel()
	for status, want := range map[string]fulfillment.Event{
		"failed": fulfillment.EventFailed, "approved": fulfillment.EventApproved, "inquiring": fulfillment.EventInquiring,
		"scheduled": fulfillment.EventLeft, "revoked": fulfillment.EventLeft,
	} {
		t.Run(status, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			if err := b.sim.SetStatus(b.key.Request, status); err != nil {
				t.Fatal(err)
			}
			b.commit(t, b.approved(t), 1)
			if e := b.event(t); e.Event != want || e.Status != status {
				t.Errorf("event is %+v, want %s", e, want)
			}
			if r := b.request(t); r.Params["subscription_id"] == "T-1" {
				t.Error("parameters were saved in a request that is not pending")
			}
		})
	}
}

func TestCommit_AnswerLostAfterTheEffect_IsDoneOnce(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	if err := b.sim.Faults().Set([]simfault.Fault{{Method: http.MethodPost, Path: "/public/v1/requests", Drop: simfault.DropAfter}}); err != nil {
		t.Fatal(err)
	}
	b.commit(t, b.approved(t), 1)
	if e := b.event(t); e.Event != fulfillment.EventApproved {
		t.Errorf("event is %+v", e)
	}
}

// hasty is a customer who answers before the committer, to whom Connect's answer
// was lost, has asked again.
type hasty struct {
	committer.Requests
	answer func()
}

func (h hasty) Inquire(ctx context.Context, id, templateID string) (*connect.Request, error) {
	if _, err := h.Requests.Inquire(ctx, id, templateID); err != nil {
		return nil, err
	}
	h.answer()
	return h.Requests.Inquire(ctx, id, templateID)
}

func TestCommit_AnsweredBeforeAskedAgain_IsNotHeld(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.Requests = hasty{b.Requests, func() {
		if err := b.sim.Answer(b.key.Request, map[string]string{"admin_email": "found@example.com"}); err != nil {
			t.Error(err)
		}
	}}
	wrong := "This is not an address."
	b.commit(t, b.decided(t, fulfillment.Inquire, "", fulfillment.Param{ID: "admin_email", ValueError: &wrong}), 1)
	if e := b.event(t); e.Event != fulfillment.EventInquiring {
		t.Errorf("event is %+v", e)
	}
	if r := b.request(t); r.Status != "pending" || r.ParamErrors["admin_email"] != "" {
		t.Errorf("request is %s with %v", r.Status, r.ParamErrors)
	}
	if n := pipelinetest.Count(t, b.client, fulfillment.StreamDead, ""); n != 0 {
		t.Errorf("%d dead letters", n)
	}
}

func TestCommit_ConnectDown_ComesAgainAndNothingIsLost(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	d := b.approved(t)
	for _, status := range []int{503, 429, 401, 403} {
		if err := b.sim.Faults().Set([]simfault.Fault{{Path: "/public/v1", Status: status}}); err != nil {
			t.Fatal(err)
		}
		d.Attempt = 40
		if err := b.Handle(t.Context(), d); err == nil {
			t.Errorf("%d: acknowledged", status)
		}
	}
	if n := pipelinetest.Count(t, b.client, fulfillment.StreamDead, ""); n != 0 {
		t.Errorf("%d dead letters: Connect's outage or our key is not the order's fault", n)
	}
	if err := b.sim.Faults().Set(nil); err != nil {
		t.Fatal(err)
	}
	b.commit(t, d, 1)
	if r := b.request(t); r.Status != "approved" {
		t.Errorf("request is %s after the outage", r.Status)
	}
}

// TestCommit_AfterAnOutage_WhatIsNotUnderstoodIsTriedAgain has many deliveries
// end in Connect's trouble before the first that is not understood.
func TestCommit_AfterAnOutage_WhatIsNotUnderstoodIsTriedAgain(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	d := b.approved(t)
	dead := func() int { return pipelinetest.Count(t, b.client, fulfillment.StreamDead, "") }
	fault := func(status, times int) {
		t.Helper()
		if err := b.sim.Faults().Set([]simfault.Fault{{Path: "/public/v1", Status: status}}); err != nil {
			t.Fatal(err)
		}
		for range times {
			if err := b.Handle(t.Context(), d); err == nil {
				t.Fatalf("a delivery that met %d is acknowledged; %d dead letters", status, dead())
			}
			d.Attempt++
		}
	}
	const notUnderstood = http.StatusTeapot
	fault(http.StatusServiceUnavailable, 20)
	fault(notUnderstood, 4)
	fault(http.StatusServiceUnavailable, 20)
	fault(notUnderstood, 3)
	if n := dead(); n != 0 {
		t.Fatalf("%d dead letters, want none", n)
	}
	b.commit(t, d, 1)
	l := pipelinetest.Body[fulfillment.Letter](t, b.client, fulfillment.StreamDead, b.key.DeadSubject(fulfillment.StageCommit))
	if !strings.Contains(l.Reason, "after 8 tries") || b.request(t).Status != "pending" {
		t.Errorf("buried for %q, request is %s", l.Reason, b.request(t).Status)
	}
}

func TestCommit_NoTemplate_IsHeldOnce(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	noTemplates := func(context.Context, string, string, string) ([]connect.Template, error) { return nil, nil }
	b.Templates = committer.NewTemplates(noTemplates, time.Minute)
	b.commit(t, b.approved(t), 3)
	l := pipelinetest.Body[fulfillment.Letter](t, b.client, fulfillment.StreamDead, b.key.DeadSubject(fulfillment.StageHold))
	if n := pipelinetest.Count(t, b.client, fulfillment.StreamDead, ""); n != 1 || l.Episode != 7 {
		t.Errorf("%d letters, the last %+v", n, l)
	}
	if r := b.request(t); r.Status != "pending" {
		t.Errorf("request is %s, want it to wait for a person", r.Status)
	}
}

func TestCommit_Unreadable_IsInDead(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	seq := pipelinetest.Append(t, b.client, stream.Message{Subject: b.key.Subject(fulfillment.RootResults), Body: []byte("{")})
	b.commit(t, pipelinetest.Deliver(t, b.client, fulfillment.StreamResults, seq, 1), 2)
	if n := pipelinetest.Count(t, b.client, fulfillment.StreamDead, fulfillment.RootDead+".decode.>"); n != 1 {
		t.Errorf("%d letters, want 1", n)
	}
}

func TestPickActivation_Choices(t *testing.T) {
	t.Parallel()
	tpl := func(id, name string) connect.Template { return connect.Template{ID: id, Name: name} }
	for _, c := range []struct {
		found []connect.Template
		want  string
	}{
		{nil, ""},
		{[]connect.Template{tpl("TL-1", "Mine")}, "TL-1"},
		{[]connect.Template{tpl("TL-1", "Mine"), tpl("TL-2", "Yours")}, ""},
		{[]connect.Template{tpl("TL-1", "Mine"), tpl("TL-2", committer.DefaultActivation)}, "TL-2"},
	} {
		got, err := committer.PickActivation(c.found)
		if got != c.want || (err == nil) != (c.want != "") {
			t.Errorf("PickActivation(%v) = %q, %v; want %q", c.found, got, err, c.want)
		}
	}
}

func TestTemplates_Found_AreAskedForOnce(t *testing.T) {
	t.Parallel()
	calls := 0
	cache := committer.NewTemplates(func(context.Context, string, string, string) ([]connect.Template, error) {
		if calls++; calls == 1 {
			return nil, errors.New("not now")
		}
		return []connect.Template{{ID: "TL-1"}}, nil
	}, time.Minute)
	for range 4 {
		_, _ = cache.Activation(t.Context(), "PRD-1", "asset")
	}
	if calls != 2 {
		t.Errorf("%d calls, want 2: a failure is not kept, an answer is", calls)
	}
}
