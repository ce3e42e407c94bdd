package demo

import (
	"bytes"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/headrace/headrace/pkg/connectsim"
	"github.com/headrace/headrace/pkg/vendorsim"
)

// inTemp has the demo's directory made below the test's own, and returns that.
func inTemp(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	return dir
}

func left(t *testing.T, dir string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, "*", "headrace.log"))
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestRun_Exit_EndsWithTheTable(t *testing.T) {
	dir := inTemp(t)
	var out bytes.Buffer
	if err := Run(t.Context(), Options{Requests: 23, Exit: true, Timeout: time.Minute, Out: &out}); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	if !strings.Contains(out.String(), "NATS_URL=nats://headrace:") {
		t.Errorf("it does not say where its events are:\n%s", out.String())
	}
	lines := strings.Split(strings.TrimRight(out.String(), "\n"), "\n")
	if got := strings.Fields(lines[len(lines)-1]); strings.Join(got, " ") != "total 23 23 0 0" {
		t.Errorf("the last line is %q", got)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 0 {
		t.Errorf("it left %v behind (%v)", entries, err)
	}
}

func TestRun_TooLate_FailsAndKeepsTheLog(t *testing.T) {
	dir := inTemp(t)
	var out bytes.Buffer
	err := Run(t.Context(), Options{Requests: 10, Exit: true, Timeout: time.Nanosecond, Out: &out})
	if !errors.Is(err, ErrOutcome) || !strings.Contains(err.Error(), "the log is at "+dir) || len(left(t, dir)) != 1 {
		t.Errorf("error %v, left %v", err, left(t, dir))
	}
	if !strings.Contains(out.String(), "are still open") {
		t.Errorf("the table does not tell:\n%s", out.String())
	}
}

func TestLoad_AnyNumber_MakesSoMany(t *testing.T) {
	t.Parallel()
	for _, n := range []int{5, 19, 20, 100, 301} {
		w, err := newWorld(t.Context(), t.TempDir(), n)
		if err != nil {
			t.Fatal(err)
		}
		w.close()
		special := 0
		for _, o := range w.orders {
			if o.want != approved {
				special++
			}
		}
		if got := w.summary().total().requests(); got != n || len(w.connect.Statuses()) != n || (special > 0) != (n >= fewest) {
			t.Errorf("%d requests, %d of them special, %d in the simulator; want %d", got, special, len(w.connect.Statuses()), n)
		}
		for _, kind := range kinds() {
			if n >= fewest && !w.has(kind) {
				t.Errorf("%d requests, and none is of type %s", n, kind)
			}
		}
	}
}

// emptyWorld has no requests yet.
func emptyWorld(t *testing.T) *world {
	t.Helper()
	w, err := newWorld(t.Context(), t.TempDir(), 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.close)
	return w
}

// status is a person putting the last order into a status.
func (w *world) status(t *testing.T, status string) order {
	t.Helper()
	o := w.orders[len(w.orders)-1]
	if err := w.connect.SetStatus(o.id, status); err != nil {
		t.Error(err)
	}
	return o
}

func TestSummary_WrongOutcomes_Told(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		make, wrong func(t *testing.T, w *world)
		told        string
	}{
		"failed, but to be approved": {
			func(_ *testing.T, w *world) { w.slowOrder() },
			func(t *testing.T, w *world) { w.status(t, "failed") }, `failed, reason ""`,
		},
		"without a tenant": {
			func(_ *testing.T, w *world) { w.ordinary(1) },
			func(t *testing.T, w *world) { w.status(t, "approved") }, "0 effects at the vendor instead of 1",
		},
		"never inquired": {
			func(_ *testing.T, w *world) { w.forgetfulCustomer() },
			func(t *testing.T, w *world) { w.status(t, "approved") }, "after 0 inquiries",
		},
		"failed for another reason": {
			func(_ *testing.T, w *world) { w.refusedOrder() },
			func(t *testing.T, w *world) { w.status(t, "failed") }, `failed, reason ""`,
		},
		"not rejected": {
			func(_ *testing.T, w *world) { w.refusedOrder() },
			func(t *testing.T, w *world) { w.status(t, "approved") }, "approved",
		},
		"approved, but to be left": {
			func(_ *testing.T, w *world) { w.connect.Load(connectsim.LoadOptions{Renews: 1}); w.note() },
			func(t *testing.T, w *world) { w.status(t, "approved") }, "approved",
		},
		"a tier that fails": {
			func(_ *testing.T, w *world) { w.forgetfulReseller() },
			func(t *testing.T, w *world) {
				if err := w.connect.FailTier(w.orders[0].id, "no"); err != nil {
					t.Error(err)
				}
			}, `failed, reason "no"`,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := emptyWorld(t)
			tt.make(t, w)
			tt.wrong(t, w)
			var out bytes.Buffer
			s := w.summary()
			if err := s.print(&out, time.Second); err != nil || s.good() || !strings.Contains(out.String(), "1 of 1 requests did NOT reach") {
				t.Errorf("good %v, %v:\n%s", s.good(), err, out.String())
			}
			if want := w.orders[0].id + ": "; !strings.Contains(out.String(), want) || !strings.Contains(out.String(), tt.told) {
				t.Errorf("it does not tell %q:\n%s", want+tt.told, out.String())
			}
		})
	}
}

