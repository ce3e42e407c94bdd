package profile

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"io"

	"github.com/headrace/headrace/pkg/config"
	"github.com/headrace/headrace/pkg/processor"
)

// order is a purchase of everything that is odd: fractions, no limits, an item
// that is left alone, and one that is paid by use.
const order = `{
  "id": "PR-1", "type": "TYPE", "status": "pending", "note": "be quick",
  "asset": {
    "id": "AS-1", "external_id": "e-1", "product": {"id": "PRD-1", "name": "Backup"},
    "connection": {"id": "CT-1", "type": "test"},
    "items": [
      {"id": "1", "mpn": "GB", "display_name": "Space", "quantity": "1.5", "old_quantity": "0"},
      {"id": "2", "mpn": "SEAT", "quantity": "10", "old_quantity": "12"},
      {"id": "3", "mpn": "OFF", "quantity": "0", "old_quantity": "0"},
      {"id": "4", "mpn": "ALL", "quantity": "unlimited", "old_quantity": "3"},
      {"id": "5", "mpn": "CALLS", "quantity": "-1", "old_quantity": "-1", "item_type": "PPU"},
      {"id": "6", "mpn": "KEPT", "quantity": "5", "old_quantity": "5"}
    ],
    "params": [
      {"id": "region", "phase": "ordering", "value": "eu"},
      {"id": "seats", "phase": "ordering", "value": "7"},
      {"id": "note", "phase": "ordering", "value": ""},
      {"id": "address", "phase": "ordering", "value": "", "structured_value": {"city": "Ulm"}},
      {"id": "secret", "phase": "ordering", "value": "s", "constraints": {"hidden": true}},
      {"id": "fixed", "phase": "ordering", "value": "f", "constraints": {"readonly": true}},
      {"id": "subscription_id", "phase": "fulfillment", "value": "TENANT"},
      {"id": "login", "phase": "fulfillment", "value": ""}
    ],
    "configuration": {"params": [{"id": "template", "value": "TL-9"}]},
    "tiers": {"customer": {"id": "TA-1", "name": "Tulip", "contact_info": {"country": "nl", "contact": {"email": "a@b.example"}}}}
  }
}`

const tierOrder = `{
  "id": "TCR-1", "type": "setup", "status": "pending",
  "configuration": {
    "id": "TC-1", "tier_level": 1, "product": {"id": "PRD-1"}, "connection": {"type": "test"},
    "account": {"id": "TA-2", "name": "Reseller"}
  },
  "params": [
    {"id": "contact", "phase": "ordering", "scope": "tier1", "value": "nobody"},
    {"id": "ref", "phase": "fulfillment", "scope": "tier1", "value": ""}
  ]
}`

// load reads profiles that are written below one product.
func load(t *testing.T, below string) (*Set, error) {
	t.Helper()
	text := "products:\n  - id: PRD-1\n"
	for line := range strings.Lines(below) {
		text += "    " + line
	}
	file := filepath.Join(t.TempDir(), "headrace.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return Load(file, config.Vendor{Endpoint: "http://vendor.example"})
}

// workWith is the request of a type with the product's profile.
func workWith(t *testing.T, kind, tenant, below string, o Options) *processor.Work {
	t.Helper()
	set, err := load(t, below)
	if err != nil {
		t.Fatal(err)
	}
	body := strings.ReplaceAll(strings.ReplaceAll(order, "TYPE", kind), "TENANT", tenant)
	if kind == "tier-setup" {
		body = tierOrder
	}
	w, err := workOf([]byte(body))
	if err != nil {
		t.Fatal(err)
	}
	profiles, err := set.Profiles(o)
	if err != nil {
		t.Fatal(err)
	}
	if w.Profile, err = profiles(w); err != nil {
		t.Fatal(err)
	}
	return w
}

// server is a vendor that answers what the test says, by method and path.
type server struct {
	*httptest.Server
	mu    sync.Mutex
	seen  []string // METHOD path key body
	calls []*http.Request
}

// newServer answers with "status body"; what is not known is 404.
func newServer(t *testing.T, answers map[string]string) *server {
	t.Helper()
	s := &server{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		s.mu.Lock()
		s.seen = append(s.seen, strings.TrimSpace(strings.Join([]string{r.Method, r.RequestURI, r.Header.Get("Idempotency-Key"), string(body)}, " ")))
		s.calls = append(s.calls, r)
		s.mu.Unlock()
		status, text, _ := strings.Cut(answers[r.Method+" "+r.RequestURI], " ")
		switch status {
		case "":
			w.WriteHeader(http.StatusNotFound)
		case "201":
			w.WriteHeader(http.StatusCreated)
		case "204":
			w.WriteHeader(http.StatusNoContent)
		case "401":
			w.WriteHeader(http.StatusUnauthorized)
		case "422":
			w.WriteHeader(http.StatusUnprocessableEntity)
		}
		_, _ = io.WriteString(w, text)
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *server) at() string { return "vendor: {endpoint: " + s.URL + "}\n" }
