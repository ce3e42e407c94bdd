package bench

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// page is where the figures go.
const page = "../../../docs/reference/performance.md"

const (
	begin = "<!-- figures: written by make bench -->\n"
	end   = "<!-- end of figures -->"
	head  = "| measured | against | to reach | Headrace | the other | ratio | reached | disk syncs | measured on |\n" +
		"|---|---|---|---|---|---|---|---|---|\n"
)

// table is the results in Markdown.
func table(results []result) string {
	var b strings.Builder
	b.WriteString(head)
	for _, r := range results {
		b.WriteString(r.line(time.Now().UTC().Format("2006-01-02"), revision()))
	}
	return b.String()
}

// line is a result's line. Its first two cells name it.
func (r result) line(day, revision string) string {
	other, ratio, sign, times := "–", "–", "≥", " ×"
	if r.theirs != "" {
		other, ratio = quantity(r.other, r.unit), fmt.Sprintf("%.3g", r.value)
	} else {
		times = " " + r.unit
	}
	if r.atMost {
		sign = "≤"
	}
	reached := "**no**"
	if r.reached() {
		reached = "yes"
	}
	bar := sign + " " + strconv.FormatFloat(r.bar, 'g', -1, 64) + times
	if r.bar == 0 {
		bar, reached = "–", "–"
	}
	return fmt.Sprintf("%s %s | %s | %s | %s | %s | %.0f/s | %s at %s, runs: %d |\n", r.name(), bar,
		quantity(r.one, r.unit), other, ratio, reached, r.syncs, day, revision, r.rounds)
}

func (r result) name() string { return "| " + r.measured + " | " + r.against + " |" }

// quantity is a reading with three digits and its unit.
func quantity(v float64, unit string) string {
	digits := 0
	for limit := 100.0; v < limit && digits < 3 && v > 0; limit /= 10 {
		digits++
	}
	text := strconv.FormatFloat(v, 'f', digits, 64)
	if strings.HasPrefix(unit, "/") {
		return text + unit
	}
	return text + " " + unit
}

// merge puts the results' lines in the place of those of earlier runs; those of
// rows that were not measured stay. The order is that of all.
func merge(old string, results []result, all []row, day, revision string) string {
	lines := map[string]string{}
	for line := range strings.Lines(old) {
		if cells := strings.SplitN(line, "|", 4); len(cells) == 4 {
			lines["|"+cells[1]+"|"+cells[2]+"|"] = line
		}
	}
	for _, r := range results {
		lines[r.name()] = r.line(day, revision)
	}
	var b strings.Builder
	b.WriteString(head)
	for _, r := range all {
		b.WriteString(lines[result{row: r}.name()])
	}
	return b.String()
}

// publish puts results into the page, between two marks.
func publish(results []result) error {
	text, err := os.ReadFile(page)
	if err != nil {
		return err
	}
	before, rest, found := strings.Cut(string(text), begin)
	old, after, ended := strings.Cut(rest, end)
	if !found || !ended {
		return errors.New(page + " has no place for figures")
	}
	var all []row
	for _, e := range experiments() {
		all = append(all, e.rows...)
	}
	figures := merge(old, results, all, time.Now().UTC().Format("2006-01-02"), revision())
	return os.WriteFile(page, []byte(before+begin+"\n"+machine()+"\n\n"+figures+"\n"+end+after), 0o644)
}

// revision is what the sources are, with a plus where they were changed since.
func revision() string {
	out, err := exec.Command("git", "describe", "--always", "--dirty=+", "--exclude=*").Output()
	if err != nil {
		return "?"
	}
	return strings.TrimSpace(string(out))
}

// machine says on what was measured.
func machine() string {
	model := runtime.GOARCH
	if text, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		if m := regexp.MustCompile(`(?m)^model name\s*:\s*(.+)$`).FindSubmatch(text); m != nil {
			model = string(m[1])
		}
	}
	return fmt.Sprintf("%d cores of %s, %s, %s, nats-server %s, nats.go %s.", runtime.NumCPU(), model, runtime.GOOS,
		runtime.Version(), version("nats-server/v2"), version("nats.go"))
}

// version is that of a module of NATS, in go.mod.
func version(module string) string {
	text, err := os.ReadFile("../../../go.mod")
	if err != nil {
		return "?"
	}
	m := regexp.MustCompile(`(?m)^\s*github\.com/nats-io/` + regexp.QuoteMeta(module) + ` (\S+)`).FindSubmatch(text)
	if m == nil {
		return "?"
	}
	return string(m[1])
}
