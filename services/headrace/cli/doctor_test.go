package cli

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/headrace/headrace/pkg/broker"
	"github.com/headrace/headrace/pkg/config"
	"github.com/headrace/headrace/pkg/connectsim"
	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/pipelinetest"
	"github.com/headrace/headrace/pkg/stream"
	"github.com/headrace/headrace/pkg/stream/streamtest"
	"github.com/headrace/headrace/pkg/telemetry"
	"github.com/headrace/headrace/pkg/vendorsim"
)

// surroundings are a Connect and a vendor, and the settings for them.
func surroundings(t *testing.T) (*connectsim.Server, []string) {
	t.Helper()
	c := connectsim.New(connectsim.Options{APIKey: "SU-1:s3cr3t", Empty: true})
	connectServer := httptest.NewServer(c.Handler())
	t.Cleanup(connectServer.Close)
	vendorServer := httptest.NewServer(vendorsim.New(vendorsim.Options{}).Handler())
	t.Cleanup(vendorServer.Close)
	return c, []string{
		"HEADRACE_CONNECT_ENDPOINT=" + connectServer.URL + connectsim.BasePath, "HEADRACE_CONNECT_API_KEY=SU-1:s3cr3t",
		"HEADRACE_VENDOR_ENDPOINT=" + vendorServer.URL, "HEADRACE_HTTP_ADDR=off",
	}
}

// diagnose runs doctor and returns its findings as "status check: found".
func diagnose(t *testing.T, p *Program) (int, string) {
	t.Helper()
	got := p.try(t, "doctor", "--output", "json")
	var d diagnosis
	if err := json.Unmarshal([]byte(got.stdout), &d); err != nil {
		t.Fatalf("%v: %s%s", err, got.stdout, got.stderr)
	}
	if text := p.try(t, "doctor"); text.status != got.status || strings.Contains(text.stdout+text.stderr+got.stdout, "s3cr3t") {
		t.Errorf("as text: status %d, as JSON %d; or it shows the key:\n%s", text.status, got.status, text.stdout)
	}
	if len(d.Settings) == 0 {
		t.Error("no settings with their provenance")
	}
	var b strings.Builder
	for _, f := range d.Checks {
		if f.Status != checkOK && f.Mend == "" {
			t.Errorf("%v does not say how to mend it", f)
		}
		b.WriteString(f.Status + " " + f.Check + ": " + f.Found + "\n")
	}
	return got.status, b.String()
}

func TestDoctor_AllWell_Status0(t *testing.T) {
	t.Parallel()
	_, environ := surroundings(t)
	p, _, _ := subject(t, environ...)
	status, found := diagnose(t, p)
	if status != 0 || strings.Contains(found, checkFail) || strings.Contains(found, checkWarn) {
		t.Errorf("status %d:\n%s", status, found)
	}
	for _, check := range []string{"settings", "connect", "products", "templates", "vendor", "data", "broker", "sync"} {
		if !strings.Contains(found, "ok "+check+": ") {
			t.Errorf("%s is not checked:\n%s", check, found)
		}
	}
}

func TestDoctor_WhileUp_SeesTheBroker(t *testing.T) {
	t.Parallel()
	p := letters(t)
	_, environ := surroundings(t)
	health := telemetry.NewHealth()
	health.Set(telemetry.HealthVendor, false, false, "503 since noon")
	process := httptest.NewServer(health)
	t.Cleanup(process.Close)
	p.Environ = append(environ[:3:3], "HEADRACE_HTTP_ADDR="+strings.TrimPrefix(process.URL, "http://"))
	status, found := diagnose(t, p)
	for _, want := range []string{"ok data: ./data is in use by process", "ok broker: reached at", "FULFILLMENT_DEAD: 3 messages, kept for 2160h0m0s", "warn process: the one at", "503 since noon"} {
		if !strings.Contains(found, want) {
			t.Errorf("status %d, no %q in\n%s", status, want, found)
		}
	}
	if status != 0 {
		t.Errorf("status %d:\n%s", status, found)
	}
}

func TestDoctor_LimitsOfTheBroker_Compared(t *testing.T) {
	t.Parallel()
	p := letters(t)
	_, environ := surroundings(t)
	p.Environ = environ
	c, err := p.reach(t.Context(), config.Default())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	short := stream.Fulfillment(stream.Limits{})
	for i := range short.Streams {
		if short.Streams[i].Name == fulfillment.StreamResults {
			short.Streams[i].MaxAge, short.Streams[i].MaxBytes = time.Hour, 10_000
		}
	}
	if err := c.Apply(t.Context(), short); err != nil {
		t.Fatal(err)
	}
	pipelinetest.Append(t, c, stream.Message{Subject: "fulfillment.results.large", Body: make([]byte, 8_500)})
	status, found := diagnose(t, p)
	for _, want := range []string{
		"FAIL streams: results are kept for 1h0m0s, and requests for 720h0m0s", "warn streams: FULFILLMENT_RESULTS has 8",
	} {
		if status != 1 || !strings.Contains(found, want) {
			t.Errorf("status %d, no %q in\n%s", status, want, found)
		}
	}
}

