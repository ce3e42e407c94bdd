package cli

import (
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/headrace/headrace/pkg/telemetry"
)

func TestHealth_OfAProcess_FollowsReadyz(t *testing.T) {
	t.Parallel()
	h := telemetry.NewHealth(telemetry.HealthBroker, telemetry.HealthConnect)
	s := httptest.NewServer(h)
	defer s.Close()
	environ := []string{"HEADRACE_HTTP_ADDR=" + s.Listener.Addr().String()}
	if got := headrace(t, environ, "health"); got.status != statusFailed || got.stderr != "headrace: not ready: broker: starting; connect: starting\n" {
		t.Errorf("starting: %+v", got)
	}
	h.Set(telemetry.HealthBroker, true, false, "")
	h.Set(telemetry.HealthConnect, false, false, "it answers 503")
	if got := headrace(t, environ, "health"); got.status != statusDone || got.stdout != "ready\n" {
		t.Errorf("ready, with an upstream in trouble: %+v", got)
	}
	s.Close()
	if got := headrace(t, environ, "health"); got.status != statusFailed || !strings.Contains(got.stderr, "ask for health") {
		t.Errorf("nobody there: %+v", got)
	}
}

func TestHealth_OfAURL_WantsStatus200(t *testing.T) {
	t.Parallel()
	h := telemetry.NewHealth(telemetry.HealthBroker)
	s := httptest.NewServer(h)
	defer s.Close()
	if got := headrace(t, nil, "health", s.URL); got.status != statusFailed || !strings.Contains(got.stderr, "503") {
		t.Errorf("503: %+v", got)
	}
	h.Set(telemetry.HealthBroker, true, false, "")
	if got := headrace(t, nil, "health", s.URL); got.status != statusDone {
		t.Errorf("200: %+v", got)
	}
	if got := headrace(t, nil, "health", "a", "b"); got.status != statusUsage {
		t.Errorf("two URLs: %+v", got)
	}
}
