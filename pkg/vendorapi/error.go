package vendorapi

import (
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/headrace/headrace/pkg/upstream"
)

// A Kind says what an error means for the request that was being carried out.
type Kind int

// The kinds of errors.
const (
	Unexpected   Kind = iota // any other answer: a redirect, another 4xx, a 2xx that makes no sense
	Rejected                 // 400, 422: the vendor will not have it
	Conflict                 // 409: it exists already, perhaps by an earlier call
	NotFound                 // 404
	Unauthorized             // 401, 403: our credentials
	RateLimited              // 429, or a pause that an earlier answer asked for
	Unavailable              // 5xx, 408, 425
	Network                  // no answer, or one that broke off
)

// String is the kind in a word, for logs and metrics.
func (k Kind) String() string {
	names := [...]string{"unexpected", "rejected", "conflict", "not_found", "unauthorized", "rate_limited", "unavailable", "network"}
	if k < 0 || int(k) >= len(names) {
		return "kind " + strconv.Itoa(int(k))
	}
	return names[k]
}

// An Outcome says what is known about the effect of a call that failed.
type Outcome int

// The outcomes.
const (
	Unknown Outcome = iota // the vendor may have acted
	NotDone                // this call had no effect; an earlier one may have had it
)

// String is the outcome in words.
func (o Outcome) String() string {
	if o == NotDone {
		return "not done"
	}
	return "unknown"
}

// An Error is a call that did not succeed. Its Err, if any, is reached by errors.Is and As: context.DeadlineExceeded for one.
type Error struct {
	Kind       Kind
	Status     int           // 0: no answer
	Message    string        // the vendor's words; empty without an answer
	RetryAfter time.Duration // 0: not said
	NotSent    bool          // the call certainly never left: no connection, a pause, or refused by a guard.Check
	Method     string
	Path       string // without the endpoint
	Err        error
}

// Error is one line, without the endpoint.
func (e *Error) Error() string {
	s := e.Method + " " + e.Path + ": "
	if e.Status != 0 {
		s += fmt.Sprintf("%d %s", e.Status, http.StatusText(e.Status))
		if e.Message != "" {
			s += ": " + e.Message
		}
		if e.Err != nil {
			s += ": "
		}
	}
	if e.Err != nil {
		s += e.Err.Error()
	}
	return s
}

// Unwrap returns the cause below HTTP, if any.
func (e *Error) Unwrap() error { return e.Err }

// Outcome says whether the call may have had its effect all the same. A 5xx may come from a proxy that lost sight of the
// vendor, a 408 from one that was too slow; 302 and 303 are how some answer a POST that they carried out.
func (e *Error) Outcome() Outcome {
	switch {
	case e.NotSent:
		return NotDone
	case e.Status == http.StatusRequestTimeout:
		return Unknown
	case e.Status >= 400 && e.Status < 500:
		return NotDone
	case e.Status == http.StatusMovedPermanently, e.Status == http.StatusTemporaryRedirect, e.Status == http.StatusPermanentRedirect:
		return NotDone
	}
	return Unknown
}

// refusal is the error of an answer that is not a 2xx.
func refusal(k call, resp *http.Response, body []byte) *Error {
	return &Error{
		Kind: kindOf(resp.StatusCode), Status: resp.StatusCode, Message: messageOf(body),
		RetryAfter: upstream.RetryAfter(resp.Header, time.Now()), Method: k.method, Path: k.path,
	}
}

func kindOf(status int) Kind {
	switch status {
	case http.StatusBadRequest, http.StatusUnprocessableEntity:
		return Rejected
	case http.StatusUnauthorized, http.StatusForbidden:
		return Unauthorized
	case http.StatusNotFound:
		return NotFound
	case http.StatusConflict:
		return Conflict
	case http.StatusTooManyRequests:
		return RateLimited
	case http.StatusRequestTimeout, http.StatusTooEarly:
		return Unavailable
	}
	if status >= 500 {
		return Unavailable
	}
	return Unexpected
}
