package upstream

import (
	"net/http"
	"strconv"
	"time"
)

// maxAsked bounds what a Retry-After can ask for; a longer one is asked again.
// Else a date that is years off would keep a request waiting for them.
const maxAsked = time.Hour

// RetryAfter reads the Retry-After header in both its forms, seconds and a
// date; at most an hour, and 0 where there is none that makes sense.
func RetryAfter(h http.Header, now time.Time) time.Duration {
	v := h.Get("Retry-After")
	if v == "" {
		return 0
	}
	if s, err := strconv.ParseFloat(v, 64); err == nil {
		if !(s > 0) { // NaN too
			return 0
		}
		return time.Duration(min(s, maxAsked.Seconds()) * float64(time.Second))
	}
	if t, err := http.ParseTime(v); err == nil && t.After(now) {
		return min(t.Sub(now), maxAsked)
	}
	return 0
}
