// Package guard asks, as the last thing before an HTTP call leaves the process,
// whether it may still be made. Who may say no puts a Check into the context:
// the stream layer does so for each message, whose lease may be lost or whose
// process may be stopping. The package knows neither of them, and a call whose
// context has no Check goes through.
package guard

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"
)

// A Check tells whether a call may be made now: nil, or why not. It is asked for
// every call, from any goroutine, and must not block. Once it has said no it
// must go on saying no.
type Check func() error

type checkKey struct{}

// With adds a Check to ctx. It takes the place of one that is there.
func With(ctx context.Context, c Check) context.Context {
	return context.WithValue(ctx, checkKey{}, c)
}

// IsKey reports whether key is what a context is asked for its Check by. A context
// that holds its own answers with a Check then.
func IsKey(key any) bool { return key == checkKey{} }

// Ask asks the Check of ctx, if it has one.
func Ask(ctx context.Context) error {
	if check, _ := ctx.Value(checkKey{}).(Check); check != nil {
		return check()
	}
	return nil
}

// A RefusedError is a call that was not made: nothing of it left the process.
type RefusedError struct {
	Err error // what the Check said
}

// Error is e.g. "call not begun: lease of message lost".
func (e *RefusedError) Error() string { return "call not begun: " + e.Err.Error() }

// Unwrap returns what the Check said.
func (e *RefusedError) Unwrap() error { return e.Err }

// Refused reports whether err is, or wraps, a *RefusedError.
func Refused(err error) bool { return err != nil && errors.As(err, new(*RefusedError)) }

// Transport asks the Check of each call's context right before next is called,
// and again when next has a connection: to dial takes its time. It belongs
// innermost, below whatever waits or fetches credentials. next must be an
// *http.Transport that speaks HTTP/2 only over TLS, as Go's do unless they are
// told otherwise.
func Transport(next http.RoundTripper) http.RoundTripper { return &transport{next} }

type transport struct{ next http.RoundTripper }

// RoundTrip makes the call, or fails with *RefusedError.
func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	parent := r.Context()
	// It ends with its parent: the answer's body is read under it.
	ctx, cancel := context.WithCancelCause(parent)
	var late atomic.Pointer[RefusedError]
	r = r.WithContext(httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(info httptrace.GotConnInfo) {
		if err := Ask(parent); err != nil {
			refused := &RefusedError{err}
			late.Store(refused)
			block(info, func() { cancel(refused) })
		}
	}}))
	if err := Ask(parent); err != nil {
		cancel(err)
		if r.Body != nil {
			_ = r.Body.Close() // as a RoundTripper must; nothing was read
		}
		return nil, &RefusedError{err}
	}
	resp, err := t.next.RoundTrip(r)
	if refused := late.Load(); err != nil && refused != nil {
		return nil, refused
	}
	return resp, err
}
