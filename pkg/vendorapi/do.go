package vendorapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/headrace/headrace/pkg/failpoint"
	"github.com/headrace/headrace/pkg/guard"
	"github.com/headrace/headrace/pkg/upstream"
)

// What is read of an answer's body, and what is thrown away beyond that to keep the connection.
const (
	maxBody  = 1 << 20
	maxDrain = 1 << 18
)

// call is one call to make. Its reads says that success is nothing without the answer's body.
type call struct {
	method, route, path, suffix, key string

	header http.Header
	body   any
	reads  bool
}

// result is a 2xx.
type result struct {
	status int
	body   []byte
}

// do makes the call, once. Its error is an *Error.
func (c *Client) do(ctx context.Context, k call) (*result, error) {
	if c.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, c.timeout)
		defer cancel()
	}
	t := trace{key: k.key}
	req, err := c.newRequest(httptrace.WithClientTrace(ctx, t.hooks()), k)
	if err == nil {
		err = ctx.Err() // after this point the transport alone knows how far the call came
	}
	if err != nil {
		return nil, &Error{Kind: Network, NotSent: true, Method: k.method, Path: k.path, Err: err}
	}
	began := time.Now()
	resp, err := c.http.Do(req)
	if err != nil {
		fault := t.fault(k, err)
		status := 0
		if fault.Kind == Unauthorized {
			status = http.StatusUnauthorized
		}
		if _, closed := upstream.ClosedUntil(err); !closed && !guard.Refused(err) { // else there was no call
			c.observe(k.method, k.route, status, time.Since(began))
		}
		return nil, fault
	}
	defer func() {
		_, _ = io.CopyN(io.Discard, resp.Body, maxDrain)
		_ = resp.Body.Close()
	}()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxBody))
	c.observe(k.method, k.route, resp.StatusCode, time.Since(began))
	failpoint.Here(failpoint.CallAnswered, k.key)
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return nil, refusal(k, resp, body)
	}
	if err != nil && k.reads {
		return nil, &Error{Kind: Network, Status: resp.StatusCode, Method: k.method, Path: k.path, Err: err}
	}
	return &result{resp.StatusCode, body}, nil
}

func (c *Client) newRequest(ctx context.Context, k call) (*http.Request, error) {
	var body io.Reader
	if k.body != nil {
		data, err := json.Marshal(k.body)
		if err != nil {
			return nil, fmt.Errorf("encode body: %w", err)
		}
		body = bytes.NewReader(data)
	}
	req, err := http.NewRequestWithContext(ctx, k.method, c.base+k.path, body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", c.userAgent)
	if k.body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	for name, values := range k.header {
		req.Header[spelling(name)] = values
	}
	if k.key != "" {
		req.Header[spelling("Idempotency-Key")] = []string{headerValue(k.key)}
	}
	return req, nil
}

// spelling is how a header's name is written. For two it is not the canonical one, and on purpose: net/http repeats a POST
// by itself, after the connection was lost with the request in it, if it finds one of them in the map. That a vendor
// honours the key is not known here. Names of headers are case-insensitive to whoever receives them.
func spelling(name string) string {
	switch name = http.CanonicalHeaderKey(name); name {
	case "Idempotency-Key":
		return "Idempotency-key"
	case "X-Idempotency-Key":
		return "X-Idempotency-key"
	}
	return name
}

// headerValue escapes as %XX what may not be in a header.
func headerValue(s string) string {
	var b []byte
	for i := range len(s) {
		if s[i] > ' ' && s[i] < 0x7f {
			b = append(b, s[i])
		} else {
			b = fmt.Appendf(b, "%%%02X", s[i])
		}
	}
	return string(b)
}

// trace follows a call to its connection.
type trace struct {
	asked, got atomic.Bool
	key        string
}

// hooks starts anew with each connection that is asked for: net/http asks again only when nothing was written to the one
// before, or when the call is a GET.
func (t *trace) hooks() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{
		GetConn: func(string) { t.asked.Store(true); t.got.Store(false) },
		GotConn: func(httptrace.GotConnInfo) { t.got.Store(true) },

		WroteRequest: func(httptrace.WroteRequestInfo) { failpoint.Here(failpoint.CallSent, t.key) },
	}
}

// fault is the error of a call that was not answered.
func (t *trace) fault(k call, err error) *Error {
	e := &Error{Kind: Network, Method: k.method, Path: k.path, Err: err}
	if outer := (*url.Error)(nil); errors.As(err, &outer) {
		e.Err = outer.Err // it says the method and the URL again
	}
	if until, closed := upstream.ClosedUntil(err); closed {
		e.Kind, e.NotSent, e.RetryAfter = RateLimited, true, max(time.Until(until), 0)
	}
	if refused := (*CredentialsError)(nil); errors.As(err, &refused) {
		e.Kind, e.NotSent = refused.kind(), true
		if refused.Response != nil {
			e.RetryAfter = upstream.RetryAfter(refused.Response.Header, time.Now())
		}
	}
	var op *net.OpError
	if guard.Refused(err) || t.asked.Load() && !t.got.Load() || errors.As(err, &op) && op.Op == "dial" {
		e.NotSent = true
	}
	return e
}
