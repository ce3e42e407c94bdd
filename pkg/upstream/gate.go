package upstream

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync"

	"github.com/headrace/headrace/pkg/guard"
)

// Gate is a RoundTripper that asks an Upstream before each call, and tells it
// what became of the call. It is safe for concurrent use.
type Gate struct {
	u    *Upstream
	next http.RoundTripper
}

// NewGate returns a Gate of u before next.
func NewGate(u *Upstream, next http.RoundTripper) *Gate { return &Gate{u: u, next: next} }

// RoundTrip calls the upstream, or fails with *ClosedError without a call. It
// uses the Pass of the request's context, if it has one of this upstream.
func (g *Gate) RoundTrip(r *http.Request) (*http.Response, error) {
	pass, given := r.Context().Value(passKey{}).(*Pass)
	if given = given && pass.of == g.u; !given {
		var err error
		if pass, err = g.u.Enter(r.Context(), Entry{Who: who(r)}); err != nil {
			closeBody(r)
			return nil, err
		}
	}
	leave := func() {
		if !given {
			pass.Leave()
		}
	}
	c, err := g.u.begin(pass)
	if err != nil {
		leave()
		closeBody(r)
		return nil, err
	}
	ctx := r.Context()
	done := func(o outcome) {
		g.u.end(c, o)
		leave()
		g.u.share(ctx)
	}
	resp, err := g.next.RoundTrip(r)
	if err != nil {
		done(outcome{reason: noAnswer(err), void: givenUp(ctx, err)})
		return nil, err
	}
	o := outcome{status: resp.StatusCode, asked: RetryAfter(resp.Header, g.u.o.Now())}
	if o.slowdown() || o.failed() {
		done(o)
		return resp, nil
	}
	// An answer is one when it is there to its end.
	resp.Body = &body{ReadCloser: resp.Body, done: done, o: o, void: func(err error) bool { return givenUp(ctx, err) }}
	return resp, nil
}

func closeBody(r *http.Request) {
	if r.Body != nil {
		_ = r.Body.Close() // as a RoundTripper must; nothing was read
	}
}

// who names the request that a call is made for.
func who(r *http.Request) string {
	for name, v := range r.Header {
		if http.CanonicalHeaderKey(name) == "Idempotency-Key" && len(v) > 0 {
			return v[0]
		}
	}
	return r.URL.Path
}

// givenUp reports whether the caller ended the call: that says nothing of the
// upstream. A deadline is not that.
func givenUp(ctx context.Context, err error) bool {
	return guard.Refused(err) || errors.Is(ctx.Err(), context.Canceled)
}

func noAnswer(err error) string {
	if errors.Is(err, context.DeadlineExceeded) {
		return "it does not answer in time"
	}
	return "it does not answer: " + err.Error()
}

// body is an answer's, and tells when it has come to its end.
type body struct {
	io.ReadCloser
	o    outcome
	done func(outcome)
	void func(error) bool
	once sync.Once
}

// Read implements io.Reader.
func (b *body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	switch {
	case errors.Is(err, io.EOF):
		b.once.Do(func() { b.done(b.o) })
	case err != nil:
		b.once.Do(func() { b.done(outcome{reason: "its answer broke off", void: b.void(err)}) })
	}
	return n, err
}

// Close implements io.Closer.
func (b *body) Close() error {
	b.once.Do(func() { b.done(b.o) })
	return b.ReadCloser.Close()
}
