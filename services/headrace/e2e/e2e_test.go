package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/headrace/headrace/pkg/connectsim"
	"github.com/headrace/headrace/pkg/simfault"
	"github.com/headrace/headrace/pkg/vendorsim"
)

func TestUp_ThousandPendingInPagesOfHundred_AllProcessedInOneRun(t *testing.T) {
	t.Parallel()
	s := newSite(t, connectsim.Options{Empty: true}, vendorsim.Options{})
	s.seed(s.connect.Seed(200))
	s.env["HEADRACE_CONNECT_PAGE_SIZE"] = "100"
	p := s.start("up")
	s.until("no request pending", s.settled)
	if status, took := p.stop(); status != 0 {
		t.Errorf("ended with status %d after %s", status, took)
	}
	s.once()
}

func TestUp_Terminated_FinishesWhatIsInFlightAndGoesOnLater(t *testing.T) {
	t.Parallel()
	s := newSite(t, connectsim.Options{}, vendorsim.Options{Work: 200 * time.Millisecond})
	s.env["HEADRACE_CONCURRENCY"] = "4"
	for round := 0; !s.settled(); round++ {
		if round == 10 {
			t.Fatal("not settled after 10 rounds")
		}
		p := s.start("up")
		before := len(s.vendor.Operations())
		s.until("some work is done", func() bool { return s.settled() || len(s.vendor.Operations()) > before+12 })
		if status, took := p.stop(); status != 0 { // else the drain timeout came first
			t.Errorf("ended with status %d after %s", status, took)
		}
		if log := p.log.String(); strings.Contains(log, `"level":"error"`) {
			t.Errorf("a clean stop logs an error:\n%s", tail(log))
		}
	}
	s.once()
}

func TestUp_Killed_GoesOnWithoutASecondTenant(t *testing.T) {
	t.Parallel()
	s := newSite(t, connectsim.Options{}, vendorsim.Options{Work: 20 * time.Millisecond})
	s.env["HEADRACE_CONCURRENCY"] = "8"
	for round := range 4 {
		p := s.start("up")
		s.until("some work is done", func() bool { return s.settled() || len(s.vendor.Operations()) > 15*(round+1) })
		p.kill()
	}
	p := s.start("up") // what the killed one had in hand rests for the ack wait, 30 s
	s.until("no request pending", s.settled)
	p.stop()
	s.once()
}

func TestUp_VendorDown_WaitsVisiblyAndGoesOn(t *testing.T) {
	t.Parallel()
	s := newSite(t, connectsim.Options{}, vendorsim.Options{})
	if err := s.vendor.Faults().Set([]simfault.Fault{{Path: "/tenant", Status: http.StatusServiceUnavailable}}); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	p := s.start("up")
	s.until("the vendor is paused, and was probed", func() bool {
		_, body := p.get("/readyz")
		return strings.Contains(body, "paused") && len(s.vendor.Faults().Calls()) > 10
	})
	if status, body := p.get("/readyz"); status != http.StatusOK || !strings.Contains(body, "503") {
		t.Errorf("/readyz is %d while the vendor is down, want 200 that tells:\n%s", status, body)
	}
	s.until("requests list says what they wait for", func() bool {
		r := s.run("requests", "list", "--type", "purchase")
		return r.status == 0 && strings.Contains(r.stdout, "waits for the vendor") && strings.Contains(r.stdout, "503")
	})
	if n, most := len(s.vendor.Faults().Calls()), 20+int(time.Since(began)/(3*time.Second)); n > most {
		t.Errorf("%d calls of a vendor that is down, want at most %d", n, most)
	}
	if counts := s.connect.Counts(); counts["purchase"]["failed"] != 0 {
		t.Errorf("an outage failed orders: %v", counts)
	}
	if err := s.vendor.Faults().Set(nil); err != nil {
		t.Fatal(err)
	}
	recovered := time.Now()
	s.until("no request pending", s.settled)
	t.Logf("done %s after the recovery", time.Since(recovered).Round(time.Millisecond))
	s.once()
}

func TestUp_VendorRefusesCredentials_IsNotReadyAndFailsNothing(t *testing.T) {
	t.Parallel()
	s := newSite(t, connectsim.Options{}, vendorsim.Options{APIKey: "what we do not have"})
	p := s.start("up")
	s.until("/readyz says so", func() bool {
		status, body := p.get("/readyz")
		return status == http.StatusServiceUnavailable && strings.Contains(body, "credentials")
	})
	for typ, byStatus := range s.connect.Counts() {
		if byStatus["failed"] != 0 {
			t.Errorf("%s: %d failed for our own credentials", typ, byStatus["failed"])
		}
	}
}

