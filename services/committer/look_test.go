package committer_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/headrace/headrace/pkg/connectsim"
	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/processor"
)

// calls are what was asked of Connect about the request, by method and what
// follows its id.
func (b *bench) calls() []string {
	var all []string
	for _, c := range b.sim.Faults().Calls() {
		if _, after, ok := strings.Cut(c.Path, b.key.Request); ok {
			all = append(all, c.Method+after)
		}
	}
	return all
}

func TestCommit_FirstDelivery_SavesWithoutAReadBefore(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	d := b.decided(t, fulfillment.Wait, "", processor.Value("subscription_id", "T-0"))
	b.commit(t, d, 1)
	b.commit(t, b.approved(t), 1)
	if diff := cmp.Diff([]string{"PUT", "PUT", "POST/approve"}, b.calls()); diff != "" {
		t.Error(diff)
	}
	b.told(t, approvedOnce()...)
}

func TestCommit_WhatMayHaveBeenDone_IsReadFirst(t *testing.T) {
	t.Parallel()
	for name, of := range map[string]struct {
		attempt int
		age     time.Duration
		header  string
	}{
		"delivered again": {attempt: 2},
		"old":             {attempt: 1, age: 2 * time.Hour},
		"replayed":        {attempt: 1, header: fulfillment.HeaderReplayed},
		"redriven":        {attempt: 1, header: fulfillment.HeaderRedriven},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			d := b.approved(t)
			d.Attempt, d.Time = of.attempt, d.Time.Add(-of.age)
			if of.header != "" {
				d.Header = map[string]string{of.header: time.Now().Format(time.RFC3339Nano)}
			}
			b.commit(t, d, 1)
			if diff := cmp.Diff([]string{"GET", "PUT", "POST/approve"}, b.calls()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// Where Connect takes parameters of a request that a person put to the customer,
// its answer says that it is not ours to approve.
func TestCommit_SavedWhileTheCustomerIsAsked_IsNotApproved(t *testing.T) {
	t.Parallel()
	b := newBenchWith(t, connectsim.Options{Empty: true, Validation: true})
	if err := b.sim.SetStatus(b.key.Request, "inquiring"); err != nil {
		t.Fatal(err)
	}
	b.commit(t, b.approved(t), 1)
	if diff := cmp.Diff([]string{"PUT"}, b.calls()); diff != "" {
		t.Error(diff)
	}
	e := b.event(t)
	if e.Event != fulfillment.EventInquiring || b.request(t).Status != "inquiring" {
		t.Errorf("event %s, request %s", e.Event, b.request(t).Status)
	}
	if s := e.Subscription; s.Tenant != "T-1" || len(s.Items) == 0 || e.Customer == nil {
		t.Errorf("the event shows %+v and not what the answer does", s)
	}
}

func TestCommit_ParametersRefused_TheRequestIsReadBeforeItIsFailed(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.commit(t, b.decided(t, fulfillment.Approve, "", processor.Value("no_such_parameter", "x")), 1)
	if diff := cmp.Diff([]string{"PUT", http.MethodGet, "PUT", "POST/fail"}, b.calls()); diff != "" {
		t.Error(diff)
	}
	if r := b.request(t); r.Status != "failed" || !strings.Contains(r.Reason, "Connect refused the parameters") {
		t.Errorf("request is %s for %q", r.Status, r.Reason)
	}
}
