package vendorapi_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/headrace/headrace/pkg/simfault"
	"github.com/headrace/headrace/pkg/upstream"
	"github.com/headrace/headrace/pkg/vendorapi"
	"github.com/headrace/headrace/pkg/vendorsim"
)

// newVendor returns a simulated vendor and a client of it.
func newVendor(t *testing.T, opts vendorsim.Options, with ...vendorapi.Option) (*vendorsim.Server, *vendorapi.Client) {
	t.Helper()
	vendor := vendorsim.New(opts)
	return vendor, newClient(t, vendor.Handler(), with...)
}

// newClient returns a client of a handler, below the path /base.
func newClient(t *testing.T, h http.Handler, with ...vendorapi.Option) *vendorapi.Client {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	transport := vendorapi.NewTransport()
	t.Cleanup(transport.CloseIdleConnections)
	client, err := vendorapi.New(server.URL+"/base/", append([]vendorapi.Option{vendorapi.WithTransport(transport)}, with...)...)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// failure returns the *Error that err must be.
func failure(t *testing.T, err error) *vendorapi.Error {
	t.Helper()
	var e *vendorapi.Error
	if !errors.As(err, &e) {
		t.Fatalf("error %v, want a *vendorapi.Error", err)
	}
	return e
}

func order(asset string) vendorapi.TenantBody {
	return vendorapi.TenantBody{ExternalID: asset, RequestID: "PR-1", Items: []vendorapi.Item{}, Parameters: map[string]any{}}
}

func TestClient_Lifecycle_Works(t *testing.T) {
	t.Parallel()
	vendor, client := newVendor(t, vendorsim.Options{NewID: func() string { return "a/b ?%ü" }})
	ctx := t.Context()
	made, err := client.CreateTenant(ctx, "PR-1", order("AS-1"))
	if want := (vendorapi.Tenant{ID: "a/b ?%ü", Status: "ready"}); err != nil || made != want {
		t.Fatalf("created %+v, %v", made, err)
	}
	got, err := client.GetTenant(ctx, "PR-1", made.ID)
	if err != nil || got != made {
		t.Errorf("got %+v, %v", got, err)
	}
	if changed, err := client.UpdateTenant(ctx, "PR-2", made.ID, order("AS-1")); err != nil || changed != made {
		t.Errorf("changed %+v, %v", changed, err)
	}
	if err := client.DisableTenant(ctx, "PR-3", made.ID); err != nil {
		t.Errorf("disable: %v", err)
	}
	if err := client.EnableTenant(ctx, "PR-4", made.ID); err != nil {
		t.Errorf("enable: %v", err)
	}
	if err := client.DeleteTenant(ctx, "PR-5", made.ID); err != nil {
		t.Errorf("delete: %v", err)
	}
	if e := failure(t, client.DeleteTenant(ctx, "PR-6", made.ID)); e.Kind != vendorapi.NotFound || e.Outcome() != vendorapi.NotDone {
		t.Errorf("second delete: %+v", e)
	}
	for _, call := range vendor.Faults().Calls() {
		if !strings.HasPrefix(call.IdempotencyKey, "PR-") {
			t.Errorf("%s %s has key %q", call.Method, call.Path, call.IdempotencyKey)
		}
	}
	if len(vendor.Operations()) != 5 {
		t.Errorf("operations %+v", vendor.Operations())
	}
}

// One connection is used first, for net/http repeats calls by itself only on connections that were.
func TestClient_DroppedConnection_IsUnknownAndNotRepeated(t *testing.T) {
	t.Parallel()
	for drop, tenants := range map[string]int{simfault.DropBefore: 0, simfault.DropAfter: 1} {
		t.Run(drop, func(t *testing.T) {
			t.Parallel()
			vendor, client := newVendor(t, vendorsim.Options{Idempotency: vendorsim.IdempotencyNone})
			if _, err := client.GetTenant(t.Context(), "PR-0", "T-0"); err == nil {
				t.Fatal("found a tenant")
			}
			if err := vendor.Faults().Set([]simfault.Fault{{Method: "POST", Drop: drop, Times: 1}}); err != nil {
				t.Fatal(err)
			}
			_, err := client.CreateTenant(t.Context(), "PR-1", order("AS-1"))
			e := failure(t, err)
			if e.Kind != vendorapi.Network || e.NotSent || e.Outcome() != vendorapi.Unknown || e.Status != 0 {
				t.Errorf("error %+v", e)
			}
			if got := len(vendor.Tenants()); got != tenants {
				t.Errorf("%d tenants, want %d", got, tenants)
			}
			if calls := vendor.Faults().Calls(); len(calls) != 2 {
				t.Errorf("calls %+v", calls)
			}
		})
	}
}

func TestClient_Timeout_IsUnknown(t *testing.T) {
	t.Parallel()
	vendor, client := newVendor(t, vendorsim.Options{}, vendorapi.WithTimeout(2*time.Second)) // time enough for a busy machine to connect
	if err := vendor.Faults().Set([]simfault.Fault{{Latency: time.Hour, Effect: true}}); err != nil {
		t.Fatal(err)
	}
	_, err := client.CreateTenant(t.Context(), "PR-1", order("AS-1"))
	e := failure(t, err)
	if e.Kind != vendorapi.Network || e.Outcome() != vendorapi.Unknown || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %+v", e)
	}
	if len(vendor.Tenants()) != 1 {
		t.Error("the call had no effect")
	}
}

