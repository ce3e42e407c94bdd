package vendorsim_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/headrace/headrace/pkg/vendorsim"
)

const order = `{"externalId":"AS-1","requestId":"PR-1","product":{"id":"PRD-1","name":"Zürich"},
	"items":[{"id":"i1","mpn":"M","quantity":2.5,"oldQuantity":0},{"id":"i2","mpn":"N","quantity":"unlimited","oldQuantity":1}],
	"customer":{"id":"TA-1","externalId":"e","name":"n","email":"m"},"parameters":{"region":"eu"}}`

// vendor is a server with a client.
type vendor struct {
	*vendorsim.Server
	url string
}

func newVendor(t *testing.T, opts vendorsim.Options) *vendor {
	t.Helper()
	s := vendorsim.New(opts)
	server := httptest.NewServer(s.Handler())
	t.Cleanup(server.Close)
	return &vendor{s, server.URL}
}

// send makes one call with an idempotency key, if not empty, and returns the answer and its body.
func (v *vendor) send(t *testing.T, method, path, key, body string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, v.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if key != "" {
		req.Header.Set("Idempotency-Key", key)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(answer)
}

func (v *vendor) mustSend(t *testing.T, want int, method, path, key, body string) string {
	t.Helper()
	res, answer := v.send(t, method, path, key, body)
	if res.StatusCode != want {
		t.Fatalf("%s %s: status %d, want %d; %s", method, path, res.StatusCode, want, answer)
	}
	return answer
}

func (v *vendor) kinds() string {
	var kinds []string
	for _, op := range v.Operations() {
		kinds = append(kinds, op.Kind)
	}
	return strings.Join(kinds, " ")
}

func TestServer_Lifecycle_FollowsTheTable(t *testing.T) {
	t.Parallel()
	v := newVendor(t, vendorsim.Options{})
	var made vendorsim.Tenant
	if err := json.Unmarshal([]byte(v.mustSend(t, 201, "POST", "/tenant", "PR-1", order)), &made); err != nil {
		t.Fatal(err)
	}
	want := vendorsim.Tenant{
		ID: "T-1", Status: "ready", State: "active", ExternalID: "AS-1", RequestID: "PR-1",
		Product:    vendorsim.Product{ID: "PRD-1", Name: "Zürich"},
		Items:      []vendorsim.Item{{ID: "i1", MPN: "M", Quantity: "2.5", OldQuantity: "0"}, {ID: "i2", MPN: "N", Quantity: "unlimited", OldQuantity: "1"}},
		Customer:   vendorsim.Customer{ID: "TA-1", ExternalID: "e", Name: "n", Email: "m"},
		Parameters: map[string]any{"region": "eu"}, Created: made.Created,
	}
	if diff := cmp.Diff(want, made); diff != "" {
		t.Fatalf("tenant (-want +got):\n%s", diff)
	}
	v.mustSend(t, 200, "PUT", "/tenant/T-1", "PR-2", `{"requestId":"PR-2","items":[{"id":"i1","quantity":7}]}`)
	if got, _ := v.Tenant("T-1"); len(got.Items) != 1 || got.Items[0].Quantity != "7" || got.ExternalID != "AS-1" {
		t.Errorf("after PUT: %+v", got)
	}
	v.mustSend(t, 204, "PUT", "/tenant/T-1/disable", "PR-3", "")
	if got, _ := v.Tenant("T-1"); got.State != vendorsim.StateSuspended {
		t.Errorf("after disable: %s", got.State)
	}
	v.mustSend(t, 204, "PUT", "/tenant/T-1/enable", "PR-4", "")
	v.mustSend(t, 200, "GET", "/tenant/T-1", "", "")
	v.mustSend(t, 204, "DELETE", "/tenant/T-1", "PR-5", "")
	for method, path := range map[string]string{"GET": "/tenant/T-1", "DELETE": "/tenant/T-1", "PUT": "/tenant/T-1/enable"} {
		v.mustSend(t, 404, method, path, "PR-6", "")
	}
	if got, ok := v.Tenant("T-1"); !ok || got.State != vendorsim.StateDeleted || len(v.Tenants()) != 1 {
		t.Errorf("after DELETE: %v %+v", ok, got)
	}
	if got := v.kinds(); got != "create update disable enable delete" {
		t.Errorf("operations %s", got)
	}
	if op := v.Operations()[0]; op.TenantID != "T-1" || op.ExternalID != "AS-1" || op.RequestID != "PR-1" || op.IdempotencyKey != "PR-1" {
		t.Errorf("operation %+v", op)
	}
}

func TestServer_SameKey_ReplaysOrRepeats(t *testing.T) {
	t.Parallel()
	for mode, tenants := range map[string]int{vendorsim.IdempotencyKey: 1, vendorsim.IdempotencyNone: 2} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			v := newVendor(t, vendorsim.Options{Idempotency: mode})
			v.mustSend(t, 422, "POST", "/tenant", "PR-1", `{}`) // a failure is not replayed
			_, first := v.send(t, "POST", "/tenant", "PR-1", order)
			res, second := v.send(t, "POST", "/tenant", "PR-1", order)
			replayed := res.Header.Get("Idempotency-Replayed") == "true"
			if len(v.Tenants()) != tenants || (first == second) != (tenants == 1) || replayed != (tenants == 1) {
				t.Errorf("%d tenants; first %s second %s", len(v.Tenants()), first, second)
			}
		})
	}
}

