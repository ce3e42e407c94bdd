package processor_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/guard"
	"github.com/headrace/headrace/pkg/pipelinetest"
	"github.com/headrace/headrace/pkg/processor"
	"github.com/headrace/headrace/pkg/stream"
	"github.com/headrace/headrace/pkg/vendorapi"
)

// A call that a stopping process does not begin is nobody's fault, however
// often it happens.
func TestHandle_CallRefused_GoesBackAtOnceAndCountsNothing(t *testing.T) {
	t.Parallel()
	refused := &vendorapi.Error{Kind: vendorapi.Network, NotSent: true, Err: &guard.RefusedError{Err: errors.New("process is stopping")}}
	b := newBench(t, func(*processor.Work) (processor.Verdict, error) { return processor.VendorFault(refused) })
	d := pipelinetest.Open(t, b.client, key(), pipelinetest.Request(t, key(), ""))
	for range 12 {
		if err := b.Handle(t.Context(), d); err == nil || !strings.Contains(err.Error(), "retry after 0s") {
			t.Fatalf("error = %v, want a retry without delay", err)
		}
		d.Attempt++
	}
	if head := b.head(t); head.Sequence != d.Sequence || b.results(t) != 0 {
		t.Errorf("head is %s, %d results; want nothing but the request", head.Subject, b.results(t))
	}
	if n := pipelinetest.Count(t, b.client, fulfillment.StreamDead, ""); n != 0 {
		t.Errorf("%d dead letters", n)
	}
}

// A worker that was stopped for longer than its lease goes on before it hears of
// that: what it has in hand is another's by then.
func TestHandle_LeaseLostInTheCall_StoresNothing(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		verdict processor.Verdict
		err     error
	}{
		"approved": {verdict: processor.Approve(processor.Value("subscription_id", "T-1"))},
		"waits":    {verdict: processor.Wait("not ready")},
		"held":     {verdict: processor.Hold("why")},
		"fault":    {err: errVendor},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			lost := false
			b := newBench(t, func(*processor.Work) (processor.Verdict, error) {
				lost = true
				return c.verdict, c.err
			})
			ctx := guard.With(t.Context(), func() error {
				if lost {
					return stream.ErrLeaseLost
				}
				return nil
			})
			d := pipelinetest.Open(t, b.client, key(), pipelinetest.Request(t, key(), ""))
			if err := b.Handle(ctx, d); err == nil {
				t.Error("acknowledged")
			}
			if head := b.head(t); head.Sequence != d.Sequence || b.results(t) != 0 {
				t.Errorf("head is %s, %d results; want nothing but the request", head.Subject, b.results(t))
			}
			if n := pipelinetest.Count(t, b.client, fulfillment.StreamDead, ""); n != 0 {
				t.Errorf("%d dead letters", n)
			}
		})
	}
}

func TestHandle_StoppingAfterTheCall_StoresTheResult(t *testing.T) {
	t.Parallel()
	b := newBench(t, approve)
	d := pipelinetest.Open(t, b.client, key(), pipelinetest.Request(t, key(), ""))
	if err := b.Handle(guard.With(t.Context(), func() error { return stream.ErrStopping }), d); err != nil || b.results(t) != 1 {
		t.Errorf("%v, %d results; want what was done stored", err, b.results(t))
	}
}

// Whoever gets the message after that leaves it to a person: the result is what
// the person would look for.
func TestHandle_LeaseLostInACallThatNobodyRepeats_StoresTheResult(t *testing.T) {
	t.Parallel()
	lost := false
	ctx := guard.With(t.Context(), func() error {
		if lost {
			return stream.ErrLeaseLost
		}
		return nil
	})
	b := newBench(t, func(w *processor.Work) (processor.Verdict, error) {
		if _, err := w.OpenCall(ctx); err != nil {
			return processor.Verdict{}, err
		}
		err := w.BeginCall(ctx)
		lost = true
		return processor.Approve(processor.Value("subscription_id", "T-1")), err
	})
	d := pipelinetest.Open(t, b.client, key(), pipelinetest.Request(t, key(), ""))
	if err := b.Handle(ctx, d); err != nil || b.results(t) != 1 {
		t.Errorf("%v, %d results; want what was done stored", err, b.results(t))
	}
}
