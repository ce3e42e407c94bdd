package ledger_test

import (
	"strings"
	"testing"
	"time"

	"github.com/headrace/headrace/pkg/deadletter"
	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/ledger"
	"github.com/headrace/headrace/pkg/pipelinetest"
	"github.com/headrace/headrace/pkg/stream"
)

// An on-call engineer finds in one place where the request is, since when, when
// it goes on, and what people did to it; and no password.
func TestShow_RedrivenRequest_TellsWhoSinceWhenAndWhatNext(t *testing.T) {
	t.Parallel()
	c := pipelinetest.Client(t)
	key := pipelinetest.Key(fulfillment.Purchase, "PR-1")
	d := pipelinetest.Open(t, c, key, []byte(`{"id":"PR-1","params":[{"id":"pw","type":"password","value":"hunter2"}]}`))
	if err := deadletter.NewWriter(c, nil).Write(t.Context(), deadletter.OfDelivery(d, fulfillment.StageHold, "hunter2 is weak")); err != nil {
		t.Fatal(err)
	}
	e, err := deadletter.Get(t.Context(), c, "PR-1")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := deadletter.Reveal(t.Context(), c, e, "eve"); err != nil {
		t.Fatal(err)
	}
	show := func() ledger.History {
		t.Helper()
		h, err := ledger.Show(t.Context(), c, "PR-1")
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
	if h := show(); h.State != fulfillment.StateHeld || h.Reason != "••• is weak" || h.Since.IsZero() || !h.Opened.Equal(d.Time) {
		t.Errorf("held as %+v", h.Entry)
	}
	if err := deadletter.Send(t.Context(), c, e, deadletter.Redrive{By: "ann", Outcome: deadletter.OutcomeNotDone}); err != nil {
		t.Fatal(err)
	}
	sent := pipelinetest.Last(t, c, fulfillment.StreamRequests, key.Subject(fulfillment.RootRetries))
	due := time.Now().Add(time.Hour).UTC()
	pipelinetest.Append(t, c, stream.Message{ // as the service does, with the headers that came
		Subject: key.Subject(fulfillment.RootSchedules), Header: sent.Header, Body: sent.Body,
	}, stream.ScheduleAt(due, key.Subject(fulfillment.RootRetries)))
	h := show()
	if h.State != fulfillment.StateWaiting || !h.Next.Equal(due) || !h.Since.Equal(sent.Time) || !h.Opened.Equal(d.Time) {
		t.Errorf("it waits as %+v; want it since %s, next at %s", h.Entry, sent.Time, due)
	}
	var steps []string
	for _, s := range h.Steps {
		steps = append(steps, s.Step+"|"+s.Reason)
	}
	all := strings.Join(steps, "\n")
	for _, want := range []string{"dead letter 1: hold|••• is weak", "dead letter 1 revealed by eve|", "dead letter 1 redriven by ann|the vendor's part is not done", "scheduled for "} {
		if strings.Count(all, want) != 1 {
			t.Errorf("%q is there %d times in:\n%s", want, strings.Count(all, want), all)
		}
	}
	for want, f := range map[int][]ledger.Filter{
		1: {{Request: "PR-1"}, {Since: sent.Time}, {State: fulfillment.StateWaiting}},
		0: {{Request: "PR-2"}, {Until: d.Time}, {Reason: "weak"}},
	} {
		for _, f := range f {
			if got, err := ledger.List(t.Context(), c, f, 0); err != nil || len(got) != want {
				t.Errorf("%+v: %d, %v; want %d", f, len(got), err, want)
			}
		}
	}
}
