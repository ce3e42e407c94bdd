package telemetry_test

import (
	"errors"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/headrace/headrace/pkg/telemetry"
)

// used is a Metrics of which every series has been touched.
func used(now time.Time) *telemetry.Metrics {
	m := telemetry.New(telemetry.WithClock(func() time.Time { return now }), telemetry.WithVersion("v1", "abc"))
	m.ConnectCall("GET", "/requests", 200, 20*time.Millisecond)
	m.ConnectCall("GET", "/requests", 0, time.Second)
	m.VendorCall("vendor.example", "POST", "/tenant", 201, time.Millisecond)
	m.Decision("purchase", "purchase", "approve")
	m.Event("purchase", "approved")
	m.Retry("change", "change", "upstream")
	m.UpstreamPaused("vendor", "the vendor", true)
	m.Backlog("purchase", 3, 1)
	m.Backlog("change", 3, 1)
	m.NoBacklog("change")
	m.Dead("hold", "cancel")
	m.Repaired("committer", "missing")
	m.Handled("purchase", "purchase", time.Millisecond)
	m.PollDone(now.Add(-90*time.Second), nil)
	m.PollDone(now.Add(-time.Second), errors.New("refused"))
	m.SetRequests(map[string]map[string]int{"purchase": {"queued": 3, "waiting": 1}})
	m.SetOldest(map[string]time.Time{"purchase": now.Add(-time.Hour)})
	return m
}

func TestMetrics_TableReplaced_NoStaleSeries(t *testing.T) {
	t.Parallel()
	m := used(time.Unix(1_800_000_000, 0))
	m.SetRequests(map[string]map[string]int{"purchase": {"queued": 2}})
	want := `
# HELP headrace_requests Requests by type and state, as of the last poll.
# TYPE headrace_requests gauge
headrace_requests{state="queued",type="purchase"} 2
`
	if err := testutil.GatherAndCompare(m.Registry(), strings.NewReader(want), "headrace_requests"); err != nil {
		t.Error(err)
	}
}

func TestMetrics_Ages_ComputedWhenRead(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_800_000_000, 0)
	m := telemetry.New(telemetry.WithClock(func() time.Time { return now }))
	m.PollDone(now, nil)
	m.SetOldest(map[string]time.Time{"cancel": now.Add(-time.Minute)})
	now = now.Add(30 * time.Second)
	m.PollDone(now, errors.New("Connect is down"))
	want := `
# HELP headrace_oldest_waiting_seconds Age of the oldest request of a type that is not finished; Connect's service levels count from its creation.
# TYPE headrace_oldest_waiting_seconds gauge
headrace_oldest_waiting_seconds{type="cancel"} 90
# HELP headrace_poll_age_seconds Seconds since the last poll of Connect that went well; absent in a process that does not poll.
# TYPE headrace_poll_age_seconds gauge
headrace_poll_age_seconds 30
# HELP headrace_polls_total Polls of Connect for pending requests: ok or error.
# TYPE headrace_polls_total counter
headrace_polls_total{result="error"} 1
headrace_polls_total{result="ok"} 1
`
	err := testutil.GatherAndCompare(m.Registry(), strings.NewReader(want),
		"headrace_oldest_waiting_seconds", "headrace_poll_age_seconds", "headrace_polls_total")
	if err != nil {
		t.Error(err)
	}
}

func TestMetrics_CallWithoutAnswer_CountedAsError(t *testing.T) {
	t.Parallel()
	want := `
# HELP headrace_connect_calls_total Calls to Connect, by HTTP status; error is a call without an answer.
# TYPE headrace_connect_calls_total counter
headrace_connect_calls_total{method="GET",route="/requests",status="200"} 1
headrace_connect_calls_total{method="GET",route="/requests",status="error"} 1
`
	m := used(time.Now())
	if err := testutil.GatherAndCompare(m.Registry(), strings.NewReader(want), "headrace_connect_calls_total"); err != nil {
		t.Error(err)
	}
}

// TestMetrics_Page_ListsThemAll holds docs/reference/metrics.md to the
// registry: names, labels, and the help texts as descriptions.
func TestMetrics_Page_ListsThemAll(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/reference/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	var listed []string
	row := regexp.MustCompile("(?m)^\\| `(headrace_[a-z_]+)` \\| (.*?) \\| (.*?) \\| (.*) \\|$")
	for _, m := range row.FindAllStringSubmatch(string(page), -1) {
		listed = append(listed, strings.Join(m[1:], " | "))
	}
	families, err := used(time.Now()).Registry().Gather()
	if err != nil {
		t.Fatal(err)
	}
	var have []string
	for _, f := range families {
		if !strings.HasPrefix(f.GetName(), "headrace_") {
			continue
		}
		var labels []string
		for _, l := range f.GetMetric()[0].GetLabel() {
			labels = append(labels, "`"+l.GetName()+"`")
		}
		kind := strings.ToLower(f.GetType().String())
		have = append(have, strings.Join([]string{f.GetName(), kind, strings.Join(labels, " "), f.GetHelp()}, " | "))
	}
	slices.Sort(listed)
	slices.Sort(have)
	if diff := cmp.Diff(have, listed); diff != "" {
		t.Errorf("docs/reference/metrics.md differs from the registry (-registry +page):\n%s", diff)
	}
}
