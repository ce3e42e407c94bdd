package connect

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/hashicorp/go-retryablehttp"

	"github.com/headrace/headrace/pkg/upstream"
)

const (
	// maxBody is ample for a page of 1000 requests, which is below 10 MB.
	maxBody = 64 << 20
	// maxErrorBody bounds what is read of a refusal.
	maxErrorBody = 64 << 10
	// maxTrusted is up to where there is room at once for what a server announces,
	// usualBody where it announces nothing: a request has about 5 KB.
	maxTrusted = 4 << 20
	usualBody  = 8 << 10
)

var errBodyTooLarge = errors.New("body too large")

// NewRequest prepares a call of to, with body as JSON unless it is nil.
func (c *Client) NewRequest(ctx context.Context, method string, to location, body any) (*retryablehttp.Request, error) {
	var data any // stays nil, not an empty slice, for "no body"
	if body != nil {
		encoded, err := json.Marshal(body)
		if err != nil {
			return nil, fmt.Errorf("%s %s: encode body: %w", method, to.path, err)
		}
		data = encoded
	}
	target := c.base.String() + to.path
	if to.query != "" {
		target += "?" + to.query
	}
	req, err := retryablehttp.NewRequestWithContext(withLocation(ctx, to), method, target, data)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", method, to.path, err)
	}
	c.authorize(req.Header)
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", c.settings.userAgent)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	return req, nil
}

// Do sends req and decodes the answer into v: nil discards it, a *[]byte takes
// it as it is. Reads and PUTs are sent again on network errors, 429 and 5xx;
// anything else is sent once. It fails with *APIError or *TransportError.
func (c *Client) Do(req *retryablehttp.Request, v any) (http.Header, error) {
	sender := c.actions
	if req.Method == http.MethodGet || req.Method == http.MethodPut {
		sender = c.reads
	}
	var body []byte
	read := false
	req.SetResponseHandler(func(resp *http.Response) (err error) {
		read = true
		body, err = readBody(resp, v == nil)
		return err
	})
	resp, err := sender.Do(req) //nolint:bodyclose // readBody closes it
	if resp != nil && !read {   // the last of the retries
		body, err = readBody(resp, v == nil)
	}
	if err != nil {
		return nil, c.transportError(req, err)
	}
	if err := c.CheckResponse(resp, body); err != nil {
		return resp.Header, err
	}
	return resp.Header, decodeBody(req, body, v)
}

// call is NewRequest and Do.
func (c *Client) call(ctx context.Context, method string, to location, body, v any) (http.Header, error) {
	req, err := c.NewRequest(ctx, method, to, body)
	if err != nil {
		return nil, err
	}
	return c.Do(req, v) //nolint:contextcheck // it is in req
}

// CheckResponse returns an *APIError unless the answer is 2xx. body is what was
// read of it.
func (c *Client) CheckResponse(resp *http.Response, body []byte) error {
	if resp.StatusCode >= 200 && resp.StatusCode < 300 {
		return nil
	}
	e := parseAPIError(c.redact(body))
	e.Status = resp.StatusCode
	e.Method = resp.Request.Method
	e.Path = locationOf(resp.Request.Context()).path
	e.RetryAfter = upstream.RetryAfter(resp.Header, time.Now())
	return e
}

// transportError names the call; the url.Error around the cause is dropped, as
// it repeats the call with its whole query.
func (c *Client) transportError(req *retryablehttp.Request, err error) error {
	if wrapped := (*url.Error)(nil); errors.As(err, &wrapped) {
		err = wrapped.Err
	}
	path := locationOf(req.Context()).path
	if errors.Is(err, errBodyTooLarge) {
		return fmt.Errorf("%s %s: %w", req.Method, path, err)
	}
	return &TransportError{Method: req.Method, Path: path, Err: err}
}

func decodeBody(req *retryablehttp.Request, body []byte, v any) error {
	switch v := v.(type) {
	case nil:
		return nil
	case *[]byte:
		*v = body
		return nil
	}
	if err := json.Unmarshal(body, v); err != nil {
		return fmt.Errorf("%s %s: decode answer: %w", req.Method, locationOf(req.Context()).path, err)
	}
	return nil
}

// readBody reads what is needed of the body, and the rest so that the
// connection can be used again. Of an answer that nobody reads, neither the
// content nor its breaking off matters.
func readBody(resp *http.Response, discard bool) ([]byte, error) {
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode >= 300 {
		// Half an explanation is better than none: the status is known.
		body, _ := io.ReadAll(io.LimitReader(resp.Body, maxErrorBody))
		_, _ = io.CopyN(io.Discard, resp.Body, maxErrorBody)
		return body, nil
	}
	if discard {
		_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, maxBody))
		return nil, nil
	}
	room := resp.ContentLength
	if room < 0 || room > maxTrusted { // not said, or not to be believed unseen
		room = usualBody
	}
	body := bytes.NewBuffer(make([]byte, 0, room+bytes.MinRead))
	_, err := body.ReadFrom(io.LimitReader(resp.Body, maxBody+1))
	if err == nil && body.Len() > maxBody {
		err = errBodyTooLarge
	}
	return body.Bytes(), err
}
