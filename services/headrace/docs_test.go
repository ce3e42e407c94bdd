package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"
)

// top is the repository, as seen from this package.
const top = "../.."

// pages reads every Markdown file of the repository, by its path from the top.
func pages(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	err := filepath.WalkDir(top, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && slices.Contains([]string{".git", "node_modules", "bin"}, d.Name()) {
			return filepath.SkipDir
		}
		if filepath.Ext(path) != ".md" {
			return nil
		}
		text, err := os.ReadFile(path)
		found[filepath.ToSlash(strings.TrimPrefix(path, top+string(filepath.Separator)))] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

var (
	link   = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	fenced = regexp.MustCompile("(?ms)^```([a-z]*)\n(.*?)^```$")
)

func TestDocs_RelativeLinks_Resolve(t *testing.T) {
	t.Parallel()
	all := pages(t)
	for name, text := range all {
		for _, m := range link.FindAllStringSubmatch(fenced.ReplaceAllString(text, ""), -1) {
			if fault := resolve(all, name, m[1]); fault != "" {
				t.Errorf("%s: %s %s", name, m[1], fault)
			}
		}
	}
	if len(all) < 20 {
		t.Errorf("%d pages were found; is the top somewhere else?", len(all))
	}
}

// resolve says what is wrong with a link on a page, "" for nothing.
func resolve(all map[string]string, page, target string) string {
	if strings.Contains(target, "://") {
		return ""
	}
	file, anchor, anchored := strings.Cut(target, "#")
	path := page
	if file != "" {
		path = filepath.ToSlash(filepath.Join(filepath.Dir(page), file))
	}
	if _, err := os.Stat(filepath.Join(top, path)); err != nil {
		return "leads nowhere"
	}
	if anchored && !slices.Contains(anchors(all[path]), anchor) {
		return "leads to no heading"
	}
	return ""
}

// anchors are the names that a Markdown viewer gives to a page's headings.
func anchors(page string) []string {
	var names []string
	for _, line := range strings.Split(fenced.ReplaceAllString(page, ""), "\n") {
		if !strings.HasPrefix(line, "#") {
			continue
		}
		names = append(names, strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case r == '-' || r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r):
				return unicode.ToLower(r)
			}
			return -1
		}, strings.TrimSpace(strings.TrimLeft(line, "#"))))
	}
	return names
}

func TestReadme_FirstCodeBlock_IsTheTwoCommands(t *testing.T) {
	t.Parallel()
	first := fenced.FindStringSubmatch(pages(t)["README.md"])
	if first == nil || first[2] != "make demo\nmake test\n" {
		t.Errorf("README.md begins with the code block %q", first)
	}
}

func TestDocs_EveryPage_IsInTheIndex(t *testing.T) {
	t.Parallel()
	all := pages(t)
	for name := range all {
		page, inDocs := strings.CutPrefix(name, "docs/")
		if inDocs && page != "README.md" && !strings.Contains(all["docs/README.md"], "("+page+")") {
			t.Errorf("docs/README.md does not list %s", page)
		}
	}
}

func TestDocs_MakeTargets_AreInTheMakefile(t *testing.T) {
	t.Parallel()
	makefile, err := os.ReadFile(filepath.Join(top, "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile("(?m)(?:^|`)make ([a-z]+)(?:`|$)")
	for name, text := range pages(t) {
		for _, m := range named.FindAllStringSubmatch(text, -1) {
			if !strings.Contains(string(makefile), "\n"+m[1]+":") {
				t.Errorf("%s: there is no make %s", name, m[1])
			}
		}
	}
}
