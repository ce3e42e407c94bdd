package cli

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/headrace/headrace/pkg/stream"
)

func TestMain_WrongUse_SaysWhatToDo(t *testing.T) {
	t.Parallel()
	const broken = "HEADRACE_NATS_URL=nats://127.0.0.1:1"
	tests := []struct {
		args   string
		env    string
		status int
		stderr string // its first line
	}{
		{"ded", "", 2, `headrace: there is no command "headrace ded"; did you mean dead?`},
		{"dead", "", 2, `headrace: dead what? The commands are audit, discard, list, redrive, show`},
		{"dead lsit", "", 2, `headrace: there is no command "headrace dead lsit"; did you mean list?`},
		{"dead list x", "", 2, `headrace: headrace dead list takes no arguments, and was given "x"`},
		{"dead list --limit -1", "", 2, `headrace: --limit -1 is below zero`},
		{"dead list --output xml", "", 2, `headrace: invalid argument "xml" for "-o, --output" flag: "xml" is neither text nor json`},
		{"dead list --colour", "", 2, `headrace: unknown flag: --colour`},
		{"dead show", "", 2, `headrace: dead show takes one id, and was given 0`},
		{"dead list", "", 3, "headrace: no broker is running in "},
		{"dead show 1", broken, 3, "headrace: connect to broker nats://127.0.0.1:1: broker not reached: "},
		{"run", "", 2, `headrace: run needs the name of a service: fetcher, purchase, change, cancel, suspend, resume, adjustment, renew, transfer, tierconfig, committer`},
		{"run purhcase", "", 2, `headrace: there is no service "purhcase"; did you mean purchase?`},
		{"run everything", "", 2, `headrace: there is no service "everything"; the services are fetcher, `},
		{"run change change", "", 2, `headrace: change is named twice`},
		{"run change", "HEADRACE_CONNECT_API_KEY=SU-1:a", 2, "headrace: HEADRACE_VENDOR_ENDPOINT: is not set; "},
		{"run fetcher", "HEADRACE_CONNECT_API_KEY=SU-1:a", 2, "headrace: HEADRACE_NATS_URL: is not set; "},
		{"up", "", 2, "headrace: HEADRACE_CONNECT_API_KEY: is not set; "},
		{"up", "HEADRACE_SYNC=never", 2, `headrace: HEADRACE_SYNC: "never" is neither always nor a duration; `},
		{"up --config nowhere.yaml", "", 2, "headrace: --config: open "},
		{"demo --requests 4", "", 2, `headrace: --requests 4 is too few; there are five types, so give 5 or more`},
		{"sim vendor --idempotency yes", "", 2, `headrace: --idempotency "yes" is neither key nor none`},
		{"sim vendor --addr nowhere", "", 1, "headrace: listen on nowhere: "},
	}
	for _, tt := range tests {
		t.Run(tt.args, func(t *testing.T) {
			t.Parallel()
			got := headrace(t, strings.Fields(tt.env), strings.Fields(tt.args)...)
			if got.status != tt.status || !strings.HasPrefix(got.stderr, tt.stderr) {
				t.Errorf("status %d, want %d; stderr:\n%swant\n%s", got.status, tt.status, got.stderr, tt.stderr)
			}
			if got.stdout != "" {
				t.Errorf("stdout should be left to results: %s", got.stdout)
			}
			if usage := strings.Contains(got.stderr, "\nusage: headrace"); usage && got.status != 2 {
				t.Errorf("usage is shown for what is no fault of the command line:\n%s", got.stderr)
			}
		})
	}
}

func TestMain_ManyFaults_OneLineEach(t *testing.T) {
	t.Parallel()
	got := headrace(t, []string{"HEADRACE_SYNC=never", "HEADRACE_HTTP_ADDR=x"}, "up")
	lines := strings.Split(strings.TrimSpace(got.stderr), "\n")
	if len(lines) != 4 || slices.ContainsFunc(lines, func(l string) bool { return !strings.HasPrefix(l, "headrace: HEADRACE_") }) {
		t.Errorf("want a line for each of two malformed and two missing settings:\n%s", got.stderr)
	}
}

const complete = "HEADRACE_CONNECT_API_KEY=SU-1:s3cr3t HEADRACE_VENDOR_ENDPOINT=http://v HEADRACE_NATS_URL=nats://n HEADRACE_CONCURRENCY=5"

