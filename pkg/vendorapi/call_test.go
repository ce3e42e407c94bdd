package vendorapi_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/headrace/headrace/pkg/simfault"
	"github.com/headrace/headrace/pkg/vendorapi"
	"github.com/headrace/headrace/pkg/vendorsim"
)

func TestDo_AnyCall_IsMadeAsTold(t *testing.T) {
	t.Parallel()
	var got *http.Request
	var body []byte
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r
		body, _ = io.ReadAll(r.Body)
		w.WriteHeader(http.StatusAccepted)
		_, _ = io.WriteString(w, `{"ok":true}`)
	}))
	defer s.Close()
	c, err := vendorapi.New(s.URL + "/v2")
	if err != nil {
		t.Fatal(err)
	}
	a, err := c.Do(t.Context(), vendorapi.Call{
		Method: "PATCH", Path: "/seats/a%2Fb?x=1", Route: "/seats/{tenant}", Key: "PR-1",
		Header: http.Header{"X-Trace": {"1"}}, Body: map[string]any{"n": 1.5},
	})
	if err != nil || a.Status != http.StatusAccepted || string(a.Body) != `{"ok":true}` {
		t.Fatalf("answer %+v, %v", a, err)
	}
	if got.Method != "PATCH" || got.RequestURI != "/v2/seats/a%2Fb?x=1" || string(body) != `{"n":1.5}` {
		t.Errorf("%s %s with %s", got.Method, got.RequestURI, body)
	}
	if got.Header.Get("X-Trace") != "1" || got.Header.Get("Idempotency-Key") != "PR-1" {
		t.Errorf("headers %v", got.Header)
	}
}

type noCredentials struct{ status int }

func (n noCredentials) RoundTrip(*http.Request) (*http.Response, error) {
	e := &vendorapi.CredentialsError{Err: errors.New("nobody gives any")}
	if n.status != 0 {
		e.Response = &http.Response{StatusCode: n.status, Header: http.Header{"Retry-After": {"7"}}}
	}
	return nil, e
}

func TestDo_NoCredentials_IsOurFaultOrTheirs(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]vendorapi.Kind{
		400: vendorapi.Unauthorized, 401: vendorapi.Unauthorized, 403: vendorapi.Unauthorized,
		429: vendorapi.RateLimited, 500: vendorapi.Unavailable, 0: vendorapi.Network,
	} {
		observed := -1
		c, err := vendorapi.New("http://vendor.example", vendorapi.WithTransport(noCredentials{status}),
			vendorapi.WithObserver(func(_, _ string, status int, _ time.Duration) { observed = status }))
		if err != nil {
			t.Fatal(err)
		}
		_, err = c.Do(t.Context(), vendorapi.Call{Method: http.MethodPost, Path: "/"})
		var e *vendorapi.Error
		if !errors.As(err, &e) || e.Kind != want || e.Outcome() != vendorapi.NotDone {
			t.Errorf("%d: %v, kind %v", status, err, e.Kind)
		}
		if (observed == http.StatusUnauthorized) != (want == vendorapi.Unauthorized) {
			t.Errorf("%d was observed as %d", status, observed)
		}
	}
}

// net/http repeats by itself what has this header, as it does with the one of ours.
func TestDo_OwnKeyHeaderAndDroppedConnection_IsNotRepeated(t *testing.T) {
	t.Parallel()
	vendor, client := newVendor(t, vendorsim.Options{Idempotency: vendorsim.IdempotencyNone})
	if _, err := client.GetTenant(t.Context(), "PR-0", "T-0"); err == nil { // only connections that were used count
		t.Fatal("found a tenant")
	}
	if err := vendor.Faults().Set([]simfault.Fault{{Method: "POST", Drop: simfault.DropAfter, Times: 1}}); err != nil {
		t.Fatal(err)
	}
	_, err := client.Do(t.Context(), vendorapi.Call{
		Method: "POST", Path: "/tenant", Route: "/tenant", Header: http.Header{"X-Idempotency-Key": {"PR-1"}}, Body: order("AS-1"),
	})
	if e := failure(t, err); e.Outcome() != vendorapi.Unknown || len(vendor.Tenants()) != 1 {
		t.Errorf("%d tenants, error %+v", len(vendor.Tenants()), e)
	}
}
