package telemetry_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/headrace/headrace/pkg/telemetry"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// get asks a server once, on a connection of its own.
func get(t *testing.T, url string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	tr := &http.Transport{DisableKeepAlives: true}
	defer tr.CloseIdleConnections()
	res, err := (&http.Client{Transport: tr}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(body)
}

func TestHealth_Reports_DecideReadiness(t *testing.T) {
	t.Parallel()
	h := telemetry.NewHealth(telemetry.HealthBroker)
	steps := []struct {
		name   string
		report func()
		ready  bool
		reason string
		part   string
	}{
		{"nothing reported yet", func() {}, false, "starting", "broker"},
		{"broker reached", func() { h.Set("broker", true, false, "") }, true, "", "broker"},
		{"Connect is slow", func() { h.Set("connect", false, false, "503 for 2m") }, true, "503 for 2m", "connect"},
		{"Connect refuses the key", func() { h.Set("connect", false, true, "401: key refused") }, false, "401: key refused", "connect"},
		{"key mended", func() { h.Set("connect", true, true, "") }, true, "", "connect"},
		{"broker lost", func() { h.Set("broker", false, true, "no servers") }, false, "no servers", "broker"},
		{"expected again changes nothing", func() { h.Set("broker", true, false, ""); h.Expect("broker") }, true, "", "broker"},
	}
	for _, s := range steps {
		s.report()
		r := h.Report()
		if r.Ready != s.ready || r.Parts[s.part].Reason != s.reason {
			t.Errorf("%s: ready %v, reason %q; want %v, %q", s.name, r.Ready, r.Parts[s.part].Reason, s.ready, s.reason)
		}
	}
}

func TestListen_Pages_Answer(t *testing.T) {
	t.Parallel()
	h := telemetry.NewHealth(telemetry.HealthBroker)
	s, err := telemetry.Listen(t.Context(), ":0", telemetry.Handler(telemetry.New(), h))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Close(context.Background()); err != nil {
			t.Error(err)
		}
	}()
	if !strings.HasPrefix(s.Addr, "127.0.0.1:") {
		t.Errorf("listens on %s; want the loopback interface alone", s.Addr)
	}
	if code, body := get(t, "http://"+s.Addr+"/livez"); code != 200 || body != "ok\n" {
		t.Errorf("livez: %d %q", code, body)
	}
	code, body := get(t, "http://"+s.Addr+"/readyz")
	var r telemetry.Report
	if err := json.Unmarshal([]byte(body), &r); err != nil || code != 503 || r.Parts["broker"].Reason != "starting" {
		t.Errorf("readyz before the broker: %d %s (%v)", code, body, err)
	}
	h.Set("broker", true, false, "")
	if code, _ := get(t, "http://"+s.Addr+"/readyz"); code != 200 {
		t.Errorf("readyz: %d, want 200", code)
	}
	if code, body := get(t, "http://"+s.Addr+"/metrics"); code != 200 || !strings.Contains(body, "go_goroutines") {
		t.Errorf("metrics: %d %.80q", code, body)
	}
}

func TestListen_PortInUse_NamesTheSetting(t *testing.T) {
	t.Parallel()
	first, err := telemetry.Listen(t.Context(), "", http.NotFoundHandler())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = first.Close(context.Background()) }()
	_, err = telemetry.Listen(t.Context(), first.Addr, http.NotFoundHandler())
	if err == nil || !strings.Contains(err.Error(), "HEADRACE_HTTP_ADDR") || !strings.Contains(err.Error(), "another process") {
		t.Errorf("error: %v", err)
	}
}