func TestClient_NothingSent_IsNotDone(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	refused := "http://" + listener.Addr().String()
	_ = listener.Close()
	// A server that speaks TLS with a certificate that nobody trusts.
	untrusted := httptest.NewUnstartedServer(http.NotFoundHandler())
	untrusted.Config.ErrorLog = log.New(io.Discard, "", 0) // it complains of the handshake
	untrusted.StartTLS()
	t.Cleanup(untrusted.Close)
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	for name, c := range map[string]struct {
		endpoint string
		ctx      context.Context
	}{
		"refused": {refused, t.Context()}, "tls": {untrusted.URL, t.Context()}, "cancelled": {refused, cancelled},
	} {
		client, err := vendorapi.New(c.endpoint)
		if err != nil {
			t.Fatal(err)
		}
		_, err = client.CreateTenant(c.ctx, "PR-1", order("AS-1"))
		if e := failure(t, err); e.Kind != vendorapi.Network || !e.NotSent || e.Outcome() != vendorapi.NotDone || e.Err == nil {
			t.Errorf("%s: error %+v", name, e)
		}
	}
}

// transport is a RoundTripper that knows nothing of connections.
type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestClient_TransportWithoutTrace_IsUnknown(t *testing.T) {
	t.Parallel()
	client := newClient(t, http.NotFoundHandler(), vendorapi.WithTransport(transport(func(*http.Request) (*http.Response, error) {
		return nil, errors.New("lost")
	})))
	if e := failure(t, client.EnableTenant(t.Context(), "PR-1", "T-1")); e.NotSent || e.Outcome() != vendorapi.Unknown {
		t.Errorf("error %+v", e)
	}
}

func TestClient_PauseAskedFor_IsNotDone(t *testing.T) {
	t.Parallel()
	vendor := vendorsim.New(vendorsim.Options{})
	gate := upstream.NewGate(upstream.New(upstream.Options{}), vendorapi.NewTransport())
	client := newClient(t, vendor.Handler(), vendorapi.WithTransport(gate))
	if err := vendor.Faults().Set([]simfault.Fault{{Status: 429, RetryAfter: "60"}}); err != nil {
		t.Fatal(err)
	}
	for _, sent := range []bool{true, false} {
		_, err := client.CreateTenant(t.Context(), "PR-1", order("AS-1"))
		e := failure(t, err)
		if e.Kind != vendorapi.RateLimited || e.NotSent == sent || e.Outcome() != vendorapi.NotDone || e.RetryAfter < 50*time.Second {
			t.Errorf("error %+v", e)
		}
	}
	if calls := vendor.Faults().Calls(); len(calls) != 1 {
		t.Errorf("calls %+v", calls)
	}
}

