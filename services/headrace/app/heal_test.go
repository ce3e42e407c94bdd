package app_test

import (
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/headrace/headrace/pkg/config"
	"github.com/headrace/headrace/pkg/connectsim"
	"github.com/headrace/headrace/pkg/deadletter"
	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/stream"
	"github.com/headrace/headrace/pkg/stream/streamtest"
	"github.com/headrace/headrace/pkg/telemetry"
	"github.com/headrace/headrace/pkg/vendorsim"
	"github.com/headrace/headrace/services/headrace/app"
)

// healing is a world whose streams and consumers are deleted and changed while
// two processes work on the start set.
func healing(t *testing.T) (w *world, hand *streamtest.Hand) {
	t.Helper()
	return healingWith(t, vendorsim.IdempotencyKey)
}

func healingWith(t *testing.T, idempotency string) (w *world, hand *streamtest.Hand) {
	t.Helper()
	w = newWorld(t, connectsim.Options{}, vendorsim.Options{Work: 30 * time.Millisecond, Idempotency: idempotency})
	w.cfg.Vendor.Idempotency = config.Idempotency(idempotency)
	w.shareBroker()
	w.cfg.Concurrency.Default = 3
	w.options = []app.Option{app.Tended(stream.Tending{Every: 200 * time.Millisecond, Grace: 500 * time.Millisecond})}
	return w, streamtest.NewHand(t, string(w.cfg.NATS.URL))
}

// repaired reports whether the last App that was started, or another before it,
// counted a repair of the object.
func repaired(m *telemetry.Metrics, object, kind string) bool {
	rec := httptest.NewRecorder()
	m.Handler().ServeHTTP(rec, httptest.NewRequest("GET", "/metrics", nil))
	return strings.Contains(rec.Body.String(), `headrace_repairs_total{kind="`+kind+`",object="`+object+`"}`)
}

// changeEach orders a change of each subscription that was bought.
func (w *world) changeEach() {
	for _, r := range w.connect.Requests() {
		if r.Type == "purchase" {
			w.connect.AddRequest(connectsim.NewRequest{Type: "change", AssetID: r.AssetID})
		}
	}
}

// allApproved fails unless each request ended approved, with at most one tenant
// for each asset and no two operations on one asset at once.
func (w *world) allApproved() {
	w.t.Helper()
	for _, r := range w.connect.Requests() {
		if r.Status != "approved" {
			w.t.Errorf("%s %s is %s: %s", r.Type, r.ID, r.Status, r.Reason)
		}
	}
	creations, done := map[string]int{}, map[string]int{}
	for _, op := range w.vendor.Operations() {
		done[op.IdempotencyKey]++
		if op.Kind == vendorsim.Create {
			creations[op.ExternalID]++
		}
	}
	for asset, n := range creations {
		if n > 1 {
			w.t.Errorf("%d tenants for %s", n, asset)
		}
	}
	for id, n := range done {
		if n > 1 {
			w.t.Errorf("%d effects of %s", n, id)
		}
	}
	if pairs := w.vendor.Overlaps(); len(pairs) > 0 {
		w.t.Errorf("operations overlap on one asset: %+v", pairs)
	}
}

func TestApp_StreamOrConsumerDeleted_ComesBackAndNothingIsLostOrDoneTwice(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		object string
		remove func(*streamtest.Hand)
	}{
		"requests":  {fulfillment.StreamRequests, func(h *streamtest.Hand) { h.DeleteStream(fulfillment.StreamRequests) }},
		"results":   {fulfillment.StreamResults, func(h *streamtest.Hand) { h.DeleteStream(fulfillment.StreamResults) }},
		"events":    {fulfillment.StreamEvents, func(h *streamtest.Hand) { h.DeleteStream(fulfillment.StreamEvents) }},
		"dead":      {fulfillment.StreamDead, func(h *streamtest.Hand) { h.DeleteStream(fulfillment.StreamDead) }},
		"upstreams": {fulfillment.StreamUpstreams, func(h *streamtest.Hand) { h.DeleteStream(fulfillment.StreamUpstreams) }},
		"purchase":  {"purchase", func(h *streamtest.Hand) { h.DeleteConsumer(fulfillment.StreamRequests, "purchase") }},
		"committer": {stream.DurableCommitter, func(h *streamtest.Hand) {
			h.DeleteConsumer(fulfillment.StreamResults, stream.DurableCommitter)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, hand := healing(t)
			stop := w.start()
			first := w.metrics
			second := w.start()
			for _, after := range []int{15, 60} {
				w.until("some work is done", func() bool { return len(w.vendor.Operations()) > after })
				c.remove(hand)
				w.until("it is there again", func() bool {
					return repaired(first, c.object, "missing") || repaired(w.metrics, c.object, "missing")
				})
			}
			w.until("no request pending", w.settled)
			c.remove(hand) // now that all of it is history
			w.changeEach()
			w.until("no request pending", w.settled)
			w.until("nothing is wrong any more", func() bool { return w.health.Report().Ready })
			second()
			stop()
			w.allApproved()
		})
	}
}

// Without keys and lookup nobody can tell whether a call was made whose intent
// was lost: what may have been is held, and no tenant is made twice.
func TestApp_StreamDeleted_VendorHonoursNoKey_NoSecondTenant(t *testing.T) {
	t.Parallel()
	for _, name := range []string{fulfillment.StreamRequests, fulfillment.StreamResults, fulfillment.StreamEvents} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, hand := healingWith(t, vendorsim.IdempotencyNone)
			w.start()
			c := w.client()
			w.until("some work is done", func() bool { return len(w.vendor.Operations()) > 30 })
			hand.DeleteStream(name)
			w.until("it is there again", func() bool { return repaired(w.metrics, name, "missing") })
			w.until("all is approved or held", func() bool {
				letters, err := deadletter.List(t.Context(), c, deadletter.Filter{Stage: fulfillment.StageHold})
				if err != nil {
					t.Fatal(err)
				}
				held := map[string]bool{}
				for _, l := range letters {
					held[l.RequestID] = true
				}
				for _, r := range w.connect.Requests() {
					if r.Status == "pending" && (!held[r.ID] || r.Type != "purchase") {
						return false
					}
				}
				return true
			})
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
		})
	}
}