func TestDoctor_StreamsAndConsumersByHand_AreTold(t *testing.T) {
	t.Parallel()
	p := letters(t)
	_, environ := surroundings(t)
	p.Environ = environ
	c, err := p.reach(t.Context(), config.Default())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Apply(t.Context(), declaration(config.Default())); err != nil {
		t.Fatal(err)
	}
	if status, found := diagnose(t, p); status != 0 || !strings.Contains(found, "ok declared: streams and consumers are as") {
		t.Errorf("status %d:\n%s", status, found)
	}
	access, err := broker.ReadAccess(p.path(config.Default().DataDir))
	if err != nil {
		t.Fatal(err)
	}
	hand := streamtest.NewHand(t, strings.Replace(access.URL, "://", "://"+access.User+":"+access.Password+"@", 1))
	hand.DeleteConsumer(fulfillment.StreamRequests, "purchase")
	hand.Pause(fulfillment.StreamRequests, "change", time.Hour)
	hand.NarrowConsumer(fulfillment.StreamRequests, "cancel")
	hand.DeleteStream(fulfillment.StreamDead)
	hand.MakeMemoryStream(fulfillment.StreamDead, fulfillment.RootDead+".>")
	status, found := diagnose(t, p)
	for _, want := range []string{
		"warn declared: consumers that are not there: purchase, note-held", "consumer change of FULFILLMENT_REQUESTS is paused until",
		"warn declared: consumer cancel of FULFILLMENT_REQUESTS: filter_subjects is [fulfillment.requests.nothing.>], declared",
		"FAIL declared: stream FULFILLMENT_DEAD: storage is Memory, declared File",
	} {
		if status != 1 || !strings.Contains(found, want) {
			t.Errorf("status %d, no %q in\n%s", status, want, found)
		}
	}
}

func TestDoctor_Trouble_NamedWithStatus1(t *testing.T) {
	t.Parallel()
	refusing := func(code int) string {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }))
		t.Cleanup(s.Close)
		return s.URL
	}
	tests := []struct {
		name   string
		change func(t *testing.T, c *connectsim.Server, p *Program) // adds to what is well
		status int
		want   string
	}{
		{"wrong key", env("HEADRACE_CONNECT_API_KEY=SU-1:wrong"), 1, "FAIL connect: http://"},
		{"Connect not there", env("HEADRACE_CONNECT_ENDPOINT=http://127.0.0.1:1"), 1, "FAIL connect: http://127.0.0.1:1: "},
		{"not Connect", env("HEADRACE_CONNECT_ENDPOINT=" + refusing(404)), 1, "is not Connect's API"},
		{"unknown product", env("HEADRACE_PRODUCTS=PRD-620-114-338"), 1, "FAIL products: HEADRACE_PRODUCTS names PRD-620-114-338, which the key does not see"},
		{"no template", func(_ *testing.T, c *connectsim.Server, _ *Program) {
			c.AddProduct(connectsim.Product{ID: "PRD-1", Name: "bare", Params: []connectsim.Param{{ID: "subscription_id", Phase: "fulfillment"}}})
		}, 1, "FAIL templates: PRD-1: there is no activation template"},
		{"no tenant parameter", func(_ *testing.T, c *connectsim.Server, _ *Program) {
			c.AddProduct(connectsim.Product{ID: "PRD-2", Name: "odd", Templates: []connectsim.Template{{Name: "only", Scope: "asset", Type: "fulfillment"}}})
		}, 0, "warn products: PRD-2 has no parameter subscription_id"},
		{"vendor not there", env("HEADRACE_VENDOR_ENDPOINT=http://127.0.0.1:1"), 1, "FAIL vendor: http://127.0.0.1:1 is not reached"},
		{"vendor refuses", env("HEADRACE_VENDOR_ENDPOINT=" + refusing(403)), 1, "refuses us with 403"},
		{"vendor is down", env("HEADRACE_VENDOR_ENDPOINT=" + refusing(503)), 0, "answers 503"},
		{"no idempotency", env("HEADRACE_VENDOR_IDEMPOTENCY=none"), 0, "warn vendor: all products: idempotency none"},
		{"lazy sync", env("HEADRACE_SYNC=2s"), 0, "warn sync: 2s: a power cut could lose what was acknowledged in the last 2s"},
		{"broker not there", env("HEADRACE_NATS_URL=127.0.0.1:1"), 1, "FAIL broker: connect to broker nats://127.0.0.1:1"},
		{"open listener", env("HEADRACE_NATS_LISTEN=0.0.0.0:4222"), 0, "warn broker: HEADRACE_NATS_LISTEN admits others at 0.0.0.0:4222 without TLS"},
		{"dry run", env("HEADRACE_DRY_RUN=true"), 0, "warn settings: dry run"},
		{"malformed setting", env("HEADRACE_SYNC=never"), 1, "FAIL settings: HEADRACE_SYNC \"never\" is neither always nor a duration"},
		{"missing settings", func(_ *testing.T, _ *connectsim.Server, p *Program) { p.Environ = nil }, 1, "FAIL settings: HEADRACE_VENDOR_ENDPOINT is not set"},
		{"data directory is a file", func(t *testing.T, _ *connectsim.Server, p *Program) {
			if err := os.WriteFile(filepath.Join(p.WorkDir, "data"), nil, 0o600); err != nil {
				t.Error(err)
			}
		}, 1, "FAIL data: ./data is not a directory"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c, environ := surroundings(t)
			p, _, _ := subject(t, environ...)
			tt.change(t, c, p)
			status, found := diagnose(t, p)
			if status != tt.status || !strings.Contains(found, tt.want) {
				t.Errorf("status %d, want %d; no %q in\n%s", status, tt.status, tt.want, found)
			}
		})
	}
}

// env adds variables; the last of a name counts.
func env(variables ...string) func(*testing.T, *connectsim.Server, *Program) {
	return func(_ *testing.T, _ *connectsim.Server, p *Program) { p.Environ = append(p.Environ, variables...) }
}