func TestClient_Statuses_AreClassified(t *testing.T) {
	t.Parallel()
	vendor, client := newVendor(t, vendorsim.Options{})
	for _, c := range []struct {
		status  int
		kind    vendorapi.Kind
		outcome vendorapi.Outcome
	}{
		{302, vendorapi.Unexpected, vendorapi.Unknown},
		{308, vendorapi.Unexpected, vendorapi.NotDone},
		{400, vendorapi.Rejected, vendorapi.NotDone},
		{401, vendorapi.Unauthorized, vendorapi.NotDone},
		{403, vendorapi.Unauthorized, vendorapi.NotDone},
		{404, vendorapi.NotFound, vendorapi.NotDone},
		{405, vendorapi.Unexpected, vendorapi.NotDone},
		{408, vendorapi.Unavailable, vendorapi.Unknown},
		{409, vendorapi.Conflict, vendorapi.NotDone},
		{422, vendorapi.Rejected, vendorapi.NotDone},
		{425, vendorapi.Unavailable, vendorapi.NotDone},
		{429, vendorapi.RateLimited, vendorapi.NotDone},
		{500, vendorapi.Unavailable, vendorapi.Unknown},
		{503, vendorapi.Unavailable, vendorapi.Unknown},
		{504, vendorapi.Unavailable, vendorapi.Unknown},
	} {
		fault := simfault.Fault{Status: c.status, Body: json.RawMessage(`{"message":"nö","error":"e"}`), RetryAfter: "7"}
		if err := vendor.Faults().Set([]simfault.Fault{fault}); err != nil {
			t.Fatal(err)
		}
		_, err := client.CreateTenant(t.Context(), "PR-1", order("AS-1"))
		want := &vendorapi.Error{
			Kind: c.kind, Status: c.status, Message: "nö", RetryAfter: 7 * time.Second, Method: "POST", Path: "/tenant",
		}
		e := failure(t, err)
		if diff := cmp.Diff(want, e); diff != "" || e.Outcome() != c.outcome {
			t.Errorf("%d: outcome %v, error (-want +got):\n%s", c.status, e.Outcome(), diff)
		}
	}
}

func TestClient_RedirectedPOST_IsNotFollowed(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var seen []string
	client := newClient(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		seen = append(seen, r.Method+" "+r.URL.Path)
		mu.Unlock()
		if strings.HasPrefix(r.URL.Path, "/base") {
			http.Redirect(w, r, "/elsewhere", http.StatusFound)
			return
		}
		_, _ = io.WriteString(w, `{"tenantId":"T-1"}`)
	}))
	_, err := client.CreateTenant(t.Context(), "PR-1", order("AS-1"))
	if e := failure(t, err); e.Kind != vendorapi.Unexpected || e.Status != 302 {
		t.Errorf("error %+v", e)
	}
	if got, err := client.GetTenant(t.Context(), "PR-1", "x"); err != nil || got.ID != "T-1" {
		t.Errorf("redirected GET: %+v, %v", got, err)
	}
	want := []string{"POST /base/tenant", "GET /base/tenant/x", "GET /elsewhere"}
	if diff := cmp.Diff(want, seen); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
}

// answers is a handler that always says the same.
func answers(status int, body string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	})
}

func TestClient_AnySuccess_IsTaken(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		status      int
		body        string
		made, asked vendorapi.Tenant
		unreadable  bool
	}{
		{200, `{"tenantId":17,"status":null}`, vendorapi.Tenant{ID: "17"}, vendorapi.Tenant{ID: "17"}, false},
		{202, `{"tenantId":"T","status":"pending"}`, vendorapi.Tenant{ID: "T", Status: "pending"}, vendorapi.Tenant{ID: "T", Status: "pending"}, false},
		{201, `{"status":{"a":1}}`, vendorapi.Tenant{Status: `{"a":1}`}, vendorapi.Tenant{ID: "x", Status: `{"a":1}`}, false},
		{201, `{"tenantId":{}}`, vendorapi.Tenant{}, vendorapi.Tenant{ID: "x"}, false},
		{200, `<html>`, vendorapi.Tenant{}, vendorapi.Tenant{ID: "x"}, true},
		{204, ``, vendorapi.Tenant{}, vendorapi.Tenant{ID: "x"}, true},
	} {
		client := newClient(t, answers(c.status, c.body))
		if made, err := client.CreateTenant(t.Context(), "k", order("a")); err != nil || made != c.made {
			t.Errorf("POST %s: %+v, %v", c.body, made, err)
		}
		if got, err := client.UpdateTenant(t.Context(), "k", "x", order("a")); err != nil || got != c.asked {
			t.Errorf("PUT %s: %+v, %v", c.body, got, err)
		}
		if err := client.DeleteTenant(t.Context(), "k", "x"); err != nil {
			t.Errorf("DELETE %s: %v", c.body, err)
		}
		got, err := client.GetTenant(t.Context(), "k", "x")
		if !c.unreadable && (err != nil || got != c.asked) {
			t.Errorf("GET %s: %+v, %v", c.body, got, err)
		}
		if c.unreadable && failure(t, err).Kind != vendorapi.Unexpected {
			t.Errorf("GET %s: %v", c.body, err)
		}
	}
}

