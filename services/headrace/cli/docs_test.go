package cli

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
)

const commandsHead = `# Commands

Generated from the commands' own help; ` + "`UPDATE_GOLDEN=1 go test ./services/headrace/cli -run TestCommandsPage`" + ` writes it anew.

Every command takes ` + "`--config file`" + `, the YAML file with settings, and ` + "`--help`" + `. Results go to the standard output, all else to the standard
error. The settings are in [settings.md](settings.md); ` + "`headrace help settings`" + ` prints them.

| exit status | meaning |
|---|---|
| 0 | done |
| 1 | failed |
| 2 | wrong usage or settings |
| 3 | the broker is not reached, or refuses the credentials |
`

// UPDATE_GOLDEN=1 writes the page, to be read before it is committed.
func TestCommandsPage_IsWhatTheCommandsSay(t *testing.T) {
	t.Parallel()
	const page = "../../../docs/reference/commands.md"
	var b strings.Builder
	b.WriteString(commandsHead)
	for _, c := range commands(root()) {
		if c.HasParent() && !strings.HasPrefix(c.CommandPath(), "headrace completion ") {
			describe(&b, c)
		}
	}
	if os.Getenv("UPDATE_GOLDEN") != "" {
		if err := os.WriteFile(page, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(b.String(), string(text)); diff != "" {
		t.Errorf("UPDATE_GOLDEN=1 has this test write it; docs/reference/commands.md differs (-commands +page):\n%s", diff)
	}
}

// root has all commands, also those that cobra adds.
func root() *cobra.Command {
	r := new(Program).root()
	r.InitDefaultCompletionCmd()
	return r
}

// commands are c and all below it that are not hidden.
func commands(c *cobra.Command) []*cobra.Command {
	all := []*cobra.Command{c}
	for _, child := range c.Commands() {
		if child.IsAvailableCommand() {
			all = append(all, commands(child)...)
		}
	}
	return all
}

// describe writes a command's section. Errors of a strings.Builder there are
// none.
func describe(b *strings.Builder, c *cobra.Command) {
	about := strings.ReplaceAll(c.Long, "<", "\\<")
	if about == "" {
		about = c.Short + "."
	}
	use := c.UseLine()
	if c.HasAvailableSubCommands() {
		use = c.CommandPath() + " COMMAND"
	}
	fmt.Fprintf(b, "\n## %s\n\n%s\n\n```text\n%s\n", c.CommandPath(), strings.TrimSpace(about), use)
	if flags := strings.TrimRight(c.NonInheritedFlags().FlagUsages(), "\n"); flags != "" {
		fmt.Fprintf(b, "\n%s\n", flags)
	}
	b.WriteString("```\n")
	if c.Example != "" {
		fmt.Fprintf(b, "\n```text\n%s\n```\n", c.Example)
	}
}

// TestDocs_CommandsNamed_Exist looks at "headrace …" in code of every page.
func TestDocs_CommandsNamed_Exist(t *testing.T) {
	t.Parallel()
	code := regexp.MustCompile("(?ms)^```[a-z]*\n.*?^```$|`[^`\n]+`")
	named := regexp.MustCompile(`(?:^|[\s/` + "`" + `])headrace ([a-z]+)(?: ([a-z]+))?`)
	seen := 0
	for name, text := range markdown(t) {
		for _, block := range code.FindAllString(text, -1) {
			for _, m := range named.FindAllStringSubmatch(block, -1) {
				seen++
				if fault := unknown(m[1], m[2]); fault != "" {
					t.Errorf("%s: there is no command %q", name, fault)
				}
			}
		}
	}
	if seen < 50 {
		t.Errorf("%d commands were found; is this still what the pages look like?", seen)
	}
}

// unknown returns the command that does not exist, else "".
func unknown(words ...string) string {
	at := root()
	for n, word := range words {
		if word == "" || at.HasParent() && !at.HasAvailableSubCommands() || word == "help" && n == 0 {
			return ""
		}
		i := slices.IndexFunc(at.Commands(), func(c *cobra.Command) bool { return c.Name() == word })
		if i < 0 {
			return strings.Join(words[:n+1], " ")
		}
		at = at.Commands()[i]
	}
	return ""
}

// markdown reads the pages of the repository.
func markdown(t *testing.T) map[string]string {
	t.Helper()
	const top = "../../.."
	found := map[string]string{}
	read := func(path string) {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		found[path] = string(text)
	}
	for _, name := range []string{"README.md", "CONTRIBUTING.md"} {
		read(filepath.Join(top, name))
	}
	err := filepath.WalkDir(filepath.Join(top, "docs"), func(path string, _ fs.DirEntry, err error) error {
		if filepath.Ext(path) == ".md" {
			read(path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}
