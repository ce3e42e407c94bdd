package config_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/headrace/headrace/pkg/config"
)

const goodKey = "SU-100-200-300:s3cr3t"

// sources writes a headrace.yaml into a fresh directory, unless it is empty.
func sources(t *testing.T, yaml string, environ ...string) config.Sources {
	t.Helper()
	dir := t.TempDir()
	if yaml != "" {
		write(t, filepath.Join(dir, "headrace.yaml"), yaml)
	}
	return config.Sources{WorkDir: dir, Environ: environ}
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestLoad_Nothing_IsDefault(t *testing.T) {
	t.Parallel()
	got, err := config.Load(sources(t, ""))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(config.Default().Settings(), got.Settings()); diff != "" {
		t.Error(diff)
	}
	if got.Concurrency.For("purchase") != 64 || !got.Sync.Always || got.Connect.PollInterval != 2*time.Minute {
		t.Errorf("defaults: %v", got)
	}
}

func TestLoad_Environment_OverridesFile(t *testing.T) {
	t.Parallel()
	src := sources(t, `
connect:
  endpoint: http://file.example/public/v1/
  api_key: ApiKey SU-1:file
  page_size: 50
vendor:
  endpoint: http://vendor.example/api
products: [PRD-1, PRD-2]
concurrency: 8
sync: 2s
dry_run: true
retention:
  max_bytes: 10GiB
nats:
log:
  level: debug
`, "HEADRACE_CONNECT_API_KEY=SU-2:env", "HEADRACE_CONNECT_ENDPOINT=https://env.example/v1",
		"HEADRACE_CONCURRENCY_PURCHASE=3", "HEADRACE_PRODUCTS=", "HEADRACE_SYNC=always", "UNRELATED=1",
		"HEADRACE_CONSOLE_SERVICE_HOST=10.0.0.1", "HEADRACE_CONSOLE_PORT_80_TCP=tcp://10.0.0.1:80")
	c, err := config.Load(src)
	if err != nil {
		t.Fatal(err)
	}
	got := []any{
		string(c.Connect.Endpoint), c.Connect.APIKey.Reveal(), c.Connect.PageSize, string(c.Vendor.Endpoint), c.Products,
		c.Concurrency.For("purchase"), c.Concurrency.For("change"), c.Sync.Always, c.DryRun, c.Retention.MaxBytes, c.Log.Level,
	}
	want := []any{
		"https://env.example/v1", "SU-2:env", 50, "http://vendor.example/api", []string{"PRD-1", "PRD-2"},
		3, 8, true, true, int64(10 << 30), "debug",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	origins := []string{
		c.Origin("connect.endpoint").String(), c.Origin("connect.page_size").String(),
		c.Origin("concurrency.default").String(), c.Origin("drain_timeout").String(),
	}
	want2 := []string{"HEADRACE_CONNECT_ENDPOINT", "headrace.yaml: connect.page_size", "headrace.yaml: concurrency", "default"}
	if diff := cmp.Diff(want2, origins); diff != "" {
		t.Error(diff)
	}
}

func TestLoad_KeyFile_WinsOverWeakerKey(t *testing.T) {
	t.Parallel()
	src := sources(t, "connect: {api_key: 'SU-1:file'}")
	name := filepath.Join(src.WorkDir, "key")
	write(t, name, "ApiKey "+goodKey+"\n")
	src.Environ = []string{"HEADRACE_CONNECT_API_KEY_FILE=key"}
	c, err := config.Load(src)
	if err != nil || c.Connect.APIKey.Reveal() != goodKey {
		t.Errorf("key file: %q, %v", c.Connect.APIKey.Reveal(), err)
	}
	src.Environ = []string{"HEADRACE_CONNECT_API_KEY=SU-2:env"}
	write(t, filepath.Join(src.WorkDir, "headrace.yaml"), "connect: {api_key_file: key}")
	if c, err = config.Load(src); err != nil || c.Connect.APIKey.Reveal() != "SU-2:env" {
		t.Errorf("key in the environment over a key file in the file: %q, %v", c.Connect.APIKey.Reveal(), err)
	}
	src = sources(t, "connect: {api_key_file: /nowhere}", "HEADRACE_CONNECT_API_KEY="+goodKey)
	c, err = config.Load(src)
	if err := errors.Join(err, c.Check(config.Need{Connect: true})); err != nil {
		t.Errorf("key in the environment over a key file in the file: %v", err)
	}
}

func TestLoad_ConfigFile_ByFlagThenVariable(t *testing.T) {
	t.Parallel()
	src := sources(t, "http_addr: 127.0.0.1:1")
	write(t, filepath.Join(src.WorkDir, "a.yaml"), "http_addr: 127.0.0.1:2")
	write(t, filepath.Join(src.WorkDir, "b.yaml"), "http_addr: 127.0.0.1:3")
	for want, change := range map[string]func(){
		"127.0.0.1:1": func() {},
		"127.0.0.1:2": func() { src.Environ = []string{"HEADRACE_CONFIG=a.yaml"} },
		"127.0.0.1:3": func() { src.Environ = []string{"HEADRACE_CONFIG=a.yaml"}; src.File = "b.yaml" },
	} {
		src.Environ, src.File = nil, ""
		change()
		if c, err := config.Load(src); err != nil || c.HTTPAddr != want {
			t.Errorf("got %s, want %s (%v)", c.HTTPAddr, want, err)
		}
	}
}

func TestLoad_Faults_SayWhatToDo(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, yaml string
		env        string // separated by spaces
		want       string
	}{
		{"no unit", "", "HEADRACE_CONNECT_POLL_INTERVAL=30",
			`HEADRACE_CONNECT_POLL_INTERVAL: "30" lacks a unit; write it like 30s, 30m or 30h`},
		{"no duration", "drain_timeout: soon", "",
			`headrace.yaml: drain_timeout: "soon" is not a duration; write it like 30s, 2m or 720h`},
		{"negative", "", "HEADRACE_CONNECT_POLL_INTERVAL=-2m",
			`HEADRACE_CONNECT_POLL_INTERVAL: "-2m" is too short; use 10ms or more`},
		{"sync off", "", "HEADRACE_SYNC=never",
			`HEADRACE_SYNC: "never" is neither always nor a duration; use always, or say with a duration like 2s how much a power cut may lose`},
		{"page size", "connect: {page_size: 1001}", "",
			`headrace.yaml: connect.page_size: "1001" is not a whole number from 1 to 1000; use one`},
		{"concurrency of a service", "", "HEADRACE_CONCURRENCY_CHANGE=0",
			`HEADRACE_CONCURRENCY_CHANGE: "0" is not a whole number from 1 to 10000; use one`},
		{"idempotency", "", "HEADRACE_VENDOR_IDEMPOTENCY=yes",
			`HEADRACE_VENDOR_IDEMPOTENCY: "yes" is unknown; use key or none`},
		{"log level", "", "HEADRACE_LOG_LEVEL=verbose",
			`HEADRACE_LOG_LEVEL: "verbose" is unknown; use trace, debug, info, warn or error`},
		{"no scheme", "", "HEADRACE_VENDOR_ENDPOINT=vendor.example/api",
			`HEADRACE_VENDOR_ENDPOINT: "vendor.example/api" does not begin with http:// or https://; write it like https://host:port/path`},
		{"no host", "", "HEADRACE_VENDOR_ENDPOINT=http:///api",
			`HEADRACE_VENDOR_ENDPOINT: "http:///api" names no host; write it like https://host:port/path`},
		{"query", "", "HEADRACE_CONNECT_ENDPOINT=http://a/b?c=d",
			`HEADRACE_CONNECT_ENDPOINT: "http://a/b?c=d" has a query or a fragment; give the base URL alone`},
		{"broker", "", "HEADRACE_NATS_URL=nats://a:4222,http://b",
			`HEADRACE_NATS_URL: "http://b" is not a broker's address; write it like nats://host:4222, several with commas`},
		{"address", "", "HEADRACE_HTTP_ADDR=8080",
			`HEADRACE_HTTP_ADDR: "8080" is not host:port; write it like 127.0.0.1:8080`},
		{"bool", "dry_run: maybe", "",
			`headrace.yaml: dry_run: "maybe" is neither true nor false; use one of them`},
		{"size", "retention: {max_bytes: much}", "",
			`headrace.yaml: retention.max_bytes: "much" is not a size; write it in bytes, or like 512MiB or 10GiB, 0 for no limit`},
		{"key, not repeated", "", "HEADRACE_CONNECT_API_KEY=s3cr3t",
			`HEADRACE_CONNECT_API_KEY: is not a Connect API key; a key looks like ApiKey SU-000-000-000:abcdef, copy it from Connect under Integrations, Tokens`},
		{"key twice", "", "HEADRACE_CONNECT_API_KEY=SU-1:a HEADRACE_CONNECT_API_KEY_FILE=b",
			`HEADRACE_CONNECT_API_KEY_FILE: is set together with HEADRACE_CONNECT_API_KEY; keep one of them`},
		{"misspelled variable", "", "HEADRACE_VENDOR_ENDPIONT=http://a",
			`HEADRACE_VENDOR_ENDPIONT: is not a setting; did you mean HEADRACE_VENDOR_ENDPOINT?`},
		{"misspelled key", "vendor: {endpont: 'http://a'}", "",
			`headrace.yaml: vendor.endpont: is not a setting; did you mean vendor.endpoint?`},
		{"strange key", "colour: red", "",
			`headrace.yaml: colour: is not a setting; remove it, or see the list with headrace help settings`},
		{"value for a block", "vendor: http://a", "",
			`headrace.yaml: vendor: is a block, not a value; put endpoint or idempotency below it`},
		{"block for a value", "data_dir: {path: x}", "",
			`headrace.yaml: data_dir.path: is not a setting; data_dir takes one value, not a block`},
		{"list for a value", "data_dir: [a]", "",
			`headrace.yaml: data_dir: is a list; give one value`},
		{"profiles", "products: {PRD-1: {vendor: x}}", "",
			`headrace.yaml: products.PRD-1.vendor: is not a list; put a dash before each product`},
		{"profiles among ids", "products: [PRD-2, {id: PRD-1}]", "",
			`headrace.yaml: products: holds blocks among single values; list ids alone, or profiles alone`},
		{"products without any", "products:\n", "",
			`headrace.yaml: products: is empty; list products below it, or remove it`},
		{"products of an empty list", "products: []", "",
			`headrace.yaml: products: is empty; list products below it, or remove it`},
		{"products of an empty block", "products: {}", "",
			`headrace.yaml: products: is empty; list products below it, or remove it`},
		{"products of an empty entry", "products:\n  -\n", "",
			`headrace.yaml: products: is empty; list products below it, or remove it`},
		{"products in a second document", "sync: always\n---\nproducts: [{id: PRD-1}]", "",
			`headrace.yaml: has more than one YAML document; keep one, and remove the line --- before the next`},
		{"no YAML in a second document", "sync: always\n---\na: b: c", "",
			`headrace.yaml: has more than one YAML document; keep one, and remove the line --- before the next`},
		{"no YAML", "a: b: c", "",
			`headrace.yaml: is not YAML (yaml: mapping values are not allowed in this context); mend that line`},
		{"results too short", "", "HEADRACE_REQUESTS_MAX_AGE=2000h HEADRACE_EVENTS_MAX_AGE=0 HEADRACE_DEAD_MAX_AGE=2000h",
			`HEADRACE_RESULTS_MAX_AGE: 1440h0m0s is not longer than HEADRACE_REQUESTS_MAX_AGE (2000h0m0s), so that a replayed request could be carried out twice; make it longer`},
		{"results as long", "", "HEADRACE_REQUESTS_MAX_AGE=1440h HEADRACE_EVENTS_MAX_AGE=1440h HEADRACE_DEAD_MAX_AGE=1440h",
			`HEADRACE_RESULTS_MAX_AGE: 1440h0m0s is not longer than HEADRACE_REQUESTS_MAX_AGE (1440h0m0s), so that a replayed request could be carried out twice; make it longer`},
		{"requests for ever", "", "HEADRACE_REQUESTS_MAX_AGE=0 HEADRACE_EVENTS_MAX_AGE=0 HEADRACE_RESULTS_MAX_AGE=0",
			`HEADRACE_DEAD_MAX_AGE: 2160h0m0s is shorter than HEADRACE_REQUESTS_MAX_AGE (for ever), so that a replayed request could be carried out twice; make it at least as long`},
		{"certificate alone", "", "HEADRACE_NATS_CERT=c.pem",
			`HEADRACE_NATS_CERT: is set without HEADRACE_NATS_KEY; a client certificate takes both`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := config.Load(sources(t, tt.yaml, strings.Fields(tt.env)...))
			if err == nil || err.Error() != tt.want {
				t.Errorf("\n got %v\nwant %s", err, tt.want)
			}
		})
	}
}

