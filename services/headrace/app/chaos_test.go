package app_test

import (
	"math/rand/v2"
	"net/http"
	"testing"
	"time"

	"github.com/headrace/headrace/pkg/connectsim"
	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/simfault"
	"github.com/headrace/headrace/pkg/vendorsim"
)

// Two processes share the broker, come and go, and both upstreams answer as
// they please: refused before the effect, lost after it, too late, or not at
// all. Nothing may be lost, done twice, or done at the same time as something
// else to one asset.
func TestApp_UpstreamsAndProcessesFail_EachRequestIsCarriedOutOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, connectsim.Options{Empty: true}, vendorsim.Options{Work: 5 * time.Millisecond, Async: 300 * time.Millisecond})
	w.seed(w.connect.Seed(20))
	w.shareBroker()
	some := 0.12
	for _, layer := range []*simfault.Layer{w.vendor.Faults(), w.connect.Faults()} {
		if err := layer.Set([]simfault.Fault{
			{Drop: simfault.DropAfter, Probability: &some, Times: 12},
			{Drop: simfault.DropBefore, Probability: &some, Times: 12},
			{Status: http.StatusServiceUnavailable, Probability: &some, Times: 12},
			{Status: http.StatusGatewayTimeout, Effect: true, Probability: &some, Times: 12},
			{Latency: 2 * time.Millisecond, Jitter: 2 * time.Millisecond},
		}); err != nil {
			t.Fatal(err)
		}
	}
	steady := w.start()
	for range 4 {
		stop := w.start()
		enough := len(w.vendor.Operations()) + 10 + rand.N(10)
		w.until("some work is done", func() bool { return w.settled() || len(w.vendor.Operations()) > enough })
		stop()
	}
	w.until("no request pending", w.settled)
	steady()

	for typ, byStatus := range w.connect.Counts() {
		if byStatus["approved"] != 20 {
			t.Errorf("%s: %v, want 20 approved", typ, byStatus)
		}
	}
	creations := map[string]int{}
	for _, op := range w.vendor.Operations() {
		if op.Kind == vendorsim.Create {
			creations[op.ExternalID]++
		}
	}
	for asset, n := range creations {
		if n > 1 {
			t.Errorf("%d tenants for %s", n, asset)
		}
	}
	if pairs := w.vendor.Overlaps(); len(pairs) > 0 {
		t.Errorf("operations overlap on one asset: %+v", pairs)
	}
	w.once(w.client(), fulfillment.StreamEvents, fulfillment.RootEvents+".*.approved.>", 100)
}