func TestUp_WrongConnectKey_IsSaidByReadyzAndDoctor(t *testing.T) {
	t.Parallel()
	s := newSite(t, connectsim.Options{}, vendorsim.Options{})
	s.env["HEADRACE_CONNECT_API_KEY"] = "SU-999-999-999:wrong"
	p := s.start("up")
	s.until("/readyz says so", func() bool {
		status, body := p.get("/readyz")
		return status == http.StatusServiceUnavailable && strings.Contains(body, "credentials")
	})
	s.until("the log says what to do", func() bool { return strings.Contains(p.log.String(), "HEADRACE_CONNECT_API_KEY") })
	if r := s.run("doctor"); r.status != 1 || !strings.Contains(r.stdout, "key") {
		t.Errorf("doctor: status %d\n%s%s", r.status, r.stdout, r.stderr)
	}
	if strings.Contains(p.log.String(), "wrong") {
		t.Error("the key is in the log")
	}
}

func TestUp_ConnectNotReached_SaysWhatToCheckAndGoesOnLater(t *testing.T) {
	t.Parallel()
	s := newSite(t, connectsim.Options{Empty: true}, vendorsim.Options{})
	s.env["HEADRACE_CONNECT_ENDPOINT"] = "http://127.0.0.1:1/public/v1"
	p := s.start("up")
	s.until("the log says what to check", func() bool { return strings.Contains(p.log.String(), "HEADRACE_CONNECT_ENDPOINT") })
	if status, body := p.get("/livez"); status != http.StatusOK {
		t.Errorf("/livez is %d while Connect is away: %s", status, body)
	}
}

func TestUp_UnknownProduct_IsSaidAtStart(t *testing.T) {
	t.Parallel()
	s := newSite(t, connectsim.Options{Empty: true}, vendorsim.Options{})
	s.env["HEADRACE_PRODUCTS"] = "PRD-620-114-337,PRD-000-000-000"
	p := s.start("up")
	s.until("the log names it", func() bool {
		return strings.Contains(p.log.String(), "PRD-000-000-000") && strings.Contains(p.log.String(), "HEADRACE_PRODUCTS")
	})
	s.until("ready", func() bool { status, _ := p.get("/readyz"); return status == http.StatusOK })
}

func TestUp_DataDirInUse_NamesTheOwner(t *testing.T) {
	t.Parallel()
	s := newSite(t, connectsim.Options{Empty: true}, vendorsim.Options{})
	p := s.start("up")
	r := s.run("up")
	if pid := fmt.Sprint(p.cmd.Process.Pid); r.status != 1 || !strings.Contains(r.stderr, pid) {
		t.Errorf("second up: status %d, want 1 and process %s named:\n%s", r.status, pid, r.stderr)
	}
}

func TestUp_BadSettings_AreToldAtOnceAndClearly(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		set  map[string]string
		want []string
	}{
		"no key":         {map[string]string{"HEADRACE_CONNECT_API_KEY": ""}, []string{"HEADRACE_CONNECT_API_KEY"}},
		"malformed":      {map[string]string{"HEADRACE_SYNC": "sometimes", "HEADRACE_DRAIN_TIMEOUT": "soon"}, []string{"HEADRACE_SYNC", "HEADRACE_DRAIN_TIMEOUT"}},
		"misspelled":     {map[string]string{"HEADRACE_VENDOR_ENDPOIN": "x"}, []string{"HEADRACE_VENDOR_ENDPOIN", "HEADRACE_VENDOR_ENDPOINT"}},
		"no vendor":      {map[string]string{"HEADRACE_VENDOR_ENDPOINT": ""}, []string{"HEADRACE_VENDOR_ENDPOINT"}},
		"not a data dir": {map[string]string{"HEADRACE_DATA_DIR": "/dev/null"}, []string{"/dev/null"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, connectsim.Options{Empty: true}, vendorsim.Options{})
			for k, v := range c.set {
				s.env[k] = v
			}
			r := s.run("up")
			if r.status == 0 {
				t.Fatal("it ran")
			}
			for _, want := range c.want {
				if !strings.Contains(r.stderr, want) {
					t.Errorf("status %d, no %q in:\n%s", r.status, want, r.stderr)
				}
			}
		})
	}
}

