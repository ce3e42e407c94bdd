package profile

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/processor"
	"github.com/headrace/headrace/pkg/vendorapi"
)

// authorised makes a call with credentials, and returns it.
func authorised(t *testing.T, auth string) *http.Request {
	t.Helper()
	s := newServer(t, map[string]string{"PUT /tenant/a/disable": "204"})
	w := workWith(t, "suspend", "a", "vendor: {endpoint: "+s.URL+", auth: "+auth+"}\n", Options{Environ: []string{"A_SECRET=s3cr3t"}})
	if v, err := processor.CallTenant(t.Context(), w); err != nil || v.Decision != fulfillment.Approve {
		t.Fatalf("%+v, %v", v, err)
	}
	return s.calls[0]
}

func TestAuth_Credentials_AreOnTheCall(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte("s3cr3t\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for auth, header := range map[string][2]string{
		"{type: none}": {"Authorization", ""},
		"{type: header, name: X-Key, value: {env: A_SECRET}}":    {"X-Key", "s3cr3t"},
		"{type: bearer, token: {file: " + file + "}}":            {"Authorization", "Bearer s3cr3t"},
		"{type: basic, username: me, password: {env: A_SECRET}}": {"Authorization", "Basic bWU6czNjcjN0"},
	} {
		if got := authorised(t, auth).Header.Get(header[0]); got != header[1] {
			t.Errorf("%s: %s is %q", auth, header[0], got)
		}
	}
}

func TestAuth_SecretsMissing_AreAllTold(t *testing.T) {
	t.Parallel()
	set, err := load(t, "vendor: {auth: {type: bearer, token: {env: NOT_SET}}}")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := set.Profiles(Options{}); err == nil || err.Error() != "headrace.yaml:3: products[0].vendor.auth.token.env: NOT_SET is not set; set it to the secret" {
		t.Errorf("%v", err)
	}
	if _, err := set.Profiles(Options{Instead: processor.TenantVendor{}}); err != nil {
		t.Errorf("where nothing is called: %v", err)
	}
}

// issuer gives out tokens: 1, 2, …
type issuer struct {
	*httptest.Server
	given  atomic.Int64
	status atomic.Int64
}

func newIssuer(t *testing.T) *issuer {
	t.Helper()
	i := &issuer{}
	i.status.Store(http.StatusOK)
	i.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if id, secret, _ := r.BasicAuth(); id != "me" || secret != "s3cr3t" || r.FormValue("scope") != "a b" {
			w.WriteHeader(http.StatusTeapot)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(int(i.status.Load()))
		_, _ = io.WriteString(w, `{"token_type": "bearer", "expires_in": 3600, "access_token": "`+strings.Repeat("x", int(i.given.Add(1)))+`"}`)
	}))
	t.Cleanup(i.Close)
	return i
}

func (i *issuer) auth() string {
	return "{type: oauth2, token_url: " + i.URL + ", client_id: me, client_secret: {env: A_SECRET}, scopes: [a, b]}"
}

func TestAuth_OAuth2_TokenSharedAndRenewed(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	var mu sync.Mutex
	var seen []string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		seen = append(seen, r.Header.Get("Authorization"))
		if len(seen) == 21 {
			w.WriteHeader(http.StatusUnauthorized)
		}
	}))
	defer s.Close()
	w := workWith(t, "suspend", "a", "vendor: {endpoint: "+s.URL+", auth: "+i.auth()+"}\n", Options{Environ: []string{"A_SECRET=s3cr3t"}})
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if _, err := processor.CallTenant(t.Context(), w); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if n := i.given.Load(); n != 1 {
		t.Errorf("20 calls at once asked for %d tokens", n)
	}
	_, err := processor.CallTenant(t.Context(), w)
	var fault *vendorapi.Error
	if !errors.As(err, &fault) || fault.Kind != vendorapi.Unauthorized {
		t.Errorf("the vendor's 401 is %v", err)
	}
	if _, err := processor.CallTenant(t.Context(), w); err != nil {
		t.Error(err)
	}
	if seen[20] != "Bearer x" || seen[21] != "Bearer xx" {
		t.Errorf("tokens: %v", slices.Compact(seen))
	}
}

func TestAuth_TokenRefused_IsOurFault(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]vendorapi.Kind{
		400: vendorapi.Unauthorized, 401: vendorapi.Unauthorized, 403: vendorapi.Unauthorized, 500: vendorapi.Unavailable,
	} {
		i := newIssuer(t)
		i.status.Store(int64(status))
		w := workWith(t, "suspend", "a", "vendor: {endpoint: http://127.0.0.1:1, auth: "+i.auth()+"}\n", Options{Environ: []string{"A_SECRET=s3cr3t"}})
		_, err := processor.CallTenant(t.Context(), w)
		var fault *vendorapi.Error
		if !errors.As(err, &fault) || fault.Kind != want || fault.Outcome() != vendorapi.NotDone || strings.Contains(err.Error(), "access_token") {
			t.Errorf("%d: %v", status, err)
		}
	}
}

func TestAuth_RedirectElsewhere_CarriesNoCredentials(t *testing.T) {
	t.Parallel()
	var got http.Header
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r.Header
		_, _ = io.WriteString(w, "{}")
	}))
	defer other.Close()
	s := httptest.NewServer(http.RedirectHandler(other.URL, http.StatusFound))
	defer s.Close()
	for _, auth := range []string{"{type: header, name: X-Key, value: {env: A_SECRET}}", newIssuer(t).auth()} {
		w := workWith(t, "purchase", "", "vendor: {endpoint: "+s.URL+", auth: "+auth+"}\n", Options{Environ: []string{"A_SECRET=s3cr3t"}})
		if _, err := w.Profile.Vendor.Continue(t.Context(), w, "a"); err != nil {
			t.Fatal(err)
		}
		if got.Get("X-Key") != "" || got.Get("Authorization") != "" {
			t.Errorf("%s: another host got %v", auth, got)
		}
	}
}

// TestProfiles_OneVendor_SharesItsPause has two products at one endpoint: where
// one is told to wait, the other does.
func TestProfiles_OneVendor_SharesItsPause(t *testing.T) {
	t.Parallel()
	calls := 0
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		calls++
		w.Header().Set("Retry-After", "60")
		w.WriteHeader(http.StatusTooManyRequests)
	}))
	defer s.Close()
	set, err := load(t, "vendor: {endpoint: "+s.URL+"}\n")
	if err != nil {
		t.Fatal(err)
	}
	again := *set.entries[0]
	again.ID.Value = "PRD-2"
	set.entries = append(set.entries, &again)
	profiles, err := set.Profiles(Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, product := range []string{"PRD-1", "PRD-2"} {
		w, err := workOf([]byte(strings.NewReplacer("TYPE", "suspend", "PRD-1", product).Replace(order)))
		if err != nil {
			t.Fatal(err)
		}
		if w.Profile, err = profiles(w); err != nil {
			t.Fatal(err)
		}
		if _, err := processor.CallTenant(t.Context(), w); err == nil {
			t.Error("not told to wait")
		}
	}
	if calls != 1 {
		t.Errorf("%d calls, want 1", calls)
	}
}
