package processor_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/guard"
	"github.com/headrace/headrace/pkg/pipelinetest"
	"github.com/headrace/headrace/pkg/processor"
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
