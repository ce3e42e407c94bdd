package app_test

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/headrace/headrace/pkg/config"
	"github.com/headrace/headrace/pkg/connectsim"
	"github.com/headrace/headrace/pkg/deadletter"
	"github.com/headrace/headrace/pkg/telemetry"
	"github.com/headrace/headrace/pkg/vendorsim"
	"github.com/headrace/headrace/services/headrace/app"
)

// profiled is the product that the examples are for.
const profiled = "PRD-620-114-337"

// withProfiles has a world configured by a settings file, in which the vendor of
// the examples is the simulator.
func (w *world) withProfiles(text string) {
	w.t.Helper()
	file := filepath.Join(w.t.TempDir(), "headrace.yaml")
	text = strings.ReplaceAll(text, "https://vendor.example/api", string(w.cfg.Vendor.Endpoint)+"/api")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
	cfg, err := config.Load(config.Sources{File: file})
	if err != nil {
		w.t.Fatal(err)
	}
	w.cfg.Profiles, w.cfg.Products, w.cfg.Vendor = cfg.Profiles, cfg.Products, cfg.Vendor
}

func (w *world) withExample(name string) {
	w.t.Helper()
	text, err := os.ReadFile("../../../docs/examples/profiles/" + name)
	if err != nil {
		w.t.Fatal(err)
	}
	w.withProfiles(string(text))
}

// done reports whether the profiled product has nothing pending.
func (w *world) done() bool {
	for _, r := range w.connect.Requests() {
		if r.ProductID == profiled && r.Status == "pending" {
			return false
		}
	}
	return true
}

// ofTheProduct calls f with each request of the profiled product.
func (w *world) ofTheProduct(f func(r connectsim.Request)) {
	w.t.Helper()
	n := 0
	for _, r := range w.connect.Requests() {
		if r.ProductID == profiled {
			n++
			f(r)
		}
	}
	if n < 10 {
		w.t.Errorf("there are %d requests of the product", n)
	}
}

// tooMuch is what an order without limit is refused with in asynchronous.yaml.
const tooMuch = "Please talk to us about more than 10000."

// bodies runs an example until nothing is pending, and returns what the vendor
// was last sent, by tenant.
func (w *world) bodies(example string) map[string]string {
	w.t.Helper()
	w.withExample(example)
	w.seed(w.connect.Load(connectsim.LoadOptions{Purchases: 6, Changes: 6, Cancels: 6, Suspends: 6, Resumes: 6}))
	stop := w.start()
	w.until("nothing of the product is pending", w.done)
	stop()
	w.ofTheProduct(func(r connectsim.Request) {
		if r.Status == "failed" && r.Reason == tooMuch {
			return
		}
		if r.Status != "approved" || r.Params["subscription_id"] == "" {
			w.t.Errorf("%s %s is %s (%s), tenant %q", r.Type, r.ID, r.Status, r.Reason, r.Params["subscription_id"])
		}
	})
	sent := map[string]string{}
	for _, tenant := range w.vendor.Tenants() {
		if len(tenant.Body) > 0 {
			sent[tenant.ID] = string(tenant.Body)
		}
	}
	return sent
}

func TestProfiles_CloudBluePython_SetsTheLimitAfterPurchase(t *testing.T) {
	t.Parallel()
	w := newWorld(t, connectsim.Options{Empty: true}, vendorsim.Options{Lenient: true})
	for id, body := range w.bodies("cloudblue-python.yaml") {
		var sent struct {
			Licences struct {
				Limit any `json:"limit"`
			} `json:"licences"`
		}
		err := json.Unmarshal([]byte(body), &sent)
		if n, _ := sent.Licences.Limit.(float64); err != nil || n <= 0 && sent.Licences.Limit != "unlimited" {
			t.Errorf("tenant %s was last sent %s", id, body)
		}
	}
}

func TestProfiles_CloudBluePHP_WaitsUntilReady(t *testing.T) {
	t.Parallel()
	w := newWorld(t, connectsim.Options{Empty: true}, vendorsim.Options{
		Lenient: true, Idempotency: vendorsim.IdempotencyNone, Async: 200 * time.Millisecond,
	})
	for id, body := range w.bodies("cloudblue-php.yaml") {
		if !strings.Contains(body, `"Attributes":`) || strings.Contains(body, `"product":""`) {
			t.Errorf("tenant %s was last sent %s", id, body)
		}
	}
}

func TestProfiles_Asynchronous_ApprovesWithATile(t *testing.T) {
	t.Parallel()
	w := newWorld(t, connectsim.Options{Empty: true}, vendorsim.Options{Async: 200 * time.Millisecond, APIKey: "t0ken"})
	w.environ = []string{"VENDOR_TOKEN=t0ken"}
	w.bodies("asynchronous.yaml")
	w.ofTheProduct(func(r connectsim.Request) {
		if r.Status == "approved" && !strings.Contains(r.ActivationKey, "**"+r.Params["subscription_id"]+"**") {
			t.Errorf("%s: the customer was told %q", r.ID, r.ActivationKey)
		}
	})
	for _, op := range w.vendor.Operations() {
		if op.IdempotencyKey == "" {
			t.Errorf("a call without an idempotency key: %+v", op)
		}
	}
}

