package connectsim_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/headrace/headrace/pkg/connectsim"
)

const testKey = "ApiKey SU-118-402-773:0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c"

// The first start product and what the tests use of it.
const (
	productID  = "PRD-620-114-337"
	activation = "TL-620-114-001"
	inquiry    = "TL-620-114-002"
)

// portal is a simulator with a client that speaks plain HTTP to it.
type portal struct {
	*connectsim.Server
	t   *testing.T
	url string
}

func newPortal(t *testing.T, o connectsim.Options) *portal {
	t.Helper()
	sim := connectsim.New(o)
	srv := httptest.NewServer(sim.Handler())
	t.Cleanup(srv.Close)
	return &portal{sim, t, srv.URL}
}

// reply is an answer of the simulator's.
type reply struct {
	status int
	header http.Header
	text   string
}

// send calls the API. A body of "" sends none at all, as the official clients
// do for {}.
func (p *portal) send(method, path, body string) reply {
	p.t.Helper()
	return p.call(method, connectsim.BasePath+path, body, testKey)
}

func (p *portal) call(method, path, body, key string) reply {
	p.t.Helper()
	req, err := http.NewRequestWithContext(p.t.Context(), method, p.url+path, strings.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	if key != "" {
		req.Header.Set("Authorization", key)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		p.t.Fatal(err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return reply{res.StatusCode, res.Header, string(raw)}
}

// ok is send that expects a status and decodes the body.
func (p *portal) ok(want int, method, path, body string) map[string]any {
	p.t.Helper()
	r := p.send(method, path, body)
	if r.status != want {
		p.t.Fatalf("%s %s: status %d, want %d: %s", method, path, r.status, want, r.text)
	}
	if r.text == "" {
		return nil
	}
	var v map[string]any
	if err := json.Unmarshal([]byte(r.text), &v); err != nil {
		p.t.Fatalf("%s %s: %v", method, path, err)
	}
	return v
}

// list is a list's rows and its Content-Range.
func (p *portal) list(path string) ([]map[string]any, string) {
	p.t.Helper()
	r := p.send("GET", path, "")
	if r.status != http.StatusOK {
		p.t.Fatalf("GET %s: status %d: %s", path, r.status, r.text)
	}
	var rows []map[string]any
	if err := json.Unmarshal([]byte(r.text), &rows); err != nil {
		p.t.Fatalf("GET %s: %v", path, err)
	}
	return rows, r.header.Get("Content-Range")
}

// refused expects 400 with a code and a text.
func (p *portal) refused(code, text, method, path, body string) {
	p.t.Helper()
	r := p.send(method, path, body)
	var e connectsim.Error
	if err := json.Unmarshal([]byte(r.text), &e); err != nil {
		p.t.Fatalf("%s %s: %v in %q", method, path, err, r.text)
	}
	if r.status != http.StatusBadRequest || e.Code != code || len(e.Errors) != 1 || !strings.Contains(e.Errors[0], text) {
		p.t.Errorf("%s %s: got %d %s, want 400 %s %s", method, path, r.status, r.text, code, text)
	}
}

func (p *portal) status(id, want string) {
	p.t.Helper()
	if r, ok := p.Request(id); !ok || r.Status != want {
		p.t.Fatalf("request %s is %q, want %q", id, r.Status, want)
	}
}

func benchmark(b *testing.B, sim *connectsim.Server, method, path, body string) {
	b.Helper()
	b.ReportAllocs()
	for b.Loop() {
		req := httptest.NewRequest(method, path, strings.NewReader(body))
		req.Header.Set("Authorization", testKey)
		w := httptest.NewRecorder()
		sim.Handler().ServeHTTP(w, req)
		if w.Code != http.StatusOK {
			b.Fatal(w.Code, w.Body)
		}
	}
}
