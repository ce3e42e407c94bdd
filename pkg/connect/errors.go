package connect

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// ErrID is returned, without a call, for an id that can't stand in a path: an
// empty one would read the list instead of the object.
var ErrID = errors.New("not an id")

// ErrReason is returned, without a call, for a rejection without a reason.
// Connect refuses it with REQ_005.
var ErrReason = errors.New("no reason given")

// APIError is an answer of Connect's that is not 2xx.
type APIError struct {
	Status     int             // HTTP status
	Code       string          // Connect's error_code, e.g. REQ_003; empty if the body has none
	Messages   []string        // Connect's errors, or an excerpt of a body that is not Connect's
	Params     json.RawMessage // Connect's params, as sent; nil if there are none
	Method     string
	Path       string        // below the base URL, without the query
	RetryAfter time.Duration // what the Retry-After header asks for, 0 if nothing
}

// Error is e.g. "POST /requests/PR-1/approve: 400 REQ_003: Only pending …".
func (e *APIError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s: %d", e.Method, e.Path, e.Status)
	if e.Code != "" {
		b.WriteString(" " + e.Code)
	} else if text := http.StatusText(e.Status); text != "" {
		b.WriteString(" " + text)
	}
	if len(e.Messages) > 0 {
		b.WriteString(": " + strings.Join(e.Messages, "; "))
	}
	return b.String()
}

// TransportError is a call without an answer: the network, a timeout, or a body
// that broke off. The call may have had its effect nevertheless, unless it was
// not begun: guard.Refused tells.
type TransportError struct {
	Method string
	Path   string
	Err    error
}

// Error names the call and the cause.
func (e *TransportError) Error() string {
	return fmt.Sprintf("%s %s: %v", e.Method, e.Path, e.Err)
}

// Unwrap returns the cause.
func (e *TransportError) Unwrap() error { return e.Err }

// StateError is an action that Connect can't carry out any more, as somebody
// else moved the request. Nothing was changed.
type StateError struct {
	ID     string
	Want   string // the status the action leads to
	Status string // the status that Connect has it in
}

// Error is e.g. "PR-1: status is failed, want approved".
func (e *StateError) Error() string {
	return fmt.Sprintf("%s: status is %s, want %s", e.ID, e.Status, e.Want)
}

// IsNotFound reports whether Connect has no such object, or none that the key
// may see.
func IsNotFound(err error) bool { return HasStatus(err, http.StatusNotFound) }

// IsUnauthorized reports whether Connect refused the key: 401, or 403 where the
// key is of the wrong side of the sale. No request will fare better.
func IsUnauthorized(err error) bool {
	return HasStatus(err, http.StatusUnauthorized, http.StatusForbidden)
}

// IsRateLimited reports whether Connect asked for a pause; APIError.RetryAfter
// may say how long.
func IsRateLimited(err error) bool { return HasStatus(err, http.StatusTooManyRequests) }

// IsTransient reports whether the same call may succeed later: no answer, a
// timeout, 408, 429 or 5xx. A cancelled context is not transient: its owner
// gave up.
func IsTransient(err error) bool {
	if api := (*APIError)(nil); errors.As(err, &api) {
		return api.Status >= 500 || api.Status == http.StatusTooManyRequests || api.Status == http.StatusRequestTimeout
	}
	if errors.Is(err, context.Canceled) {
		return false
	}
	transport := (*TransportError)(nil)
	return errors.As(err, &transport) || errors.Is(err, context.DeadlineExceeded)
}

// HasStatus reports whether Connect answered with one of the statuses.
func HasStatus(err error, statuses ...int) bool {
	api := (*APIError)(nil)
	if !errors.As(err, &api) {
		return false
	}
	for _, s := range statuses {
		if api.Status == s {
			return true
		}
	}
	return false
}
