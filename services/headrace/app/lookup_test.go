package app_test

import (
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/headrace/headrace/pkg/connectsim"
	"github.com/headrace/headrace/pkg/simfault"
	"github.com/headrace/headrace/pkg/vendorsim"
)

// withLookup has the example's vendor settle at once: the streams are new.
func (w *world) withLookup() {
	w.t.Helper()
	text, err := os.ReadFile("../../../docs/examples/profiles/lookup.yaml")
	if err != nil {
		w.t.Fatal(err)
	}
	w.withProfiles(strings.NewReplacer("timeout: 20s", "timeout: 1s", "method: GET", "method: GET\n        settle: 1s").Replace(string(text)))
}

// TestLookup_AnswersLost_NothingTwiceNothingHeld has a vendor that honours no key
// create every other tenant without saying so.
func TestLookup_AnswersLost_NothingTwiceNothingHeld(t *testing.T) {
	t.Parallel()
	w := newWorld(t, connectsim.Options{Empty: true}, vendorsim.Options{Idempotency: vendorsim.IdempotencyNone})
	w.withLookup()
	w.seed(w.connect.Load(connectsim.LoadOptions{Purchases: 24}))
	half := 0.5
	err := w.vendor.Faults().Set([]simfault.Fault{
		{Method: http.MethodPost, Path: "/api/tenant", Probability: &half, Drop: simfault.DropAfter},
		{Method: http.MethodPost, Path: "/api/tenant", Probability: &half, Status: http.StatusBadGateway, Effect: true},
	})
	if err != nil {
		t.Fatal(err)
	}
	stop := w.start()
	w.until("nothing of the product is pending", w.done)
	stop()
	w.ofTheProduct(func(r connectsim.Request) {
		if r.Status != "approved" || r.Params["subscription_id"] == "" {
			t.Errorf("%s is %s (%s)", r.ID, r.Status, r.Reason)
		}
	})
	created := map[string]int{}
	for _, op := range w.vendor.Operations() {
		if created[op.ExternalID]++; created[op.ExternalID] > 1 {
			t.Errorf("asset %s has another tenant, %s", op.ExternalID, op.TenantID)
		}
	}
}
