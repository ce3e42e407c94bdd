package profile

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/headrace/headrace/pkg/config"
)

// TestLoad_Wrong_TellsEveryFault compares with what was read over;
// UPDATE_GOLDEN=1 writes it.
func TestLoad_Wrong_TellsEveryFault(t *testing.T) {
	t.Parallel()
	set, err := Load("testdata/wrong.yaml", config.Vendor{})
	if err == nil || set != nil {
		t.Fatalf("loaded, with %v", err)
	}
	const name = "testdata/wrong.txt"
	if os.Getenv("UPDATE_GOLDEN") != "" {
		if err := os.WriteFile(name, []byte(err.Error()+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, readErr := os.ReadFile(name)
	if readErr != nil {
		t.Fatal(readErr)
	}
	if diff := cmp.Diff(string(want), err.Error()+"\n"); diff != "" {
		t.Errorf("(-reviewed +now):\n%s", diff)
	}
	if strings.Contains(err.Error(), "s3cr3t") {
		t.Error("a secret is repeated")
	}
}

func TestLoad_NoProfiles_AreAFault(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                                 "has no profiles",
		"products: []":                     "has no profiles",
		"products: {id: PRD-1}":            "x.yaml:1: products: is not a list",
		"products: [PRD-1]":                "x.yaml:1: products[0]: is not a block",
		"products: [{id: PRD-1}]":          "x.yaml:1: products[0]: lacks vendor.endpoint",
		"products: [{mode: manual}]":       "x.yaml:1: products[0]: lacks id",
		"products: [{id: , mode: manual}]": "x.yaml:1: products[0].id: is empty",
		"products: [{id: A, mode: manual, purchase: }]":                                               "products[0].purchase: is empty",
		"products: [{id: A, mode: manual, mode: manual}]":                                             "products[0].mode: is there twice",
		"products: [{id: A, mode: manual, environments: test}]":                                       "products[0].environments: is not a list",
		"products: [{id: A, mode: [manual]}]":                                                         "products[0].mode: takes one value",
		"products: [{id: A, vendor: {endpoint: 'http://u:p4ss@v'}}]":                                  "has credentials in it",
		"products: [{id: ' ', mode: manual}]":                                                         "x.yaml:1: products[0].id: is empty",
		"products: [{id: A, mode: manual, tenant_param: ''}]":                                         "products[0].tenant_param: is empty",
		"products: [{id: A, mode: manual, tenant_param: 'a '}]":                                       "products[0].tenant_param: has spaces around it",
		"products: [{id: A, mode: manual, tenant_param: \"a\\n\"}]":                                   "products[0].tenant_param: has spaces around it",
		"products: [{id: A, mode: manual, validation: [{param: '', required: true}]}]":                "validation[0].param: is empty",
		"products: [{id: A, mode: manual, validation: [{param: a, choices: ['']}]}]":                  "validation[0].choices[0]: is empty",
		"products: [{id: A, mode: manual, purchase: {policy: approve, save: {'': asset.id}}}]":        "purchase.save: has a name that is empty",
		"products: [{id: A, mode: manual, purchase: {policy: approve, save: {'a ': asset.id}}}]":      "purchase.save: has a name that is empty or has spaces",
		"products: [{id: A, mode: manual, purchase: {policy: approve, save: {'a': ''}}}]":             "purchase.save.a: is empty",
		"products: [{id: A, mode: manual, change: {call: {method: PUT, path: /, headers: {'': x}}}}]": "change.call.headers: has a name that is empty",
		"a: b: c": "is not YAML",
	} {
		file := filepath.Join(t.TempDir(), "x.yaml")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Load(file, config.Vendor{}); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "p4ss") {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
	if _, err := Load("nowhere.yaml", config.Vendor{}); err == nil {
		t.Error("a file that is not there was loaded")
	}
}

func TestLoad_Anchors_AreFollowed(t *testing.T) {
	t.Parallel()
	set, err := load(t, `
purchase: &first
  call: &create {method: POST, path: /a, body: '{}'}
change:
  <<: *first
  call:
    <<: *create
    method: PUT
`)
	if err != nil {
		t.Fatal(err)
	}
	if c := set.entries[0].Change.Call; c.Method.Value != "PUT" || c.Path.Value != "/a" {
		t.Errorf("change is %+v", c)
	}
}

func TestProfiles_Chosen_ByProductAndEnvironment(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "x.yaml")
	text := `products:
  - {id: PRD-1, environments: [test, preview], mode: manual}
  - {id: PRD-1, environments: [production], tenant_param: tenant}
  - {id: PRD-2, mode: manual}
`
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	set, err := Load(file, config.Vendor{Endpoint: "http://v", Idempotency: config.IdempotencyNone})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"PRD-1", "PRD-2"}, set.Products()); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"http://v"}, set.Endpoints()); diff != "" {
		t.Error(diff)
	}
	profiles, err := set.Profiles(Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ product, environment, fault string }{
		{"PRD-1", "test", ""}, {"PRD-1", "production", ""}, {"PRD-2", "", ""},
		{"PRD-1", "", `product PRD-1 has no profile for connections of type "": add one below products in x.yaml`},
		{"PRD-3", "test", "product PRD-3 has no profile: add one below products in x.yaml"},
	} {
		w, err := workOf([]byte(strings.NewReplacer("TYPE", "purchase", `"PRD-1"`, `"`+tt.product+`"`, `"test"`, `"`+tt.environment+`"`).Replace(order)))
		if err != nil {
			t.Fatal(err)
		}
		p, err := profiles(w)
		if tt.fault == "" && err != nil || tt.fault != "" && (err == nil || err.Error() != tt.fault) {
			t.Errorf("%s in %q: %v", tt.product, tt.environment, err)
		}
		if err == nil && (p.Manual == (tt.environment == "production") || p.Idempotent) {
			t.Errorf("%s in %q: %+v", tt.product, tt.environment, p)
		}
	}
}