func TestRun_Services_GetSettings(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		args string
		want []string
	}{{"up", nil}, {"run purchase committer", []string{"purchase", "committer"}}} {
		p, _, errs := subject(t, strings.Fields(complete)...)
		var got Run
		p.Services = func(_ context.Context, r Run) error { got = r; return nil }
		if status := p.Run(t.Context(), strings.Fields(tt.args)); status != 0 {
			t.Fatalf("%s: status %d: %s", tt.args, status, errs)
		}
		if diff := cmp.Diff(tt.want, got.Services); diff != "" || got.Config.Concurrency.For("change") != 5 || got.Metrics == nil || got.Health == nil {
			t.Errorf("%s: services %v, config %v", tt.args, got.Services, got.Config)
		}
	}
}

func TestRun_Stopped_Drains(t *testing.T) {
	t.Parallel()
	p, _, errs := subject(t, strings.Fields(complete)...)
	ctx, stop := context.WithCancel(t.Context())
	drained := false
	p.Services = func(ctx context.Context, _ Run) error {
		stop()
		<-ctx.Done()
		drained = true
		return nil
	}
	if status := p.Run(ctx, []string{"up"}); status != 0 || !drained {
		t.Errorf("status %d, drained %v", status, drained)
	}
	waitFor(t, func() bool { return strings.Contains(errs.String(), `"msg":"draining`) }, errs)
	for line := range strings.Lines(errs.String()) {
		var fields map[string]any
		if err := json.Unmarshal([]byte(line), &fields); err != nil || fields["level"] != "info" {
			t.Errorf("not a line of JSON, as off a terminal: %s", line)
		}
	}
}

func TestRun_ServicesFail_StatusByCause(t *testing.T) {
	t.Parallel()
	for status, err := range map[int]error{
		1: errors.New("disk is full"),
		3: errors.Join(stream.ErrUnreachable, errors.New("no servers")),
	} {
		p, _, errs := subject(t, append(strings.Fields(complete), "HEADRACE_LOG_LEVEL=error")...)
		p.Services = func(context.Context, Run) error { return err }
		if got := p.Run(t.Context(), []string{"up"}); got != status {
			t.Errorf("%v: status %d, want %d", err, got, status)
		}
		if lines := strings.Count(errs.String(), "\n"); lines != 1 {
			t.Errorf("an error is told once, in one line:\n%s", errs)
		}
	}
}

func TestCompletion_Services_Completed(t *testing.T) {
	t.Parallel()
	got := headrace(t, nil, "__complete", "run", "fetcher", "")
	words := strings.Fields(strings.Split(got.stdout, ":")[0])
	if diff := cmp.Diff([]string{"purchase", "change", "cancel", "suspend", "resume", "adjustment", "renew", "transfer", "tierconfig", "committer"}, words); diff != "" {
		t.Error(diff)
	}
	if got := headrace(t, nil, "__complete", "dead", "list", "--output", ""); !strings.HasPrefix(got.stdout, "text\njson\n") {
		t.Errorf("--output completes to %q", got.stdout)
	}
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		if got := headrace(t, nil, "completion", shell); got.status != 0 || !strings.Contains(got.stdout, "headrace") {
			t.Errorf("completion %s: status %d, %s", shell, got.status, got.stderr)
		}
	}
}

func TestVersion_JSON_HasFields(t *testing.T) {
	t.Parallel()
	got := headrace(t, nil, "version", "--output", "json")
	var v map[string]string
	if err := json.Unmarshal([]byte(got.stdout), &v); err != nil {
		t.Fatal(err)
	}
	for _, field := range []string{"version", "commit", "go", "platform"} {
		if v[field] == "" {
			t.Errorf("no %s in %s", field, got.stdout)
		}
	}
}

// TestHelp_Pages_AsReviewed compares every page of help with testdata/help;
// UPDATE_GOLDEN=1 writes them, to be read before they are committed.
func TestHelp_Pages_AsReviewed(t *testing.T) {
	t.Parallel()
	for _, page := range []string{
		"", "up", "run", "requests", "requests list", "requests show", "dead", "dead list", "dead show", "dead redrive", "dead discard", "doctor", "profile", "profile check", "profile try", "health", "sim", "sim connect", "sim vendor", "demo", "version", "settings",
	} {
		name := filepath.Join("testdata", "help", strings.ReplaceAll("headrace "+page, " ", "-")+".txt")
		name = strings.Replace(name, "-.txt", ".txt", 1)
		got := headrace(t, nil, append([]string{"help"}, strings.Fields(page)...)...)
		if got.status != 0 || got.stderr != "" {
			t.Errorf("help %s: status %d, %s", page, got.status, got.stderr)
		}
		if os.Getenv("UPDATE_GOLDEN") != "" {
			if err := os.WriteFile(name, []byte(got.stdout), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), got.stdout); diff != "" {
			t.Errorf("help %s (-reviewed +now):\n%s", page, diff)
		}
		for line := range strings.Lines(got.stdout) {
			if len([]rune(line)) > 121 {
				t.Errorf("help %s is too wide: %s", page, line)
			}
		}
	}
}
