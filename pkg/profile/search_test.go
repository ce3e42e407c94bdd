package profile

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/vendorapi"
)

const findable = `
purchase:
  lookup: {method: GET, path: "/tenant?externalId={asset.id}", tenant: 'map(answer, .tenantId)'}
`

func TestFind_Answers_AreIDsOrMakeNoSense(t *testing.T) {
	t.Parallel()
	one := strings.Replace(findable, "map(answer, .tenantId)", "answer?.tenantId", 1)
	for _, tt := range []struct {
		profile, answer string
		want            []string
		reason          string
	}{
		{findable, `200 []`, nil, ""},
		{findable, `200 [{"tenantId": "T-1"}]`, []string{"T-1"}, ""},
		{findable, `200 [{"tenantId": 12345678901234567890}]`, []string{"12345678901234567890"}, ""},
		{findable, `200 [{"tenantId": "T-1"}, {"tenantId": "T-2"}, {"tenantId": "T-1"}]`, []string{"T-1", "T-2"}, ""},
		{findable, `200 [{"tenantId": "T-1"}, {"id": "T-2"}]`, nil, "neither a tenant's id"},
		{findable, `200 [{"tenantId": true}]`, nil, "neither a tenant's id"},
		{findable, `200 {"error": "sorry"}`, nil, "cannot be calculated"},
		{findable, `200 <html>`, nil, "cannot be calculated"},
		{findable, `204`, nil, "cannot be calculated"},
		{one, `200 {"tenantId": "T-1"}`, []string{"T-1"}, ""},
		{one, `200 {"tenantId": 7}`, []string{"7"}, ""},
		{one, `200 {"tenantId": {"id": 7}}`, nil, "neither a tenant's id"},
		{one, `200 {"tenantId": ""}`, nil, ""},
		{one, `200 {}`, nil, ""},
		{one, `204`, nil, ""},
	} {
		s := newServer(t, map[string]string{"GET /tenant?externalId=AS-1": tt.answer})
		w := workWith(t, "purchase", "", s.at()+tt.profile, Options{})
		f, err := w.Profile.Finder.Find(t.Context(), w)
		if diff := cmp.Diff(tt.want, f.Tenants); err != nil || diff != "" || !strings.Contains(f.Reason, tt.reason) || (f.Reason == "") != (tt.reason == "") {
			t.Errorf("%s: %+v, %v\n%s", tt.answer, f, err, diff)
		}
	}
}

func TestFind_NotFound_IsNoTenantWhereTheProfileSaysSo(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil)
	w := workWith(t, "purchase", "", s.at()+findable, Options{})
	_, err := w.Profile.Finder.Find(t.Context(), w)
	var fault *vendorapi.Error
	if !errors.As(err, &fault) || fault.Kind != vendorapi.NotFound {
		t.Errorf("%v, want the vendor's 404", err)
	}
	w = workWith(t, "purchase", "", s.at()+strings.Replace(findable, "tenant:", "not_found: none, tenant:", 1), Options{})
	if f, err := w.Profile.Finder.Find(t.Context(), w); err != nil || len(f.Tenants) != 0 || f.Reason != "" {
		t.Errorf("%+v, %v, want no tenant", f, err)
	}
}

// TestFind_EmptyValue_IsNotAskedFor has a lookup by what the order does not have:
// the vendor would list the tenants of others.
func TestFind_EmptyValue_IsNotAskedFor(t *testing.T) {
	t.Parallel()
	s := newServer(t, map[string]string{"GET /tenant?externalId=": `200 [{"tenantId": "T-9"}]`})
	w := workWith(t, "purchase", "", s.at()+strings.Replace(findable, "asset.id", "asset.external_uid", 1), Options{})
	_, err := w.Profile.Finder.Find(t.Context(), w)
	var fault *vendorapi.Error
	if !errors.As(err, &fault) || !fault.NotSent || len(s.seen) != 0 || !strings.Contains(err.Error(), "find any tenant") {
		t.Errorf("%v, %v", err, s.seen)
	}
}

func TestFind_Settle_IsLongerThanACall(t *testing.T) {
	t.Parallel()
	for below, want := range map[string]time.Duration{
		findable:                             100 * time.Second,
		"vendor: {timeout: 5s}\n" + findable: 45 * time.Second,
		strings.Replace(findable, "{m", "{settle: 3m, m", 1): 3 * time.Minute,
	} {
		if w := workWith(t, "purchase", "", below, Options{}); w.Profile.Settle != want {
			t.Errorf("%s: %s, want %s", below, w.Profile.Settle, want)
		}
	}
	if w := workWith(t, "purchase", "", "purchase: {call: {method: POST, path: /t}}", Options{}); w.Profile.Finder != nil {
		t.Error("a profile without lookup has a Finder")
	}
}

func TestTry_Lookup_IsShownWhereItIsMade(t *testing.T) {
	t.Parallel()
	body := []byte(strings.NewReplacer("TYPE", "purchase", `"TENANT"`, `""`).Replace(order))
	for idempotency, calls := range map[string]int{"none": 2, "key": 1} {
		set, err := load(t, "vendor: {idempotency: "+idempotency+"}\n"+findable)
		if err != nil {
			t.Fatal(err)
		}
		for _, answer := range [][]byte{nil, []byte(`{"tenantId": "T-1", "status": "ready"}`)} {
			trial, err := set.Try(t.Context(), body, answer)
			if err != nil || len(trial.Calls) != calls || trial.Calls[calls-1].Method != "POST" || answer != nil && trial.Decision != fulfillment.Approve {
				t.Fatalf("%s, %s: %+v, %v", idempotency, answer, trial, err)
			}
			if first := trial.Calls[0]; calls == 2 && (first.Method != "GET" || !strings.HasSuffix(first.URL, "/tenant?externalId=AS-1")) {
				t.Errorf("%+v", first)
			}
		}
	}
}

func TestSet_Unguarded_ListsWhatOnlyTheStreamsKeepFromHappeningTwice(t *testing.T) {
	t.Parallel()
	const none = "vendor: {idempotency: none}\n"
	for below, want := range map[string]int{
		"":                                0,
		none:                              1,
		none + findable:                   0,
		none + "mode: manual":             0,
		none + "purchase: {policy: hold}": 0,
		none + "change: {policy: hold}":   1,
	} {
		set, err := load(t, below)
		if err != nil {
			t.Fatal(err)
		}
		if got := set.Unguarded(); len(got) != want {
			t.Errorf("%q: %v, want %d", below, got, want)
		}
	}
}
