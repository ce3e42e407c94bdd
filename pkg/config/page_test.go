package config_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/headrace/headrace/pkg/config"
)

// TestSettings_Page_ListsThemAll holds docs/reference/settings.md to the table
// of settings: variables, keys, defaults and what each is.
func TestSettings_Page_ListsThemAll(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/reference/settings.md")
	if err != nil {
		t.Fatal(err)
	}
	listed := regexp.MustCompile("(?m)^\\| `HEADRACE_.*$").FindAllString(string(page), -1)
	var have []string
	for _, s := range config.Default().Settings() {
		value := s.Value
		if value != "" {
			value = "`" + value + "`"
		}
		have = append(have, strings.Join([]string{"| `" + s.Variable + "`", "`" + s.Key + "`", s.Help, value + " |"}, " | "))
	}
	if diff := cmp.Diff(have, listed); diff != "" {
		t.Errorf("docs/reference/settings.md differs from the settings (-settings +page):\n%s", diff)
	}
}
