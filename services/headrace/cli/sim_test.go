package cli

import (
	"context"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/headrace/headrace/pkg/connectsim"
)

// simulator runs headrace sim until the test's end and returns its base URL.
func simulator(t *testing.T, environ []string, args ...string) string {
	t.Helper()
	p, out, errs := subject(t, environ...)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan int, 1)
	go func() { ended <- p.Run(ctx, append([]string{"sim"}, args...)) }()
	t.Cleanup(func() {
		stop()
		if status := <-ended; status != 0 {
			t.Errorf("sim %v: status %d, %s", args, status, errs)
		}
	})
	at := regexp.MustCompile(` is at (http://\S+)`)
	waitFor(t, func() bool { return at.MatchString(out.String()) }, errs)
	return at.FindStringSubmatch(out.String())[1]
}

func ask(t *testing.T, method, url, key string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(""))
	if err != nil {
		t.Fatal(err)
	}
	if key != "" {
		req.Header.Set("Authorization", "ApiKey "+key)
	}
	res, err := http.DefaultClient.Do(req)
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

func TestSim_Connect_TakesTheKey(t *testing.T) {
	t.Parallel()
	base := simulator(t, []string{"HEADRACE_CONNECT_API_KEY=ApiKey SU-1:a"}, "connect", "--addr", "127.0.0.1:0")
	if !strings.HasSuffix(base, connectsim.BasePath) {
		t.Errorf("base URL %s", base)
	}
	for key, want := range map[string]int{"SU-1:a": 200, "SU-1:b": 401, "": 401} {
		if code, body := ask(t, "GET", base+"/requests?limit=1", key); code != want {
			t.Errorf("key %q: %d, want %d: %s", key, code, want, body)
		}
	}
	if code, _ := ask(t, "GET", strings.TrimSuffix(base, connectsim.BasePath)+"/_sim/calls", ""); code != 200 {
		t.Errorf("calls: %d", code)
	}
}

func TestSim_ConnectEmpty_HasNoRequests(t *testing.T) {
	t.Parallel()
	base := simulator(t, nil, "connect", "--empty", "--addr", "127.0.0.1:0")
	if code, body := ask(t, "GET", base+"/requests", "SU-1:any"); code != 200 || strings.TrimSpace(body) != "[]" {
		t.Errorf("%d %s", code, body)
	}
}

func TestSim_Vendor_KnowsTheTenantsOfConnect(t *testing.T) {
	t.Parallel()
	base := simulator(t, nil, "vendor", "--addr", "127.0.0.1:0")
	tenant := connectsim.TenantOf("AS-1111-2222-3333")
	if code, body := ask(t, "GET", base+"/tenant/"+tenant, ""); code != 200 || !strings.Contains(body, "AS-1111-2222-3333") {
		t.Errorf("%d %s", code, body)
	}
	if code, _ := ask(t, "GET", base+"/tenant/T-1", ""); code != 404 {
		t.Errorf("a tenant that nobody made: %d", code)
	}
}

func TestSim_PortInUse_SaysSo(t *testing.T) {
	t.Parallel()
	base := simulator(t, nil, "vendor", "--addr", "127.0.0.1:0")
	got := headrace(t, nil, "sim", "connect", "--addr", strings.TrimPrefix(base, "http://"))
	if got.status != 1 || !strings.Contains(got.stderr, "address already in use; give another address with --addr") {
		t.Errorf("status %d, %s", got.status, got.stderr)
	}
}
