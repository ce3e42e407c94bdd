package upstream_test

import (
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"
	"time"

	"github.com/headrace/headrace/pkg/pipelinetest"
	"github.com/headrace/headrace/pkg/upstream"
)

func TestGate_RetryAfter_HoldsForAllCalls(t *testing.T) {
	t.Parallel()
	calls := 0
	status, header := http.StatusTooManyRequests, "1"
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		calls++
		w.Header().Set("Retry-After", header)
		w.WriteHeader(status)
	}))
	defer server.Close()
	client := &http.Client{Transport: upstream.NewGate(upstream.New(upstream.Options{}), http.DefaultTransport)}
	get := func() error {
		resp, err := client.Get(server.URL)
		if err == nil {
			_ = resp.Body.Close()
		}
		return err
	}
	if err := get(); err != nil {
		t.Fatalf("the answer that asks for the pause is handed on: %v", err)
	}
	for range 5 {
		until, closed := upstream.ClosedUntil(get())
		if left := time.Until(until); !closed || left < 500*time.Millisecond || left > 2*time.Second {
			t.Fatalf("closed %v for %s, want for little more than a second", closed, left)
		}
	}
	if calls != 1 {
		t.Errorf("%d calls, want 1: the pause holds for all", calls)
	}
	status = http.StatusOK
	pipelinetest.Until(t, "it opens again", func() bool { return get() == nil })
}

func TestGate_OneFailure_KeepsItOpen(t *testing.T) {
	t.Parallel()
	for status, header := range map[int]string{200: "60", 500: "60", 404: "60", 401: "", 503: "soon"} {
		calls := 0
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			calls++
			w.Header().Set("Retry-After", header)
			w.WriteHeader(status)
		}))
		client := &http.Client{Transport: upstream.NewGate(upstream.New(upstream.Options{}), http.DefaultTransport)}
		for range 2 {
			resp, err := client.Get(server.URL)
			if err != nil {
				t.Fatalf("%d with %q: %v", status, header, err)
			}
			_ = resp.Body.Close()
		}
		server.Close()
		if calls != 2 {
			t.Errorf("%d with %q: %d calls, want 2", status, header, calls)
		}
	}
}

func TestRetryAfter_Forms(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	for value, want := range map[string]time.Duration{
		"": 0, "7": 7 * time.Second, "1.5": 1500 * time.Millisecond, "-3": 0, "0": 0, "NaN": 0, "soon": 0,
		"1e99": time.Hour, "172800": time.Hour,
		now.AddDate(9, 0, 0).Format(http.TimeFormat):  time.Hour,
		now.Add(time.Minute).Format(http.TimeFormat):  time.Minute,
		now.Add(-time.Minute).Format(http.TimeFormat): 0,
	} {
		h := http.Header{"Retry-After": {value}}
		if got := upstream.RetryAfter(h, now); got != want {
			t.Errorf("RetryAfter(%s) = %s, want %s", strconv.Quote(value), got, want)
		}
	}
}
