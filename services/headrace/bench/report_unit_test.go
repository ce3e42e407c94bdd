package bench

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestMedian_OddAndEvenNumbers_IsTheMiddle(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		of   []float64
		want float64
	}{{nil, 0}, {[]float64{3}, 3}, {[]float64{9, 1, 2}, 2}, {[]float64{4, 1, 2, 9}, 3}} {
		if got := median(c.of); got != c.want {
			t.Errorf("median of %v is %v, not %v", c.of, got, c.want)
		}
	}
}

func TestQuantile_OfAHundred_IsAmongTheSlowest(t *testing.T) {
	t.Parallel()
	var of []float64
	for i := range 100 {
		of = append(of, float64(100-i))
	}
	if p50, p99, most := quantile(of, 0.5), quantile(of, 0.99), quantile(of, 1); p50 != 51 || p99 != 100 || most != 100 {
		t.Errorf("quantiles are %v, %v and %v", p50, p99, most)
	}
}

// The ratio of medians would say 1 here, but nobody was ever as fast.
func TestSettle_RatioIsTheMedianOfTheRounds(t *testing.T) {
	t.Parallel()
	r := row{measured: "m", against: "a", ours: "we/rate", theirs: "they/rate", bar: 0.9}
	got := settle(t, []row{r}, []readings{
		{"we/rate": 50, "they/rate": 100, "disk/syncs": 7}, {"we/rate": 80, "they/rate": 100, "disk/syncs": 9}, {"we/rate": 100, "they/rate": 200, "disk/syncs": 8},
	})
	want := result{row: r, one: 80, other: 100, value: 0.5, syncs: 8, rounds: 3}
	if d := cmp.Diff([]result{want}, got, cmp.AllowUnexported(result{}, row{})); d != "" {
		t.Error(d)
	}
}

func TestReached_BarsAreFloorsOrCeilings(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		value  float64
		atMost bool
		want   bool
	}{{0.95, false, true}, {0.949, false, false}, {0.95, true, true}, {0.951, true, false}} {
		r := result{row: row{bar: 0.95, atMost: c.atMost}, value: c.value}
		if r.reached() != c.want {
			t.Errorf("%v, at most %v: reached %v", c.value, c.atMost, r.reached())
		}
	}
}

func TestMerge_RowsNotMeasured_Stay(t *testing.T) {
	t.Parallel()
	one := row{measured: "one", against: "a", theirs: "x", bar: 0.9, unit: "/s"}
	two := row{measured: "two", against: "–", bar: 25, atMost: true, unit: "ms"}
	gone := row{measured: "gone", against: "a", bar: 1}
	first := merge("", []result{{row: gone}, {row: one, one: 90, other: 100, value: 0.9}}, []row{one, two, gone}, "2026-01-01", "abc")
	second := merge(first, []result{{row: two, one: 30, value: 30, syncs: 4000, rounds: 3}}, []row{one, two}, "2026-02-02", "def")
	want := head +
		"| one | a | ≥ 0.9 × | 90.0/s | 100/s | 0.9 | yes | 0/s | 2026-01-01 at abc, runs: 0 |\n" +
		"| two | – | ≤ 25 ms | 30.0 ms | – | – | **no** | 4000/s | 2026-02-02 at def, runs: 3 |\n"
	if d := cmp.Diff(want, second); d != "" {
		t.Error(d)
	}
}

func TestQuantity_ThreeDigits(t *testing.T) {
	t.Parallel()
	for v, want := range map[float64]string{0: "0 ms", 0.1234: "0.123 ms", 1.234: "1.23 ms", 12.34: "12.3 ms", 1234.5: "1234 ms"} {
		if got := quantity(v, "ms"); got != want {
			t.Errorf("%v is %q, not %q", v, got, want)
		}
	}
}

func TestSteady_LeavesOutBothEnds(t *testing.T) {
	t.Parallel()
	at := time.Now()
	var moments []time.Time
	for i := range 101 {
		pause := time.Millisecond
		if i < 10 || i > 90 {
			pause = time.Second // which is not to be seen
		}
		at = at.Add(pause)
		moments = append(moments, at)
	}
	if got := steady(moments); got < 999 || got > 1001 {
		t.Errorf("%v a second, not 1000", got)
	}
}

func TestExperiments_RowsReadWhatContendersTell_EachOnce(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, e := range experiments() {
		for _, r := range e.chosen(regexp.MustCompile("")) {
			name := result{row: r}.name()
			if seen[name] {
				t.Errorf("two rows are %s", name)
			}
			seen[name] = true
			for _, reading := range []string{r.ours, r.theirs} {
				of, _, _ := strings.Cut(reading, "/")
				known := reading == ""
				for _, c := range e.contenders {
					known = known || c.name == of
				}
				if !known {
					t.Errorf("%s: nobody measures %q", name, reading)
				}
			}
		}
	}
}