func TestServer_SameKeyAtOnce_HasOneEffect(t *testing.T) {
	t.Parallel()
	v := newVendor(t, vendorsim.Options{Work: 20 * time.Millisecond})
	var wg sync.WaitGroup
	for range 10 {
		wg.Go(func() {
			if res, body := v.send(t, "POST", "/tenant", "PR-1", order); res.StatusCode != 201 {
				t.Errorf("status %d: %s", res.StatusCode, body)
			}
		})
	}
	wg.Wait()
	if ops := v.Operations(); len(ops) != 1 || ops[0].End.Sub(ops[0].Start) < 20*time.Millisecond {
		t.Errorf("operations %+v", ops)
	}
}

func TestServer_TwoAtOnce_Overlap(t *testing.T) {
	t.Parallel()
	v := newVendor(t, vendorsim.Options{Work: 200 * time.Millisecond})
	v.Add(vendorsim.Tenant{ID: "T-9", ExternalID: "AS-9"}, vendorsim.Tenant{ID: "T-8", ExternalID: "AS-8"})
	var wg sync.WaitGroup
	for _, path := range []string{"/tenant/T-9/disable", "/tenant/T-9/enable", "/tenant/T-8/enable"} {
		wg.Go(func() { v.mustSend(t, 204, "PUT", path, "", "") })
	}
	wg.Wait()
	v.mustSend(t, 204, "PUT", "/tenant/T-9/disable", "", "") // by itself: no overlap
	if pairs := v.Overlaps(); len(pairs) != 1 || pairs[0][0].ExternalID != "AS-9" {
		t.Errorf("overlaps %+v", pairs)
	}
}

func TestServer_Async_IsReadyLater(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	clock := func() time.Time { mu.Lock(); defer mu.Unlock(); return now }
	v := newVendor(t, vendorsim.Options{Async: time.Minute, Now: clock})
	v.mustSend(t, 201, "POST", "/tenant", "", order)
	v.mustSend(t, 201, "POST", "/tenant", "", strings.Replace(order, `"eu"`, `"status: failed"`, 1))
	for _, want := range [][2]string{{"processing", "processing"}, {"ready", "failed"}} {
		first, _ := v.Tenant("T-1")
		second, _ := v.Tenant("T-2")
		if got := [2]string{first.Status, second.Status}; got != want {
			t.Errorf("at %v: %v, want %v", now, got, want)
		}
		mu.Lock()
		now = now.Add(time.Minute)
		mu.Unlock()
	}
}

