package processor_test

import (
	"testing"
	"time"

	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/pipelinetest"
	"github.com/headrace/headrace/pkg/processor"
)

// A request may wait longer than results are kept. What is known of it, the
// tenant's id above all, is stored again before that, and as old as it is.
func TestHandle_LongWait_KeepsWhatIsKnown(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(*processor.Work) (processor.Verdict, error) {
		return processor.Wait("not ready", processor.Value("subscription_id", "T-7")), nil
	})
	d := pipelinetest.Open(t, b.client, key(), pipelinetest.Request(t, key(), ""))
	var first fulfillment.Result
	for n, want := range []struct {
		ahead   time.Duration
		results int
	}{{0, 1}, {23 * time.Hour, 1}, {25 * time.Hour, 2}} {
		b.ahead = want.ahead
		if err := b.Handle(t.Context(), d); err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			first = b.result(t)
		}
		if got := b.result(t); b.results(t) != want.results || !got.Time.Equal(first.Time) || *got.Params[0].Value != "T-7" {
			t.Errorf("after %s: %d results, want %d; the last is %+v, the first was of %s", want.ahead, b.results(t), want.results, got, first.Time)
		}
		d = pipelinetest.Deliver(t, b.client, fulfillment.StreamRequests, b.head(t).Sequence, 1)
	}
}
