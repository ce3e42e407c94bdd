package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// A test that the page names and that was renamed since shows nothing.
func TestDecisionFlow_TestsItNames_AreThere(t *testing.T) {
	t.Parallel()
	const page = "docs/explanation/decision-flow.md"
	named := regexp.MustCompile("\\[`(Test\\w+)`\\]\\((\\S+)\\)").FindAllStringSubmatch(pages(t)[page], -1)
	for _, m := range named {
		source, err := os.ReadFile(filepath.Join(top, filepath.Dir(page), m[2]))
		if err != nil {
			t.Errorf("%s: %v", m[1], err)
			continue
		}
		if !strings.Contains(string(source), "\nfunc "+m[1]+"(t *testing.T)") {
			t.Errorf("there is no %s in %s", m[1], m[2])
		}
	}
	if len(named) < 40 {
		t.Errorf("the page names %d tests; has its form changed?", len(named))
	}
}
