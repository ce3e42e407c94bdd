package compat

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/headrace/headrace/schemas"
	"github.com/headrace/headrace/schemas/breaking"
)

// TestRelease_ItsSchemas_AreKept refuses what would break those who build on the
// schemas of a release. What can't be done otherwise is a second version beside
// the first, with a file of its own.
func TestRelease_ItsSchemas_AreKept(t *testing.T) {
	t.Parallel()
	for _, version := range releases(t) {
		changes, err := breaking.Set(textsOf(t, version), today(t))
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range changes {
			if grows(c) {
				continue
			}
			t.Errorf("breaks who builds on %s: %s", version, c)
		}
	}
}

// grows reports whether an event is now told of one more type of request, as
// Connect adds types and readers are told to expect.
func grows(c breaking.Change) bool {
	return strings.HasPrefix(c.File, "event.") && c.Path == "type" && strings.HasPrefix(c.What, "value added: ")
}

// textsOf are the schemas of a release, by file name.
func textsOf(t *testing.T, version string) map[string][]byte {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", version, "schemas", "*.v*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no schemas of %s: %v", version, err)
	}
	texts := map[string][]byte{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		texts[filepath.Base(file)] = text
	}
	return texts
}

func today(t *testing.T) map[string][]byte {
	t.Helper()
	texts := map[string][]byte{}
	for _, name := range schemas.Names() {
		text, err := schemas.Get(name)
		if err != nil {
			t.Fatal(err)
		}
		texts[name] = text
	}
	return texts
}
