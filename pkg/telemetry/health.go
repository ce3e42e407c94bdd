package telemetry

import (
	"encoding/json"
	"net/http"
	"sync"
	"time"
)

// The names that parts report their health under.
const (
	HealthBroker    = "broker"
	HealthConsumers = "consumers"
	HealthStreams   = "streams"
	HealthConnect   = "connect"
	HealthVendor    = "vendor"
)

// Health is what the parts of a process last reported about themselves and
// their upstreams. Until every expected part has reported, the process is not
// ready.
type Health struct {
	now func() time.Time

	mu    sync.Mutex // guards parts
	parts map[string]Part
}

// Part is one line of the answer of /readyz.
type Part struct {
	OK bool `json:"ok"`
	// Fatal keeps the process from being ready while OK is false: the broker is
	// gone, or our credentials are refused. A slow or failing upstream is not
	// fatal, as restarting us does not help it.
	Fatal  bool      `json:"fatal"`
	Reason string    `json:"reason,omitempty"`
	Since  time.Time `json:"since"` // when OK or Fatal last changed
}

// NewHealth expects a report from each part named.
func NewHealth(expected ...string) *Health {
	h := &Health{now: time.Now, parts: map[string]Part{}}
	for _, name := range expected {
		h.Expect(name)
	}
	return h
}

// Expect makes the process not ready until the part reports, unless it has.
func (h *Health) Expect(name string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if _, ok := h.parts[name]; !ok {
		h.parts[name] = Part{Fatal: true, Reason: "starting", Since: h.now()}
	}
}

// Set reports a part. Fatal and reason count only while ok is false; a reason
// with ok is shown all the same.
func (h *Health) Set(name string, ok, fatal bool, reason string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	p := Part{OK: ok, Fatal: fatal && !ok, Reason: reason, Since: h.now()}
	if old, known := h.parts[name]; known && old.OK == p.OK && old.Fatal == p.Fatal {
		p.Since = old.Since
	}
	h.parts[name] = p
}

// Report is the body of /readyz.
type Report struct {
	Ready bool            `json:"ready"`
	Parts map[string]Part `json:"parts"`
}

// Report tells whether the process is ready, and every part.
func (h *Health) Report() Report {
	h.mu.Lock()
	defer h.mu.Unlock()
	r := Report{Ready: true, Parts: make(map[string]Part, len(h.parts))}
	for name, p := range h.parts {
		r.Parts[name] = p
		if !p.OK && p.Fatal {
			r.Ready = false
		}
	}
	return r
}

// ServeHTTP is /readyz: 200 when ready, else 503, with the Report as JSON.
func (h *Health) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	r := h.Report()
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	if !r.Ready {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	// The peer has gone; there is nobody left to tell.
	_ = e.Encode(r)
}
