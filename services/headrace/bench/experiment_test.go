package bench

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// readings are what a contender measured, each under a name, in the unit that
// its row shows.
type readings map[string]float64

// String is sorted by name.
func (r readings) String() string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(r)) {
		fmt.Fprintf(&b, "%s %.4g  ", name, r[name])
	}
	return b.String()
}

// contender is one of those that are measured in turns.
type contender struct {
	name string
	// run measures once. It has a directory of its own, on the disk that is
	// measured, and fails the test where the reading does not count.
	run func(t *testing.T, s setting) readings
}

// setting is what a run of a contender is given.
type setting struct {
	dir     string // for streams and logs; removed afterwards
	profile string // a file for a processor profile; "" is none
	inside  bool   // Headrace is this binary, not the one that make build makes
}

// row is a line of the table. Ours and theirs name readings as
// "<contender>/<reading>".
type row struct {
	measured, against string // in the table's words
	ours, theirs      string
	// bar is what the ratio of ours to theirs is to reach or, without theirs,
	// ours itself; with atMost it is not to be exceeded. 0 is none: the row is
	// there to be read.
	bar    float64
	atMost bool
	unit   string // of both: "/s", "ms", …
}

// experiment is what is measured together.
type experiment struct {
	name       string
	contenders []contender
	rows       []row
	once       bool // one round says it all, as of memory, and takes long enough
}

// chosen are the rows that only matches.
func (e experiment) chosen(only *regexp.Regexp) []row {
	var rows []row
	for _, r := range e.rows {
		if only.MatchString(e.name) || only.MatchString(r.measured) || only.MatchString(r.against) {
			rows = append(rows, r)
		}
	}
	return rows
}

// result is what came of a row: medians over all rounds.
type result struct {
	row
	one, other float64 // ours and theirs
	value      float64 // what is compared with the bar
	syncs      float64 // of the disk, a second
	rounds     int
}

func (r result) reached() bool {
	if r.atMost {
		return r.value <= r.bar
	}
	return r.value >= r.bar
}

// measure runs the contenders that the rows need, in turns: forwards in one
// round and backwards in the next.
func (e experiment) measure(t *testing.T, o orders, rows []row) []result {
	t.Helper()
	var rounds []readings
	if e.once {
		o.runs = 1
	}
	for round := range o.runs {
		turn := slices.Clone(e.contenders)
		if round%2 == 1 {
			slices.Reverse(turn)
		}
		all := readings{"disk/syncs": diskSyncs(t, o.dir)}
		for _, c := range turn {
			if !needed(c.name, rows) {
				continue
			}
			got := runOnce(t, o, e.name, c)
			t.Logf("round %d, %s: %s", round+1, c.name, got)
			for name, value := range got {
				all[c.name+"/"+name] = value
			}
		}
		rounds = append(rounds, all)
	}
	return settle(t, rows, rounds)
}

func runOnce(t *testing.T, o orders, experiment string, c contender) readings {
	t.Helper()
	s := setting{dir: tempDir(t, o.dir)}
	defer os.RemoveAll(s.dir)
	if o.profile != "" {
		s.profile = filepath.Join(o.profile, experiment+"-"+c.name+".pprof")
	}
	return c.run(t, s)
}

// tempDir is removed by the end of the test at the latest.
func tempDir(t *testing.T, below string) string {
	t.Helper()
	dir, err := os.MkdirTemp(below, "headrace-bench-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// needed reports whether a row reads something of the contender.
func needed(contender string, rows []row) bool {
	of := func(reading string) bool {
		return len(reading) > len(contender) && reading[:len(contender)+1] == contender+"/"
	}
	return slices.ContainsFunc(rows, func(r row) bool { return of(r.ours) || of(r.theirs) })
}

// settle makes the medians. The ratio is that of each round: what slows the
// machine down for a while slows both down.
func settle(t *testing.T, rows []row, rounds []readings) []result {
	t.Helper()
	var results []result
	for _, r := range rows {
		var one, other, value, syncs []float64
		for _, of := range rounds {
			ours, ok := of[r.ours]
			theirs, also := of[r.theirs]
			if !ok || r.theirs != "" && (!also || theirs == 0) {
				t.Errorf("%s: no reading of %q or %q", r.measured, r.ours, r.theirs)
				break
			}
			one, syncs = append(one, ours), append(syncs, of["disk/syncs"])
			if r.theirs == "" {
				value = append(value, ours)
				continue
			}
			other, value = append(other, theirs), append(value, ours/theirs)
		}
		results = append(results, result{
			row: r, one: median(one), other: median(other), value: median(value), syncs: median(syncs), rounds: len(rounds),
		})
	}
	return results
}

// median is the middle one, of an even number the mean of both; 0 of none.
func median(of []float64) float64 {
	of = slices.Sorted(slices.Values(of))
	n := len(of)
	if n == 0 {
		return 0
	}
	return (of[(n-1)/2] + of[n/2]) / 2
}

// quantile is the value below which a share q of all lies; 0 of none.
func quantile(of []float64, q float64) float64 {
	of = slices.Sorted(slices.Values(of))
	if len(of) == 0 {
		return 0
	}
	return of[min(int(q*float64(len(of))), len(of)-1)]
}