func TestLoad_ManyFaults_AllTold(t *testing.T) {
	t.Parallel()
	_, err := config.Load(sources(t, "sync: x\nhttp_addr: y", "HEADRACE_REPLICAS=9", "HEADRACE_REPLICAS_=1"))
	lines := strings.Split(err.Error(), "\n")
	if len(lines) != 4 {
		t.Errorf("want four lines, one a fault:\n%v", err)
	}
	var f *config.Fault
	if !errors.As(err, &f) {
		t.Error("no *Fault inside")
	}
}

func TestLoad_FileMissing_OnlyWrongWhenAskedFor(t *testing.T) {
	t.Parallel()
	src := sources(t, "")
	src.File = "nowhere.yaml"
	_, err := config.Load(src)
	want := "--config: open " + filepath.Join(src.WorkDir, "nowhere.yaml") + ": no such file or directory; name a file that can be read"
	if err == nil || err.Error() != want {
		t.Errorf("\n got %v\nwant %s", err, want)
	}
}

func TestNearest_Typing_Guessed(t *testing.T) {
	t.Parallel()
	words := []string{"list", "show", "HEADRACE_SYNC", "HEADRACE_NATS_URL"}
	for word, want := range map[string]string{
		"lsit": "list", "lis": "list", "Show": "show", "shows": "show", "xyz": "", "": "",
		"HEADRACE_SYCN": "HEADRACE_SYNC", "HEADRACE_BIN": "",
	} {
		if got, ok := config.Nearest(word, words); got != want || ok != (want != "") {
			t.Errorf("Nearest(%q) = %q, %v; want %q", word, got, ok, want)
		}
	}
}

