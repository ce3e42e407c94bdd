package connect

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/hashicorp/go-retryablehttp"

	"github.com/headrace/headrace/pkg/guard"
	"github.com/headrace/headrace/pkg/upstream"
)

// newTransports returns the two ways to send: one that repeats, and one that
// does not. They share their connections.
func newTransports(s *settings) (reads, actions *retryablehttp.Client) {
	hc := newHTTPClient(s)
	reads = &retryablehttp.Client{
		HTTPClient: hc, RetryMax: s.retries, RetryWaitMin: s.retryMin, RetryWaitMax: s.retryMax,
		CheckRetry: s.checkRetry, Backoff: s.backoff, ErrorHandler: retryablehttp.PassthroughErrorHandler,
		RequestLogHook: s.logRetry,
	}
	actions = &retryablehttp.Client{
		HTTPClient: hc, CheckRetry: never, Backoff: s.backoff, ErrorHandler: retryablehttp.PassthroughErrorHandler,
	}
	return reads, actions
}

func newHTTPClient(s *settings) *http.Client {
	hc := new(http.Client)
	if s.httpClient != nil {
		*hc = *s.httpClient
	}
	if s.transport != nil {
		hc.Transport = s.transport
	}
	if hc.Transport == nil {
		hc.Transport = NewTransport()
	}
	hc.Transport = &observed{next: hc.Transport, settings: s}
	hc.Timeout = 0 // observed has the time limit: net/http would start two goroutines for it
	hc.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return hc
}

// NewTransport is the transport of a Client that was not given one: it keeps
// 256 idle connections a host and honours HTTPS_PROXY.
func NewTransport() *http.Transport {
	t, ok := http.DefaultTransport.(*http.Transport)
	if !ok { // somebody replaced it
		return &http.Transport{Proxy: http.ProxyFromEnvironment, MaxIdleConnsPerHost: idlePerHost}
	}
	t = t.Clone()
	t.MaxIdleConns = 2 * idlePerHost
	t.MaxIdleConnsPerHost = idlePerHost
	return t
}

// observed tells the observer of each attempt, and bounds it.
type observed struct {
	next     http.RoundTripper
	settings *settings
}

// RoundTrip implements http.RoundTripper.
func (o *observed) RoundTrip(req *http.Request) (*http.Response, error) {
	start := time.Now()
	resp, err := o.bounded(req)
	if _, closed := upstream.ClosedUntil(err); closed || guard.Refused(err) {
		return resp, err // no call was made, and that says nothing of Connect
	}
	status := 0
	if err == nil {
		status = resp.StatusCode
	}
	o.settings.observe(req.Method, locationOf(req.Context()).route, status, time.Since(start))
	return resp, err
}

// bounded makes one attempt, whose answer's body must have come in time, too.
func (o *observed) bounded(req *http.Request) (*http.Response, error) {
	limit := o.settings.timeout
	ctx, cancel := context.WithTimeoutCause(req.Context(), limit, &lateError{limit})
	resp, err := o.next.RoundTrip(req.WithContext(ctx))
	if err != nil {
		cancel()
		return resp, err
	}
	resp.Body = &boundedBody{resp.Body, cancel}
	return resp, nil
}

type boundedBody struct {
	io.ReadCloser
	cancel context.CancelFunc
}

// Close implements io.Closer.
func (b *boundedBody) Close() error {
	defer b.cancel()
	return b.ReadCloser.Close()
}

// lateError is an answer that did not come in time.
type lateError struct{ limit time.Duration }

func (e *lateError) Error() string { return "no whole answer within " + e.limit.String() }

// Is makes it a context.DeadlineExceeded.
func (e *lateError) Is(target error) bool { return target == context.DeadlineExceeded }

// closeIdle is not named CloseIdleConnections, as the retrying client calls
// that whenever it gives up, and every worker would have to connect anew.
func (o *observed) closeIdle() {
	if c, ok := o.next.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

// patience is the longest Retry-After that a read waits out.
const patience = 5 * time.Second

func never(context.Context, *http.Response, error) (bool, error) { return false, nil }

// checkRetry sends again what got no answer, 429 or 5xx; not what can't
// succeed before the context's deadline, or where the server's certificate is
// refused.
func (s *settings) checkRetry(ctx context.Context, resp *http.Response, err error) (bool, error) {
	if ctx.Err() != nil {
		return false, ctx.Err()
	}
	if errors.Is(err, errBodyTooLarge) {
		return false, nil
	}
	if _, closed := upstream.ClosedUntil(err); closed {
		return false, nil // Connect is not called for now: the caller waits
	}
	if guard.Refused(err) {
		return false, nil // and would be again
	}
	if err != nil {
		cert := (*tls.CertificateVerificationError)(nil)
		return !errors.As(err, &cert), nil
	}
	if !isOverload(resp.StatusCode) && resp.StatusCode < 500 {
		return false, nil
	}
	pause := upstream.RetryAfter(resp.Header, time.Now())
	if pause > patience {
		return false, nil // the caller waits that long better, holding nothing meanwhile
	}
	if deadline, ok := ctx.Deadline(); ok && time.Now().Add(pause).After(deadline) {
		return false, nil // the answer says more than a deadline exceeded
	}
	return true, nil
}

// backoff is what the server asks for, or else doubles from retryMin to
// retryMax with the upper half left to chance, so that many workers do not come
// back at once.
func (s *settings) backoff(lo, hi time.Duration, attempt int, resp *http.Response) time.Duration {
	wait := lo << min(attempt, 16)
	if wait <= 0 || wait > hi {
		wait = hi
	}
	wait = wait/2 + rand.N(wait/2+1)
	if resp != nil {
		wait = max(wait, upstream.RetryAfter(resp.Header, time.Now()))
	}
	return wait
}

// logRetry notes each attempt after the first.
func (s *settings) logRetry(_ retryablehttp.Logger, req *http.Request, attempt int) {
	if attempt > 0 {
		s.warnRetry(req.Method, locationOf(req.Context()), attempt)
	}
}

func (s *settings) warnRetry(method string, to location, attempt int) {
	if s.log != nil {
		s.log.WithField("attempt", attempt+1).Warnf("call Connect again: %s %s", method, to.path)
	}
}

func isOverload(status int) bool {
	return status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable
}
