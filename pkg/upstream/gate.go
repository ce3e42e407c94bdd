// Package upstream keeps a process from calling an upstream (Connect, or one
// vendor endpoint) that asked to be left alone: its Retry-After holds for all
// calls, not for the one that was answered with it.
package upstream

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// ClosedError says that a call was not made, since the upstream asked for a
// pause. The call had no effect.
type ClosedError struct {
	Name  string
	Until time.Time
}

func (e *ClosedError) Error() string {
	return fmt.Sprintf("%s asked for a pause until %s", e.Name, e.Until.UTC().Format(time.RFC3339))
}

// ClosedUntil returns when the upstream that refused err opens again.
func ClosedUntil(err error) (time.Time, bool) {
	var closed *ClosedError
	if errors.As(err, &closed) {
		return closed.Until, true
	}
	return time.Time{}, false
}

// Gate is a RoundTripper that closes for as long as a 429 or 503 asks for with
// Retry-After. It is safe for concurrent use.
type Gate struct {
	name string
	next http.RoundTripper
	now  func() time.Time

	mu    sync.Mutex
	until time.Time
}

// maxPause bounds what a Retry-After can ask for; a longer one is asked again.
const maxPause = time.Hour

// NewGate returns a Gate before next; name is what errors call the upstream.
func NewGate(name string, next http.RoundTripper) *Gate {
	return &Gate{name: name, next: next, now: time.Now}
}

// RoundTrip calls the upstream, or fails with *ClosedError without a call.
func (g *Gate) RoundTrip(r *http.Request) (*http.Response, error) {
	g.mu.Lock()
	until := g.until
	g.mu.Unlock()
	if g.now().Before(until) {
		return nil, &ClosedError{Name: g.name, Until: until}
	}
	resp, err := g.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode == http.StatusTooManyRequests || resp.StatusCode == http.StatusServiceUnavailable {
		if pause := RetryAfter(resp.Header, g.now()); pause > 0 {
			g.close(g.now().Add(min(pause, maxPause)))
		}
	}
	return resp, nil
}

func (g *Gate) close(until time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if until.After(g.until) {
		g.until = until
	}
}

// RetryAfter reads the Retry-After header in both its forms, seconds and a
// date; 0 where there is none that makes sense.
func RetryAfter(h http.Header, now time.Time) time.Duration {
	v := h.Get("Retry-After")
	if v == "" {
		return 0
	}
	if s, err := strconv.ParseFloat(v, 64); err == nil {
		if !(s > 0 && s <= maxPause.Seconds()*24) { // NaN too
			return 0
		}
		return time.Duration(s * float64(time.Second))
	}
	if t, err := http.ParseTime(v); err == nil && t.After(now) {
		return t.Sub(now)
	}
	return 0
}
