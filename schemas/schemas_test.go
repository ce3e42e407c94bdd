package schemas

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/headrace/headrace/pkg/fulfillment"
)

const draft = "https://json-schema.org/draft/2020-12/schema"

func TestNames_AreTheKinds(t *testing.T) {
	t.Parallel()
	if diff := cmp.Diff(kinds(), Names()); diff != "" {
		t.Error(diff)
	}
	for _, name := range Names() {
		if _, err := Compile(name); err != nil {
			t.Error(err)
		}
	}
}

func TestGet_Unknown_Refuses(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"", "event.v2.json", "schemas.go", "examples/event.v1.approved.json", "../go.mod"} {
		_, getErr := Get(name)
		_, compileErr := Compile(name)
		_, examplesErr := Examples(name)
		for _, err := range []error{getErr, compileErr, examplesErr, Validate(name, []byte("{}"))} {
			if !errors.Is(err, ErrNoSchema) {
				t.Errorf("%q: got %v, want ErrNoSchema", name, err)
			}
		}
	}
}

func TestSchema_Itself_IsValid202012(t *testing.T) {
	t.Parallel()
	meta, err := jsonschema.NewCompiler().Compile(draft)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range Names() {
		s := schemaTree(t, name)
		if err := meta.Validate(s); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if s["$schema"] != draft || s["$id"] != fulfillment.SchemaBase+name {
			t.Errorf("%s: says it is %v of %v", name, s["$id"], s["$schema"])
		}
	}
	if err := meta.Validate(map[string]any{"type": "text"}); err == nil {
		t.Error("the check can't fail")
	}
}

// Whoever reads a schema finds one sentence for each property, and may add
// properties without breaking it.
func TestSchema_EveryProperty_IsDescribedAndOpen(t *testing.T) {
	t.Parallel()
	for _, name := range Names() {
		root := schemaTree(t, name)
		var walk func(s map[string]any, path string)
		walk = func(s map[string]any, path string) {
			text, _ := s["description"].(string)
			if text == "" {
				text, _ = follow(root, s)["description"].(string)
			}
			if !strings.HasSuffix(text, ".") || strings.Contains(text, ". ") || len(text) < 12 {
				t.Errorf("%s: %s: not one sentence: %q", name, path, text)
			}
			if s["additionalProperties"] == false || s["unevaluatedProperties"] == false {
				t.Errorf("%s: %s: closed", name, path)
			}
			for _, nest := range []string{"properties", "$defs"} {
				children, _ := s[nest].(map[string]any)
				for key, child := range children {
					walk(child.(map[string]any), path+"."+key)
				}
			}
			if items, ok := s["items"].(map[string]any); ok {
				walk(items, path+"[]")
			}
		}
		walk(root, "")
	}
}

// A reader of one schema need not know the other.
func TestSchema_SharedDefinitions_AreTheSame(t *testing.T) {
	t.Parallel()
	tier, _ := schemaTree(t, fulfillment.SchemaTierRequest)["$defs"].(map[string]any)
	defs, _ := schemaTree(t, fulfillment.SchemaRequest)["$defs"].(map[string]any)
	shared := 0
	for name, def := range defs {
		if other, both := tier[name]; both {
			shared++
			if diff := cmp.Diff(def, other); diff != "" {
				t.Errorf("%s: %s", name, diff)
			}
		}
	}
	if shared < 10 {
		t.Errorf("only %d definitions are shared", shared)
	}
}

func TestExamples_All_AreListedAndValid(t *testing.T) {
	t.Parallel()
	seen := make(map[string]bool)
	for _, name := range Names() {
		examples, headers := examplesOf(t, name), 0
		for _, e := range examples {
			stem := strings.TrimSuffix(name, ".json") + "." + e.Case
			seen[stem+".json"] = true
			if e.Header != nil {
				headers++
				seen[stem+".headers.json"] = true
			}
			if err := Validate(name, e.Body); err != nil {
				t.Errorf("%s: %v", stem, err)
			}
			if !bytes.HasSuffix(e.Body, []byte("}\n")) {
				t.Errorf("%s: no end of line", stem)
			}
		}
		if len(examples) < 1 || headers == 0 {
			t.Errorf("%s: %d examples, %d of them with headers", name, len(examples), headers)
		}
	}
	paths, err := filepath.Glob("examples/*")
	if err != nil || len(paths) == 0 {
		t.Fatal(len(paths), err)
	}
	for _, p := range paths {
		if !seen[filepath.Base(p)] {
			t.Errorf("%s: of no schema", p)
		}
	}
}