func TestDeadList_UndecodableRequest_IsFoundAndStopsNoOther(t *testing.T) {
	t.Parallel()
	s := newSite(t, connectsim.Options{}, vendorsim.Options{})
	s.connect.AddRaw(json.RawMessage(`{"id":"PR-BROKEN","type":"purchase","status":"pending","asset":{"id":"AS-BROKEN","product":{"id":"PRD-620-114-337"},"items":"what"}}`))
	s.connect.AddRaw(json.RawMessage(`{"id":"PR-ODD","type":"teleport","status":"pending","asset":{"id":"AS-ODD","product":{"id":"PRD-620-114-337"}}}`))
	s.start("up")
	var entries []struct{ ID, RequestID, Type, Stage, Reason, Subject string }
	s.until("all others are settled and two are dead", func() bool {
		r := s.run("dead", "list", "--output", "json")
		if r.status != 0 {
			t.Fatalf("dead list: status %d: %s", r.status, r.stderr)
		}
		var raw []map[string]any
		if err := json.Unmarshal([]byte(r.stdout), &raw); err != nil {
			t.Fatalf("dead list: %v: %s", err, r.stdout)
		}
		entries = entries[:0]
		for _, e := range raw {
			text := func(name string) string { v, _ := e[name].(string); return v }
			entries = append(entries, struct{ ID, RequestID, Type, Stage, Reason, Subject string }{
				text("id"), text("request_id"), text("type"), text("stage"), text("reason"), text("subject"),
			})
		}
		return len(raw) >= 2 && s.settled()
	})
	stages := map[string]string{}
	for _, e := range entries {
		stages[e.RequestID] = e.Stage
		if e.RequestID == "PR-ODD" && !strings.Contains(e.Reason, `"teleport"`) {
			t.Errorf("the reason does not quote the type: %s", e.Reason)
		}
	}
	if len(entries) != 2 || stages["PR-BROKEN"] != "decode" || stages["PR-ODD"] != "type" {
		t.Errorf("dead letters: %+v", entries)
	}
	if r := s.run("dead", "show", "PR-BROKEN"); r.status != 0 || !strings.Contains(r.stdout, "items") {
		t.Errorf("dead show: status %d\n%s%s", r.status, r.stdout, r.stderr)
	}
}

func TestDeadList_NoBroker_IsStatus3(t *testing.T) {
	t.Parallel()
	s := newSite(t, connectsim.Options{Empty: true}, vendorsim.Options{})
	if r := s.run("dead", "list"); r.status != 3 {
		t.Errorf("status %d, want 3: %s", r.status, r.stderr)
	}
	s.env["HEADRACE_NATS_URL"] = "nats://127.0.0.1:1"
	if r := s.run("dead", "list"); r.status != 3 || !strings.Contains(r.stderr, "127.0.0.1:1") {
		t.Errorf("status %d, want 3 and the address: %s", r.status, r.stderr)
	}
}

func TestUnknownService_IsUsage(t *testing.T) {
	t.Parallel()
	s := newSite(t, connectsim.Options{Empty: true}, vendorsim.Options{})
	if r := s.run("run", "purchse"); r.status != 2 || !strings.Contains(r.stderr, "purchase") {
		t.Errorf("status %d: %s", r.status, r.stderr)
	}
}

func TestDemo_Exit_EndsWellWithItsTable(t *testing.T) {
	t.Parallel()
	s := newSite(t, connectsim.Options{Empty: true}, vendorsim.Options{})
	s.env = map[string]string{"TMPDIR": t.TempDir()}
	r := s.run("demo", "--exit", "--requests", "100")
	if r.status != 0 {
		t.Fatalf("status %d\n%s%s", r.status, r.stdout, r.stderr)
	}
	for _, want := range []string{"purchase", "change", "cancel", "suspend", "resume"} {
		if !strings.Contains(r.stdout, want) {
			t.Errorf("no %s in the table:\n%s", want, r.stdout)
		}
	}
	if left, err := filepath.Glob(filepath.Join(s.env["TMPDIR"], "*")); err != nil || len(left) != 0 {
		t.Errorf("it leaves %v behind (%v)", left, err)
	}
}

func TestBroker_OnlyTheOwnerOfTheDirectoryGetsIn(t *testing.T) {
	t.Parallel()
	s := newSite(t, connectsim.Options{Empty: true}, vendorsim.Options{})
	s.start("up")
	file := filepath.Join(s.env["HEADRACE_DATA_DIR"], "broker.json")
	info, err := os.Stat(file)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("broker.json: %v, %v; want mode 0600", info, err)
	}
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var access map[string]any
	if err := json.Unmarshal(b, &access); err != nil {
		t.Fatal(err)
	}
	s.env["HEADRACE_NATS_URL"], _ = access["url"].(string)
	if r := s.run("dead", "list"); r.status == 0 {
		t.Error("the broker lets in whoever knows its address")
	}
}