func TestServer_Slow_TakesSoLong(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	clock := func() time.Time { mu.Lock(); defer mu.Unlock(); return now }
	pass := func(d time.Duration) { mu.Lock(); defer mu.Unlock(); now = now.Add(d) }
	v := newVendor(t, vendorsim.Options{Async: time.Second, Now: clock})
	slow := strings.Replace(order, `"eu"`, `"slow: 8s"`, 1)
	for _, call := range [][2]string{{"POST", "/tenant"}, {"PUT", "/tenant/T-1"}} {
		v.mustSend(t, map[string]int{"POST": 201, "PUT": 200}[call[0]], call[0], call[1], "", slow)
		for _, want := range []string{"processing", "ready"} {
			if got, _ := v.Tenant("T-1"); got.Status != want {
				t.Errorf("%s at %v: %s, want %s", call[0], now, got.Status, want)
			}
			pass(8 * time.Second)
		}
	}
}

func TestServer_BadBodies_AreRefused(t *testing.T) {
	t.Parallel()
	v := newVendor(t, vendorsim.Options{})
	v.Add(vendorsim.Tenant{ID: "T-9"})
	for _, c := range []struct {
		body, message string
		status        int
	}{
		{`{`, "cannot be read", 400},
		{`null`, "is null", 400},
		{`{"externalId":7}`, "cannot be read", 400},
		{`{"externalId":"a","items":[{"id":7}]}`, "cannot be read", 400},
		{`{"externalId":"a","items":[{"quantity":"7"}]}`, `quantity "7" is neither`, 422},
		{`{"externalId":"a","items":[{"quantity":-1}]}`, `quantity -1 is neither`, 422},
		{`{"externalId":"a","parameters":{"x":"reject: no Ümlauts"}}`, `{"message":"no Ümlauts"}`, 422},
		{`{"externalId":"a","parameters":{"x":"slow: soon"}}`, "invalid duration", 422},
		{`{"externalId":"a","parameters":{"x":"reject"}}`, "the order is rejected", 422},
	} {
		for method, path := range map[string]string{"POST": "/tenant", "PUT": "/tenant/T-9"} {
			if answer := v.mustSend(t, c.status, method, path, "k", c.body); !strings.Contains(answer, c.message) && !strings.Contains(answer, strings.ReplaceAll(c.message, `"`, `\"`)) {
				t.Errorf("%s %s: %s", method, c.body, answer)
			}
		}
	}
	v.mustSend(t, 422, "POST", "/tenant", "", `{"externalId":""}`)
	v.mustSend(t, 404, "PATCH", "/tenant", "", "")
	v.mustSend(t, 404, "GET", "/tenant/a/b/c", "", "")
	if got := v.kinds(); got != "" {
		t.Errorf("refused calls had effects: %s", got)
	}
	v.mustSend(t, 201, "POST", "/tenant", "", `{"externalId":"a","parameters":{"x":"rejection letter"}}`)
}

func TestServer_Lookup_FindsByExternalID(t *testing.T) {
	t.Parallel()
	v := newVendor(t, vendorsim.Options{Idempotency: vendorsim.IdempotencyNone})
	v.mustSend(t, 201, "POST", "/tenant", "", order)
	v.mustSend(t, 201, "POST", "/tenant", "", order)
	v.mustSend(t, 201, "POST", "/tenant", "", strings.Replace(order, "AS-1", "AS-2", 1))
	v.mustSend(t, 204, "DELETE", "/tenant/T-2", "", "")
	for query, want := range map[string]int{"": 2, "?externalId=AS-1": 1, "?externalId=AS-3": 0} {
		var found []vendorsim.Tenant
		body := v.mustSend(t, 200, "GET", "/tenant"+query, "", "")
		if err := json.Unmarshal([]byte(body), &found); err != nil || len(found) != want || found == nil {
			t.Errorf("%q: %s (%v)", query, body, err)
		}
	}
}