func TestReadme_NamesWhatIsOnTheWire(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	words := append(slices.DeleteFunc(Names(), func(n string) bool { return slices.Contains(events(), n) }),
		fulfillment.StreamRequests, fulfillment.StreamResults, fulfillment.StreamEvents, fulfillment.StreamDead,
		fulfillment.RootRequests, fulfillment.RootSchedules, fulfillment.RootRetries, fulfillment.RootResults,
		fulfillment.RootIntents, fulfillment.RootEvents, fulfillment.RootDead)
	for _, name := range Names() {
		for _, e := range examplesOf(t, name) {
			for header := range e.Header {
				words = append(words, header)
			}
		}
	}
	for _, w := range words {
		if !bytes.Contains(page, []byte(w)) {
			t.Errorf("README.md does not name %s", w)
		}
	}
}

func TestValidate_NotJSON_SaysSo(t *testing.T) {
	t.Parallel()
	for _, body := range []string{"", "{", "{} {}", "\x1f\x8b", `{"id":}`} {
		err := Validate(fulfillment.SchemaEvent, []byte(body))
		invalid := (*InvalidError)(nil)
		if err == nil || errors.As(err, &invalid) {
			t.Errorf("%q: got %v", body, err)
		}
	}
}

func TestValidate_Faults_NamePathAndRule(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, body, want string }{
		{fulfillment.SchemaRequest, `7`, "body: want object, found number"},
		{fulfillment.SchemaRequest, `{"id":1,"type":"x","status":""}`, "asset: missing; status: want at least 1 character"},
		{fulfillment.SchemaRequest, `{"id":1,"type":"x","status":"s","asset":{"id":"A","product":{}}}`, "asset.product.id: missing"},
		{
			fulfillment.SchemaRequest, `{"id":1,"type":"x","status":"s","asset":{"id":"A","product":"P","items":[{},{"quantity":{"secret":1}}]}}`,
			"asset.items[1].quantity: want null, number or string, found object",
		},
		{
			fulfillment.SchemaRequest, `{"id":1,"type":"x","status":"s","asset":{"id":"A","product":"P","params":"secret"}}`,
			"asset.params: want at most 0 characters",
		},
		{fulfillment.SchemaRequest, `{}`, "asset: missing; id: missing; status: missing; and 1 more"},
		{fulfillment.SchemaResult, edited(t, fulfillment.SchemaResult, "approve", "decision", "secret"), "decision: want approve, fail, inquire, wait or recheck"},
		{fulfillment.SchemaResult, edited(t, fulfillment.SchemaResult, "approve", "attempt", 0), "attempt: want at least 1"},
		{fulfillment.SchemaEvent, edited(t, fulfillment.SchemaEvent, "approved", "time", "secret"), "time: want a date-time"},
		{fulfillment.SchemaEvent, edited(t, fulfillment.SchemaEvent, "approved", "event", "My secret"), "event: want text that matches ^[a-z][a-z0-9-]*$"},
		{fulfillment.SchemaDead, edited(t, fulfillment.SchemaDead, "hold", "body", "sécret"), "body: want base64"},
		{fulfillment.SchemaDead, edited(t, fulfillment.SchemaDead, "hold", "headers", map[string]any{"a b\n": 1}), `headers."a b\n": want array, found number`},
	} {
		err := Validate(c.name, []byte(c.body))
		invalid := (*InvalidError)(nil)
		if !errors.As(err, &invalid) {
			t.Errorf("%s: got %v", c.body, err)
			continue
		}
		if want := "validate by " + c.name + ": " + c.want; err.Error() != want {
			t.Errorf("got  %s\nwant %s", err, want)
		}
		if strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: tells a value of the body", err)
		}
	}
}

// A few bytes must neither take the process down nor stop it.
func TestValidate_HugeNumbers_AreJudgedSmall(t *testing.T) {
	t.Parallel()
	for literal, valid := range map[string]bool{
		"1e999999999": false, "-1e999999999": false, "1e-999999999": false, "0e999999999": false, "1.5E+99999999999999999999": false,
		"1e999999": false, "1e-999999": false,
		"9007199254740992": false, "9007199254740991": true, "1": true, "1e2": true,
	} {
		body := strings.Replace(string(exampleOf(t, fulfillment.SchemaEvent, "approved").Body), `"episode": 1041`, `"episode": `+literal, 1)
		if err := Validate(fulfillment.SchemaEvent, []byte(body)); valid != (err == nil) {
			t.Errorf("%s: got %v", literal, err)
		}
	}
}

// edited is an example with one property replaced.
func edited(t *testing.T, name, which, key string, value any) string {
	t.Helper()
	o := object(t, exampleOf(t, name, which).Body)
	if _, there := o[key]; !there {
		t.Fatalf("%s.%s has no %s", name, which, key)
	}
	o[key] = value
	return string(encode(t, o))
}
