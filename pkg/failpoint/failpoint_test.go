package failpoint_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/headrace/headrace/pkg/failpoint"
)

// named finds the constants of a kind in what is not a test, and who uses them.
func named(t *testing.T, use *regexp.Regexp) map[string]int {
	t.Helper()
	found := map[string]int{}
	for _, top := range []string{"../../pkg", "../../services"} {
		err := filepath.WalkDir(top, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			text, err := os.ReadFile(path)
			for _, m := range use.FindAllStringSubmatch(string(text), -1) {
				found[m[1]]++
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return found
}

func TestPoints_EachConstant_IsListedAndPlaced(t *testing.T) {
	t.Parallel()
	constants := named(t, regexp.MustCompile(`(?m)^\t(\w+) +Point = "`))
	placed := named(t, regexp.MustCompile(`failpoint\.Here\(failpoint\.(\w+), `))
	if len(constants) != len(failpoint.Points()) {
		t.Errorf("%d constants, %d points listed", len(constants), len(failpoint.Points()))
	}
	for name := range constants {
		if placed[name] == 0 {
			t.Errorf("no process dies at %s", name)
		}
	}
}

func TestMutants_EachConstant_SwitchesSomethingOff(t *testing.T) {
	t.Parallel()
	used := named(t, regexp.MustCompile(`failpoint\.Off\(failpoint\.(\w+)\)`))
	for name := range named(t, regexp.MustCompile(`(?m)^\t(\w+) +Mutant = "`)) {
		if used[name] == 0 {
			t.Errorf("mutant %s changes nothing", name)
		}
	}
}

func TestStruck_OtherLines_AreNone(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]bool{
		"failpoint struck: approved kill PR-1-001\n": true,
		"failpoint struck: listed stop ":             true,
		"failpoint struck: listed":                   false,
		`{"msg":"failpoint struck: approved kill"}`:  false,
	} {
		if _, _, _, ok := failpoint.Struck(line); ok != want {
			t.Errorf("%q: %v", line, ok)
		}
	}
}