func TestServer_PathsAndIDs_AreTakenAsTheyCome(t *testing.T) {
	t.Parallel()
	v := newVendor(t, vendorsim.Options{Adopt: func(id string) (vendorsim.Tenant, bool) {
		return vendorsim.Tenant{ExternalID: "AS-5"}, strings.HasPrefix(id, "SEED-")
	}})
	v.Add(vendorsim.Tenant{ID: "a/b ü"})
	v.mustSend(t, 200, "GET", "/some/base/v1/tenant/a%2Fb%20%C3%BC", "", "")
	v.mustSend(t, 204, "PUT", "/base/tenant/a%2Fb%20%C3%BC/disable", "", "")
	v.mustSend(t, 404, "GET", "/tenant/OTHER", "", "")
	v.mustSend(t, 204, "DELETE", "/tenant/SEED-1", "", "")
	v.mustSend(t, 404, "DELETE", "/tenant/SEED-1", "", "")
}

func TestServer_APIKey_IsDemanded(t *testing.T) {
	t.Parallel()
	v := newVendor(t, vendorsim.Options{APIKey: "secret"})
	v.mustSend(t, 401, "GET", "/tenant/T-1", "", "")
	v.mustSend(t, 200, "GET", "/_sim/calls", "", "")
	v.mustSend(t, 200, "GET", "/_sim/tenants", "", "")
	req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, v.url+"/tenant", nil)
	req.Header.Set("Authorization", "Bearer secret")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	if res.StatusCode != 200 {
		t.Errorf("status %d", res.StatusCode)
	}
}

func TestServer_Reset_GoesBackToTheSeeds(t *testing.T) {
	t.Parallel()
	v := newVendor(t, vendorsim.Options{})
	seeds := v.Add(vendorsim.Tenant{ExternalID: "AS-9", Parameters: map[string]any{"a": "b"}})
	if seeds[0].ID != "T-1" {
		t.Errorf("seeds %+v", seeds)
	}
	v.mustSend(t, 201, "POST", "/tenant", "PR-1", order)
	v.mustSend(t, 204, "PUT", "/tenant/T-1/disable", "PR-2", "")
	var ops, tenants []any
	if err := json.Unmarshal([]byte(v.mustSend(t, 200, "GET", "/_sim/operations", "", "")), &ops); err != nil || len(ops) != 2 {
		t.Errorf("operations %v (%v)", ops, err)
	}
	v.mustSend(t, 204, "POST", "/_sim/reset", "", "")
	if err := json.Unmarshal([]byte(v.mustSend(t, 200, "GET", "/_sim/tenants", "", "")), &tenants); err != nil || len(tenants) != 1 {
		t.Errorf("tenants %v (%v)", tenants, err)
	}
	if got, _ := v.Tenant("T-1"); got.State != vendorsim.StateActive || len(v.Operations()) != 0 {
		t.Errorf("after reset: %+v, %v", got, v.Operations())
	}
	v.mustSend(t, 201, "POST", "/tenant", "PR-1", order) // the key is forgotten too
}

func TestServer_DroppedAfter_TookEffect(t *testing.T) {
	t.Parallel()
	v := newVendor(t, vendorsim.Options{})
	v.mustSend(t, 200, "PUT", "/_sim/faults", "", `{"method":"POST","path":"/tenant","drop":"after","times":1}`)
	req, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, v.url+"/tenant", strings.NewReader(order))
	req.Header.Set("IDEMPOTENCY-KEY", "PR-1")
	req.GetBody = nil // or net/http repeats the call by itself, for the key's sake
	if res, err := http.DefaultClient.Do(req); err == nil {
		_ = res.Body.Close()
		t.Fatal("the call was answered")
	}
	if len(v.Tenants()) != 1 {
		t.Fatalf("tenants %+v", v.Tenants())
	}
	if body := v.mustSend(t, 201, "POST", "/tenant", "PR-1", order); !strings.Contains(body, `"T-1"`) || len(v.Operations()) != 1 {
		t.Errorf("repeated: %s", body)
	}
}
