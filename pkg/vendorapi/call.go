package vendorapi

import (
	"context"
	"net/http"
)

// A Call is one to any endpoint of the vendor.
type Call struct {
	Method string
	Path   string      // escaped, below the endpoint, with a leading slash; may have a query
	Route  string      // the Path without what differs between requests, for metrics
	Key    string      // the Idempotency-Key; empty sends none
	Header http.Header // beside those that the Client sets by itself
	Body   any         // as JSON; nil sends none
}

// An Answer is a 2xx.
type Answer struct {
	Status int
	Body   []byte
}

// Do makes the call, once. Any 2xx is success. Every error is an *Error.
func (c *Client) Do(ctx context.Context, k Call) (Answer, error) {
	res, err := c.do(ctx, call{
		method: k.Method, route: k.Route, path: k.Path, key: k.Key, header: k.Header, body: k.Body, reads: true,
	})
	if err != nil {
		return Answer{}, err
	}
	return Answer{res.status, res.body}, nil
}

// A CredentialsError is returned by a transport that could not get the
// credentials for a call. The call was not sent.
type CredentialsError struct {
	// Response is the answer of whoever gives the credentials, without its
	// body; nil for none. A 4xx of it is Unauthorized.
	Response *http.Response
	Err      error
}

// Error says that credentials were asked for.
func (e *CredentialsError) Error() string { return "get credentials: " + e.Err.Error() }

// Unwrap returns the cause.
func (e *CredentialsError) Unwrap() error { return e.Err }

// kind is what the error means for the call. A 400 too says that our
// credentials are wrong: OAuth 2.0 answers so to a client it does not know.
func (e *CredentialsError) kind() Kind {
	switch {
	case e.Response == nil:
		return Network
	case e.Response.StatusCode == http.StatusTooManyRequests:
		return RateLimited
	case e.Response.StatusCode == http.StatusRequestTimeout:
		return Unavailable
	case e.Response.StatusCode >= 400 && e.Response.StatusCode < 500:
		return Unauthorized
	}
	return Unavailable
}
