package telemetry

import (
	"maps"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// table is what each poll of Connect replaces as a whole, so that a state that
// nothing is in any more leaves no stale series, and the ages that are computed
// at the time of reading.
type table struct {
	now func() time.Time

	requestsDesc, oldestDesc, pollDesc *prometheus.Desc

	mu       sync.Mutex // guards all below
	requests map[string]map[string]int
	oldest   map[string]time.Time
	lastPoll time.Time
}

func newTable(now func() time.Time) *table {
	return &table{
		now: now,
		requestsDesc: prometheus.NewDesc("headrace_requests",
			"Requests by type and state, as of the last poll.", []string{"type", "state"}, nil),
		oldestDesc: prometheus.NewDesc("headrace_oldest_waiting_seconds",
			"Age of the oldest request of a type that is not finished; Connect's service levels count from its creation.",
			[]string{"type"}, nil),
		pollDesc: prometheus.NewDesc("headrace_poll_age_seconds",
			"Seconds since the last poll of Connect that went well; absent in a process that does not poll.", nil, nil),
	}
}

func (t *table) setRequests(all map[string]map[string]int) {
	copied := make(map[string]map[string]int, len(all))
	for typ, states := range all {
		copied[typ] = maps.Clone(states)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.requests = copied
}

func (t *table) setOldest(all map[string]time.Time) {
	copied := maps.Clone(all)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.oldest = copied
}

func (t *table) polled(at time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.lastPoll = at
}

// Describe implements prometheus.Collector.
func (t *table) Describe(ch chan<- *prometheus.Desc) {
	ch <- t.requestsDesc
	ch <- t.oldestDesc
	ch <- t.pollDesc
}

// Collect implements prometheus.Collector.
func (t *table) Collect(ch chan<- prometheus.Metric) {
	t.mu.Lock()
	defer t.mu.Unlock()
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	for typ, states := range t.requests {
		for state, n := range states {
			gauge(t.requestsDesc, float64(n), typ, state)
		}
	}
	now := t.now()
	for typ, created := range t.oldest {
		gauge(t.oldestDesc, max(0, now.Sub(created).Seconds()), typ)
	}
	if !t.lastPoll.IsZero() {
		gauge(t.pollDesc, max(0, now.Sub(t.lastPoll).Seconds()))
	}
}
