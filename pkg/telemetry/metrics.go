package telemetry

import (
	"net/http"
	"runtime"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Metrics counts what one process does. Every method may be called at any time
// from any goroutine.
type Metrics struct {
	registry *prometheus.Registry
	now      func() time.Time

	connectCalls, vendorCalls       *prometheus.CounterVec
	connectDuration, vendorDuration *prometheus.HistogramVec
	decisions, events, retries      *prometheus.CounterVec
	dead, polls, repairs            *prometheus.CounterVec
	handled                         *prometheus.HistogramVec
	upstreamPaused                  *prometheus.GaugeVec
	pending, ackPending             *prometheus.GaugeVec
	table                           *table
}

// Option changes what New makes.
type Option func(*Metrics)

// WithClock sets the clock that ages are computed with; the default is
// time.Now.
func WithClock(now func() time.Time) Option { return func(m *Metrics) { m.now = now } }

// WithVersion adds headrace_build_info; version and commit may be empty.
func WithVersion(version, commit string) Option {
	return func(m *Metrics) {
		info := prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "headrace_build_info",
			Help: "1, with the version, the commit and Go's version as labels.",
			ConstLabels: prometheus.Labels{
				"version": version, "commit": commit, "goversion": runtime.Version(),
			},
		})
		info.Set(1)
		m.registry.MustRegister(info)
	}
}

// Upstreams answer in milliseconds or make us wait for half a minute.
func callBuckets() []float64 {
	return []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30}
}

// New makes the metrics of one process, with those of Go and the process
// itself.
func New(opts ...Option) *Metrics {
	m := &Metrics{registry: prometheus.NewRegistry(), now: time.Now}
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		v := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
		m.registry.MustRegister(v)
		return v
	}
	histogram := func(name, help string, labels ...string) *prometheus.HistogramVec {
		v := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: callBuckets()}, labels)
		m.registry.MustRegister(v)
		return v
	}
	m.connectCalls = counter("headrace_connect_calls_total",
		"Calls to Connect, by HTTP status; error is a call without an answer.", "method", "route", "status")
	m.connectDuration = histogram("headrace_connect_call_duration_seconds",
		"How long calls to Connect took.", "method", "route")
	m.vendorCalls = counter("headrace_vendor_calls_total",
		"Calls to the vendor, by HTTP status; error is a call without an answer.", "endpoint", "method", "route", "status")
	m.vendorDuration = histogram("headrace_vendor_call_duration_seconds",
		"How long calls to the vendor took.", "endpoint", "method", "route")
	m.decisions = counter("headrace_decisions_total",
		"What the services decided about requests.", "service", "type", "decision")
	m.events = counter("headrace_events_total",
		"What became true of requests, as published to other teams.", "type", "event")
	m.retries = counter("headrace_retries_total",
		"Messages put off and tried again, by the kind of reason.", "service", "type", "kind")
	m.dead = counter("headrace_dead_total",
		"Dead letters written, each of which an operator must look at.", "stage", "type")
	m.polls = counter("headrace_polls_total",
		"Polls of Connect for pending requests: ok or error.", "result")
	m.repairs = counter("headrace_repairs_total",
		"Streams and consumers that were deleted or changed by somebody else, and were made anew (missing) or changed back (differs).", "object", "kind")
	m.handled = histogram("headrace_handled_duration_seconds",
		"How long a service had one message in hand.", "service", "type")
	m.upstreamPaused = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "headrace_upstream_paused",
		Help: "1 while an upstream (Connect, or one vendor endpoint with its credentials) is not called, since it fails or asked for it.",
	}, []string{"kind", "upstream"})
	m.registry.MustRegister(m.upstreamPaused)
	m.pending = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "headrace_consumer_pending",
		Help: "Messages of a durable consumer that no process has been given yet: the backlog of a service, over all processes.",
	}, []string{"consumer"})
	m.ackPending = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "headrace_consumer_ack_pending",
		Help: "Messages of a durable consumer that are in hand or wait for a retry, over all processes.",
	}, []string{"consumer"})
	m.registry.MustRegister(m.pending, m.ackPending)
	for _, o := range opts {
		o(m)
	}
	m.table = newTable(m.now)
	m.registry.MustRegister(m.table, collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Registry is where further collectors are registered, such as the broker's.
func (m *Metrics) Registry() *prometheus.Registry { return m.registry }

// Handler serves /metrics.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{Registry: m.registry})
}