func TestLoad_StrangeVariable_IsIgnoredAndSaid(t *testing.T) {
	t.Parallel()
	cfg, err := config.Load(sources(t, "", "HEADRACE_TEST_RUN_ID=17"))
	if err != nil || len(cfg.Ignored) != 1 || cfg.Ignored[0] != "HEADRACE_TEST_RUN_ID" {
		t.Errorf("ignored %v, error %v", cfg.Ignored, err)
	}
}

func TestLoad_MarksAroundOneDocument_AreRight(t *testing.T) {
	t.Parallel()
	c, err := config.Load(sources(t, "---\nproducts: [PRD-1]\n...\n"))
	if err != nil || !slices.Equal(c.Products, []string{"PRD-1"}) {
		t.Errorf("products %v, %v", c.Products, err)
	}
}

func TestLoad_Profiles_GiveTheProducts(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "headrace.yaml")
	text := "products:\n  - {id: PRD-1, mode: manual}\n  - {id: PRD-2, vendor: {endpoint: http://v}}\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := config.Load(config.Sources{WorkDir: dir})
	if err != nil || c.Profiles != file || !slices.Equal(c.Products, []string{"PRD-1", "PRD-2"}) {
		t.Errorf("profiles in %q, products %v, %v", c.Profiles, c.Products, err)
	}
	if err := c.Check(config.Need{Vendor: true}); err != nil {
		t.Errorf("profiles may have endpoints of their own: %v", err)
	}
	c, err = config.Load(config.Sources{WorkDir: dir, Environ: []string{"HEADRACE_PRODUCTS=PRD-2"}})
	if err != nil || c.Profiles != file || !slices.Equal(c.Products, []string{"PRD-2"}) {
		t.Errorf("profiles in %q, products %v, %v", c.Profiles, c.Products, err)
	}
}
