package gen

import (
	"bytes"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/headrace/headrace/pkg/fulfillment"
)

// top is the repository, as seen from this package.
const top = "../.."

// TestFiles_All_AreCurrent holds schemas, examples, AsyncAPI document and page to
// the catalogue. UPDATE_GOLDEN=1 writes them, and takes away what is left over.
func TestFiles_All_AreCurrent(t *testing.T) {
	t.Parallel()
	files := generated(t)
	update := os.Getenv("UPDATE_GOLDEN") != ""
	for path, want := range files {
		if update {
			if err := os.WriteFile(filepath.Join(top, path), want, 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		got, err := os.ReadFile(filepath.Join(top, path))
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s is not what the catalogue says (%v); UPDATE_GOLDEN=1 go test ./schemas/gen writes it: %s", path, err, cmp.Diff(string(got), string(want)))
		}
	}
	for _, pattern := range []string{"schemas/event.*.v1.json", "schemas/examples/event.*.v1.*.json"} {
		found, err := filepath.Glob(filepath.Join(top, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range found {
			name := strings.TrimPrefix(filepath.ToSlash(path), top+"/")
			if _, known := files[name]; known {
				continue
			}
			if !update {
				t.Errorf("%s is of no event in the catalogue", name)
			} else if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestFiles_ForEachEvent_AreThere(t *testing.T) {
	t.Parallel()
	files := generated(t)
	paths := slices.Sorted(maps.Keys(files))
	page, async := string(files["docs/reference/events.md"]), string(files["schemas/asyncapi.json"])
	for _, f := range fulfillment.Facts() {
		name := fulfillment.EventSchema(f.Event)
		if _, there := files["schemas/"+name]; !there {
			t.Errorf("%s has no schema of its own: %v", f.Event, paths)
		}
		stem := "schemas/examples/" + strings.TrimSuffix(name, ".json")
		if !slices.ContainsFunc(paths, func(p string) bool { return strings.HasPrefix(p, stem) }) {
			t.Errorf("%s has no example", f.Event)
		}
		if !strings.Contains(page, "\n### "+string(f.Event)+"\n\n"+f.When+" "+f.Promise+"\n") {
			t.Errorf("%s is not on the page", f.Event)
		}
		if !strings.Contains(async, `"./`+name+`"`) || !strings.Contains(async, `"`+address(f.Event)+`"`) {
			t.Errorf("%s is not in the AsyncAPI document", f.Event)
		}
	}
}

// The headers that are told of are those that are written, and the subjects are
// those of the Go code.
func TestHeadersAndSubjects_Told_AreThoseOfTheCode(t *testing.T) {
	t.Parallel()
	for _, f := range fulfillment.Facts() {
		var told []string
		for _, h := range headers(&f) {
			if !h.optional || h.name == fulfillment.HeaderSubject {
				told = append(told, h.name)
			}
		}
		for _, e := range examples(f) {
			written := slices.Sorted(maps.Keys(e.header()))
			if diff := cmp.Diff(slices.Sorted(slices.Values(told)), written); diff != "" {
				t.Errorf("%s %s: %s", f.Event, e.name, diff)
			}
			k := e.key()
			filled := strings.NewReplacer("{type}", string(k.Type), "{product}", k.Product, "{asset}", k.Asset, "{request}", k.Request).Replace(address(f.Event))
			if got := k.EventSubject(f.Event); got != filled {
				t.Errorf("%s is on %s, the document says %s", f.Event, got, filled)
			}
			if !f.Of(k.Type) {
				t.Errorf("%s: the example %s is of type %s, of which it is not told", f.Event, e.name, k.Type)
			}
		}
	}
}

func generated(t *testing.T) map[string][]byte {
	t.Helper()
	files, err := Files()
	if err != nil {
		t.Fatal(err)
	}
	return files
}