func TestClient_AnswerBreaksOff_IsUnknownForCreate(t *testing.T) {
	t.Parallel()
	client := newClient(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		w.WriteHeader(http.StatusCreated)
		_, _ = io.WriteString(w, `{"tenantId":"T-1"`)
	}))
	_, err := client.CreateTenant(t.Context(), "PR-1", order("AS-1"))
	if e := failure(t, err); e.Kind != vendorapi.Network || e.Outcome() != vendorapi.Unknown || e.Status != 201 {
		t.Errorf("error %+v", e)
	}
	if err := client.DisableTenant(t.Context(), "PR-1", "T-1"); err != nil {
		t.Errorf("disable needs no body: %v", err)
	}
}

func TestClient_TenantIDs_ThatLeaveThePathAreRefused(t *testing.T) {
	t.Parallel()
	client := newClient(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("called") }))
	for _, id := range []string{"", ".", ".."} {
		err := client.DeleteTenant(t.Context(), "PR-1", id)
		if e := failure(t, err); !errors.Is(err, vendorapi.ErrTenantID) || e.Outcome() != vendorapi.NotDone {
			t.Errorf("%q: %+v", id, e)
		}
	}
}

func TestClient_ObserverAndHeaders_AreServed(t *testing.T) {
	t.Parallel()
	var seen []string
	headers := make(chan http.Header, 2)
	client := newClient(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		headers <- r.Header.Clone()
		if r.Method == http.MethodPut {
			panic(http.ErrAbortHandler)
		}
		w.WriteHeader(http.StatusTeapot)
	}), vendorapi.WithUserAgent("headrace/1"), vendorapi.WithObserver(func(method, route string, status int, d time.Duration) {
		seen = append(seen, method+" "+route+" "+http.StatusText(status))
		if d <= 0 {
			t.Errorf("duration %v", d)
		}
	}))
	_, _ = client.CreateTenant(t.Context(), "PR-1 \nü", order("a"))
	h := <-headers
	for name, want := range map[string]string{
		"Idempotency-Key": "PR-1%20%0A%C3%BC", "User-Agent": "headrace/1", "Accept": "application/json", "Content-Type": "application/json",
	} {
		if got := h.Get(name); got != want {
			t.Errorf("%s %q, want %q", name, got, want)
		}
	}
	_ = client.DisableTenant(t.Context(), "PR-1", "x")
	if diff := cmp.Diff([]string{"POST /tenant I'm a teapot", "PUT /tenant/{id}/disable "}, seen); diff != "" {
		t.Errorf("observed (-want +got):\n%s", diff)
	}
}

func TestClient_LargeAnswers_AreBoundedAndKeepTheConnection(t *testing.T) {
	t.Parallel()
	addrs := make(chan string, 2)
	client := newClient(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		addrs <- r.RemoteAddr
		w.WriteHeader(http.StatusInternalServerError)
		_, _ = io.WriteString(w, strings.Repeat("é", 600_000)) // 1.2 MB: beyond what is kept, within what is drained
	}))
	for range 2 {
		_, err := client.GetTenant(t.Context(), "k", "x")
		if e := failure(t, err); e.Message != strings.Repeat("é", 500) {
			t.Errorf("message of %d bytes", len(e.Message))
		}
	}
	if first, second := <-addrs, <-addrs; first != second {
		t.Error("the connection was not kept")
	}
}