// status is the label for an HTTP status; 0 is a call without an answer.
func status(code int) string {
	if code == 0 {
		return "error"
	}
	return strconv.Itoa(code)
}

// ConnectCall counts one call to Connect. Route is the path with a placeholder
// for each id, /requests/{id}: an id in a label would make a series of every
// request. Status 0 is no answer.
func (m *Metrics) ConnectCall(method, route string, code int, d time.Duration) {
	m.connectCalls.WithLabelValues(method, route, status(code)).Inc()
	m.connectDuration.WithLabelValues(method, route).Observe(d.Seconds())
}

// VendorCall counts one call to the vendor. Endpoint is the host; route and
// status as in ConnectCall.
func (m *Metrics) VendorCall(endpoint, method, route string, code int, d time.Duration) {
	m.vendorCalls.WithLabelValues(endpoint, method, route, status(code)).Inc()
	m.vendorDuration.WithLabelValues(endpoint, method, route).Observe(d.Seconds())
}

// Decision counts what a service decided: approve, fail, inquire, wait or hold.
func (m *Metrics) Decision(service, typ, decision string) {
	m.decisions.WithLabelValues(service, typ, decision).Inc()
}

// Event counts an event published.
func (m *Metrics) Event(typ, event string) { m.events.WithLabelValues(typ, event).Inc() }

// Retry counts a message put off. Kind is a word, never an error's text.
func (m *Metrics) Retry(service, typ, kind string) {
	m.retries.WithLabelValues(service, typ, kind).Inc()
}

// UpstreamPaused shows whether an upstream is called.
func (m *Metrics) UpstreamPaused(kind, name string, paused bool) {
	v := 0.0
	if paused {
		v = 1
	}
	m.upstreamPaused.WithLabelValues(kind, name).Set(v)
}

// Backlog shows how a durable consumer stands, for all processes.
func (m *Metrics) Backlog(consumer string, pending uint64, ackPending int) {
	m.pending.WithLabelValues(consumer).Set(float64(pending))
	m.ackPending.WithLabelValues(consumer).Set(float64(ackPending))
}

// NoBacklog takes away what is not known any more.
func (m *Metrics) NoBacklog(consumer string) {
	m.pending.DeleteLabelValues(consumer)
	m.ackPending.DeleteLabelValues(consumer)
}

// Dead counts a dead letter.
func (m *Metrics) Dead(stage, typ string) { m.dead.WithLabelValues(stage, typ).Inc() }

// Repaired counts a stream or consumer that was not as declared and is again.
// Object is its name, kind what was wrong: missing or differs.
func (m *Metrics) Repaired(object, kind string) { m.repairs.WithLabelValues(object, kind).Inc() }

// Handled counts one message that a service is done with.
func (m *Metrics) Handled(service, typ string, d time.Duration) {
	m.handled.WithLabelValues(service, typ).Observe(d.Seconds())
}

// PollDone notes the end of a poll. The age of the last poll counts from the
// last one without an error.
func (m *Metrics) PollDone(at time.Time, err error) {
	if err != nil {
		m.polls.WithLabelValues("error").Inc()
		return
	}
	m.polls.WithLabelValues("ok").Inc()
	m.table.polled(at)
}

// SetRequests replaces the table of requests by type and state.
func (m *Metrics) SetRequests(t map[string]map[string]int) { m.table.setRequests(t) }

// SetOldest replaces the table of when the oldest request waiting of each type
// was created. Its age is computed when the metrics are read, so that it grows
// while polls fail.
func (m *Metrics) SetOldest(t map[string]time.Time) { m.table.setOldest(t) }