func TestProfiles_Manual_HoldsEverything(t *testing.T) {
	t.Parallel()
	w := newWorld(t, connectsim.Options{Empty: true}, vendorsim.Options{})
	w.withExample("manual.yaml")
	w.connect.Load(connectsim.LoadOptions{Purchases: 12, Cancels: 12})
	stop := w.start()
	c := w.client()
	w.until("each is held", func() bool {
		letters, err := deadletter.List(t.Context(), c, deadletter.Filter{})
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range letters {
			if l.Reason != "the product's profile leaves its requests to a person" {
				t.Fatalf("%s is held: %s", l.RequestID, l.Reason)
			}
		}
		return len(letters) == 12
	})
	stop()
	w.ofTheProduct(func(r connectsim.Request) {
		if r.Status != "pending" {
			t.Errorf("%s is %s", r.ID, r.Status)
		}
	})
	if ops := w.vendor.Operations(); len(ops) > 0 {
		t.Errorf("the vendor was called: %+v", ops)
	}
}

func TestProfiles_Manual_ApprovesPreviews(t *testing.T) {
	t.Parallel()
	w := newWorld(t, connectsim.Options{Empty: true}, vendorsim.Options{})
	w.withExample("manual.yaml")
	id := w.connect.AddRequest(connectsim.NewRequest{
		ProductID: profiled, Connection: "preview", Params: map[string]string{"admin_email": "me@ours.example"},
	})
	stop := w.start()
	var r connectsim.Request
	w.until("the preview is decided", func() bool {
		r = w.request(id)
		return r.Status != "pending"
	})
	stop()
	if r.Status != "approved" || r.Params["subscription_id"] != r.AssetID || r.AssetID == "" {
		t.Errorf("%s is %s (%s), saved %q", id, r.Status, r.Reason, r.Params["subscription_id"])
	}
	if ops := w.vendor.Operations(); len(ops) > 0 {
		t.Errorf("the vendor was called: %+v", ops)
	}
}

// request is what Connect says of a request.
func (w *world) request(id string) connectsim.Request {
	w.t.Helper()
	for _, r := range w.connect.Requests() {
		if r.ID == id {
			return r
		}
	}
	w.t.Fatalf("there is no request %s", id)
	return connectsim.Request{}
}

func TestProfiles_CredentialsRefused_FailNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, connectsim.Options{Empty: true}, vendorsim.Options{APIKey: "t0ken"})
	w.environ = []string{"VENDOR_TOKEN=wrong"}
	w.withExample("asynchronous.yaml")
	w.connect.Load(connectsim.LoadOptions{Purchases: 2})
	stop := w.start()
	w.until("/readyz says why", func() bool {
		for name, part := range w.health.Report().Parts {
			if strings.HasPrefix(name, "vendor") && part.Fatal && strings.Contains(part.Reason, "401") {
				return true
			}
		}
		return false
	})
	stop()
	for _, r := range w.connect.Requests() {
		if r.Status != "pending" {
			t.Errorf("%s is %s: %s", r.ID, r.Status, r.Reason)
		}
	}
}

func TestProfiles_Wrong_StartsNothing(t *testing.T) {
	t.Parallel()
	for wrong, want := range map[string]string{
		"products: [{id: PRD-1, vendor: {endpoint: http://v}, purchase: {call: {method: POST, path: /, body: no}}}]":       "headrace.yaml:1: products[0].purchase.call.body: unknown name no",
		"products: [{id: PRD-1, vendor: {endpoint: http://v, auth: {type: bearer, token: {env: HEADRACE_TEST_NO_SUCH}}}}]": "HEADRACE_TEST_NO_SUCH is not set",
		"products: [{id: PRD-1, vendor: {endpoint: http://v, auth: {type: bearer, token: {file: /nowhere/at/all}}}}]":      "/nowhere/at/all",
	} {
		w := newWorld(t, connectsim.Options{}, vendorsim.Options{})
		w.withProfiles(wrong)
		err := app.New(w.cfg, logger(), telemetry.New(), telemetry.NewHealth()).Run(t.Context(), nil)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", wrong, err)
		}
		for _, c := range w.connect.Faults().Calls() {
			if c.Method != http.MethodGet {
				t.Errorf("%s: %s %s", wrong, c.Method, c.Path)
			}
		}
	}
}

// TestProfiles_WrongValue_AskedForAndAnswered has a purchase inquired by a rule
// of the profile, and approved once the customer has answered.
func TestProfiles_WrongValue_AskedForAndAnswered(t *testing.T) {
	t.Parallel()
	w := newWorld(t, connectsim.Options{Empty: true}, vendorsim.Options{})
	w.withProfiles(`
vendor: {endpoint: https://vendor.example/api}
products:
  - id: ` + profiled + `
    validation:
      - {param: admin_email, pattern: .+@ours\.example, message: Use an address of ours.}
`)
	w.connect.Load(connectsim.LoadOptions{Purchases: 2})
	stop := w.start()
	asked := func() (found *connectsim.Request) {
		for _, r := range w.connect.Requests() {
			if r.ProductID == profiled && r.Status == "inquiring" {
				found = &r
			}
		}
		return found
	}
	w.until("the customer is asked", func() bool { return asked() != nil })
	r := asked()
	if r.ParamErrors["admin_email"] != "Use an address of ours." || len(w.vendor.Operations()) > 0 {
		t.Errorf("errors %v, vendor %+v", r.ParamErrors, w.vendor.Operations())
	}
	if err := w.connect.Answer(r.ID, map[string]string{"admin_email": "me@ours.example"}); err != nil {
		t.Fatal(err)
	}
	w.until("nothing of the product is pending", func() bool {
		for _, one := range w.connect.Requests() {
			if one.ID == r.ID {
				return one.Status == "approved"
			}
		}
		return false
	})
	stop()
}
