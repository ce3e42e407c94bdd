package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/headrace/headrace/pkg/connectsim"
	"github.com/headrace/headrace/pkg/vendorsim"
)

// lookupProfiles are of a vendor that is asked before it creates a tenant. A
// call that it does not show after five seconds had no effect.
const lookupProfiles = `
vendor: {idempotency: none}
products:
  - id: PRD-620-114-337
    vendor: &vendor {timeout: 4s}
    purchase: &purchase
      lookup: {method: GET, path: "/tenant?externalId={asset.id}", tenant: "map(answer, .tenantId)", settle: 5s}
  - {id: PRD-731-225-448, vendor: *vendor, purchase: *purchase}
`

// TestUp_DataDirLost_NoSecondTenant has a process die in the middle of its work,
// and its streams with it, several times over. The vendor still works on its calls
// when the next one starts.
func TestUp_DataDirLost_NoSecondTenant(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{vendorsim.IdempotencyKey, vendorsim.IdempotencyNone} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			var looks atomic.Int64 // of the vendor at its clock, the first when it begins to work
			s := newSite(t, connectsim.Options{}, vendorsim.Options{
				Work: 1500 * time.Millisecond, Idempotency: mode,
				Now: func() time.Time { looks.Add(1); return time.Now() },
			})
			s.env["HEADRACE_CONCURRENCY"] = "8"
			if mode == vendorsim.IdempotencyNone {
				s.env["HEADRACE_CONFIG"] = filepath.Join(t.TempDir(), "lookup.yaml")
				if err := os.WriteFile(s.env["HEADRACE_CONFIG"], []byte(lookupProfiles), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			for range 3 {
				before := looks.Load()
				p := s.start("up")
				s.until("the vendor is at work", func() bool { return s.settled() || looks.Load() >= before+20 })
				p.kill()
				if err := os.RemoveAll(s.env["HEADRACE_DATA_DIR"]); err != nil {
					t.Fatal(err)
				}
			}
			p := s.start("up")
			s.until("no request pending", s.settled)
			if held := s.run("dead", "list"); strings.Contains(held.stdout, "hold") {
				t.Errorf("there are held requests:\n%s", held.stdout)
			}
			p.stop()
			s.oneTenantEach()
		})
	}
}

// oneTenantEach fails unless every request is approved and no subscription got a
// second tenant.
func (s *site) oneTenantEach() {
	s.t.Helper()
	of := map[string]string{}
	for _, op := range s.vendor.Operations() {
		if op.Kind != vendorsim.Create {
			continue
		}
		if other, twice := of[op.ExternalID]; twice {
			s.t.Errorf("%s has the tenants %s and %s", op.ExternalID, other, op.TenantID)
		}
		of[op.ExternalID] = op.TenantID
	}
	if len(of) == 0 {
		s.t.Error("no tenant was created")
	}
	for _, r := range s.connect.Requests() {
		if r.Status != "approved" {
			s.t.Errorf("%s %s is %s: %s", r.Type, r.ID, r.Status, r.Reason)
		}
	}
}