// carriedOut is a purchase that went well, with its proof.
func carriedOut(o order) *proof {
	tenant := vendorsim.Tenant{ID: "T-1", State: vendorsim.StateActive, ReadyAt: time.Unix(100, 0)}
	return &proof{
		ledger: newLedger(nil), statuses: map[string]string{o.id: "approved"},
		requests: map[string]connectsim.Request{o.id: {
			ID: o.id, Status: "approved", Params: map[string]string{paramTenant: "T-1"}, Updated: time.Unix(101, 0),
		}},
		tenants: map[string][]vendorsim.Tenant{o.asset: {tenant}},
		effects: map[string][]vendorsim.Op{o.id: {{Kind: vendorsim.Create, TenantID: "T-1", Start: time.Unix(99, 0)}}},
	}
}

func TestJudge_EffectsAtTheVendor_AreCounted(t *testing.T) {
	t.Parallel()
	o := order{id: "PR-1", kind: purchase, asset: "AS-1", want: approved}
	for told, wrong := range map[string]func(o *order, p *proof){
		"": func(*order, *proof) {},
		"with 2 effects": func(_ *order, p *proof) {
			p.effects["PR-1"] = append(p.effects["PR-1"], p.effects["PR-1"][0])
		},
		"with 2 tenants": func(_ *order, p *proof) {
			p.tenants["AS-1"] = append(p.tenants["AS-1"], vendorsim.Tenant{ID: "T-2"})
		},
		"with tenant \"T-1\" instead of T-7": func(_ *order, p *proof) { p.tenants["AS-1"][0].ID = "T-7" },
		"which is suspended":                 func(_ *order, p *proof) { p.tenants["AS-1"][0].State = vendorsim.StateSuspended },
		"after create of":                    func(o *order, _ *proof) { o.kind = "change" },
		"before the tenant was ready": func(o *order, p *proof) {
			o.want = slowTenant
			p.tenants["AS-1"][0].ReadyAt = time.Unix(102, 0)
		},
		"before its reseller was set up": func(o *order, p *proof) {
			o.want, o.after = afterTier, "TCR-1"
			p.ledger.writes["TCR-1"] = []write{{"approve", time.Unix(100, 0)}}
		},
		"after 1 inquiries": func(_ *order, p *proof) { p.ledger.writes["PR-1"] = []write{{"inquire", time.Unix(1, 0)}} },
	} {
		o := o
		p := carriedOut(o)
		wrong(&o, p)
		if got := p.judge(o); !strings.Contains(got, told) || (told == "") != (got == "") {
			t.Errorf("judged %q, want %q", got, told)
		}
	}
}

func TestFinished_LeftToAPerson_OnceListedForAWhile(t *testing.T) {
	t.Parallel()
	w := emptyWorld(t)
	w.connect.Load(connectsim.LoadOptions{Transfers: 1})
	w.note()
	o := w.orders[0]
	list := func(at time.Duration) {
		w.ledger.mu.Lock()
		defer w.ledger.mu.Unlock()
		w.ledger.listed = o.made.Add(at)
	}
	for _, c := range []struct {
		listed time.Duration
		status string
		want   bool
	}{
		{0, "pending", false}, {settle, "pending", false}, {settle + 1, "pending", true}, {settle + 1, "inquiring", false}, {0, "failed", true},
	} {
		list(c.listed)
		if got := w.finished(o, c.status); got != c.want {
			t.Errorf("%s, listed after %s: finished %v", c.status, c.listed, got)
		}
	}
	list(settle + 1)
	if s := w.summary(); !s.good() {
		t.Errorf("summary is %+v", s)
	}
	w.ledger.writes[o.id] = []write{{}}
	if s := w.summary(); s.good() || s.rows[0].wrong[0].how != "pending, but written to 1 times" {
		t.Errorf("summary is %+v", s)
	}
}

func TestSummary_EffectsOfNoRequest_AreBad(t *testing.T) {
	t.Parallel()
	w := emptyWorld(t)
	req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/tenant", strings.NewReader(`{"externalId":"AS-1"}`))
	w.vendor.Handler().ServeHTTP(httptest.NewRecorder(), req)
	if s := w.summary(); s.strays != 1 || s.good() {
		t.Errorf("summary is %+v", s)
	}
}

func TestLedger_Calls_AreNotedByRequest(t *testing.T) {
	t.Parallel()
	l := newLedger(http.NotFoundHandler())
	for _, c := range [][2]string{
		{http.MethodGet, "/requests?limit=1"}, {http.MethodGet, "/requests/PR-1"}, {http.MethodPut, "/requests/PR-1"},
		{http.MethodPost, "/requests/PR-1/approve"}, {http.MethodPost, "/tier/config-requests/TCR-1/inquire"},
		{http.MethodPost, "/conversations/PR-1/messages"},
	} {
		l.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), c[0], connectsim.BasePath+c[1], nil))
	}
	if l.count("PR-1", "*") != 2 || l.count("PR-1", "approve") != 1 || l.count("TCR-1", "inquire") != 1 || l.lastList().IsZero() {
		t.Errorf("noted %v, last list %v", l.writes, l.lastList())
	}
}