func TestDeadRedrive_HeldRequest_GoesOnAsTheOperatorSays(t *testing.T) {
	t.Parallel()
	s := newSite(t, connectsim.Options{Empty: true}, vendorsim.Options{Idempotency: vendorsim.IdempotencyNone})
	s.env["HEADRACE_VENDOR_IDEMPOTENCY"] = "none"
	if err := s.vendor.Faults().Set([]simfault.Fault{{Method: http.MethodPost, Path: "/tenant$", Drop: simfault.DropAfter, Times: 1}}); err != nil {
		t.Fatal(err)
	}
	id := s.connect.AddRequest(connectsim.NewRequest{
		Lines: []connectsim.Line{{Item: "NW-SEAT", Quantity: "5"}}, Params: map[string]string{"admin_email": "ann@example.com"},
	})
	s.start("up")
	s.until("it is held, as the outcome is not known", func() bool {
		r := s.run("dead", "list", "--output", "json", "--stage", "hold")
		return strings.Contains(r.stdout, id)
	})
	if r := s.run("dead", "redrive", id); r.status != 1 || !strings.Contains(r.stdout+r.stderr, "say whether it was done") {
		t.Errorf("without an outcome: status %d\n%s%s", r.status, r.stdout, r.stderr)
	}
	if r := s.run("dead", "redrive", id, "--outcome", "maybe"); r.status != 2 {
		t.Errorf("an outcome that is none: status %d\n%s", r.status, r.stderr)
	}
	if r := s.run("requests", "show", id); r.status != 0 || !strings.Contains(r.stdout, "held") || !strings.Contains(r.stdout, "vendor call begun") {
		t.Errorf("requests show: status %d\n%s%s", r.status, r.stdout, r.stderr)
	}
	tenant := s.vendor.Tenants()[0].ID
	if r := s.run("dead", "redrive", id, "--outcome", "done", "--set", "subscription_id="+tenant); r.status != 0 {
		t.Errorf("status %d\n%s%s", r.status, r.stdout, r.stderr)
	}
	s.until("it is approved", s.settled)
	s.until("requests list says so", func() bool {
		r := s.run("requests", "list", "--state", "approved", "--output", "json")
		var entries []map[string]any
		return r.status == 0 && json.Unmarshal([]byte(r.stdout), &entries) == nil && len(entries) == 1 && entries[0]["request_id"] == id
	})
	got, _ := s.connect.Request(id)
	if n := len(s.vendor.Tenants()); n != 1 || got.Status != "approved" || got.Params["subscription_id"] != tenant {
		t.Errorf("%d tenants; request is %s with %v", n, got.Status, got.Params)
	}
	if r := s.run("dead", "redrive", id); r.status != 0 && !strings.Contains(r.stdout+r.stderr, "no such dead letter") {
		t.Errorf("once more: status %d\n%s%s", r.status, r.stdout, r.stderr)
	}
}

func TestDeadDiscard_HeldRequest_FreesItsSubscription(t *testing.T) {
	t.Parallel()
	s := newSite(t, connectsim.Options{Empty: true}, vendorsim.Options{})
	id := s.connect.AddRequest(connectsim.NewRequest{
		Type: "change", Lines: []connectsim.Line{{Item: "NW-SEAT", Quantity: "5", Old: "2"}}, Params: map[string]string{"admin_email": "ann@example.com"},
	})
	s.start("up") // the vendor does not know the tenant
	s.until("it is held", func() bool { return strings.Contains(s.run("dead", "list", "--stage", "hold").stdout, id) })
	if r := s.run("dead", "discard", id, "--reason", "settled with the customer"); r.status != 0 {
		t.Fatalf("status %d\n%s%s", r.status, r.stdout, r.stderr)
	}
	if r := s.run("dead", "list", "--output", "json"); strings.TrimSpace(r.stdout) != "[]" {
		t.Errorf("still listed:\n%s", r.stdout)
	}
	asset, _ := s.connect.Request(id)
	s.vendor.Add(vendorsim.Tenant{ID: connectsim.TenantOf(asset.AssetID), ExternalID: asset.AssetID})
	if err := s.connect.SetStatus(id, "failed"); err != nil {
		t.Fatal(err)
	}
	next := s.connect.AddRequest(connectsim.NewRequest{Type: "suspend", AssetID: asset.AssetID})
	s.until("the next request of the subscription is approved", func() bool {
		r, _ := s.connect.Request(next)
		return r.Status == "approved"
	})
}
