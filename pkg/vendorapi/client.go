package vendorapi

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// DefaultTimeout is how long a call may take, its answer's body included.
const DefaultTimeout = 60 * time.Second

// A Client calls one vendor endpoint. It may be used by any number of goroutines.
type Client struct {
	base      string // without a slash at its end
	http      *http.Client
	timeout   time.Duration
	userAgent string
	observe   func(method, route string, status int, d time.Duration)
}

// An Option changes a Client that is being made.
type Option func(*Client)

// WithTransport sends the calls through rt instead of NewTransport. Where rt reports no connections to net/http/httptrace,
// Error.NotSent is seldom known.
func WithTransport(rt http.RoundTripper) Option { return func(c *Client) { c.http.Transport = rt } }

// WithTimeout replaces DefaultTimeout; 0 leaves only the caller's deadline.
func WithTimeout(d time.Duration) Option { return func(c *Client) { c.timeout = d } }

// WithUserAgent replaces the User-Agent, "headrace".
func WithUserAgent(s string) Option { return func(c *Client) { c.userAgent = s } }

// WithObserver has f told of each call when it has ended. The route has {id} in the tenant's place; status 0 is a call
// without an answer.
func WithObserver(f func(method, route string, status int, d time.Duration)) Option {
	return func(c *Client) { c.observe = f }
}

// New returns a client of the API at endpoint, an http or https URL that may have a path.
func New(endpoint string, opts ...Option) (*Client, error) {
	u, err := url.Parse(strings.TrimSpace(endpoint))
	switch {
	case err != nil:
		return nil, fmt.Errorf("parse vendor endpoint: %w", errors.Unwrap(err)) // the outer error repeats the URL, password and all
	case u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		return nil, fmt.Errorf("vendor endpoint %s is not an http or https URL", u.Redacted())
	case u.RawQuery != "" || u.Fragment != "":
		return nil, fmt.Errorf("vendor endpoint %s has a query or a fragment", u.Redacted())
	}
	c := &Client{
		base:      strings.TrimRight(u.String(), "/"),
		http:      &http.Client{CheckRedirect: checkRedirect},
		timeout:   DefaultTimeout,
		userAgent: "headrace",
		observe:   func(string, string, int, time.Duration) {},
	}
	for _, opt := range opts {
		opt(c)
	}
	if c.http.Transport == nil {
		c.http.Transport = NewTransport()
	}
	return c, nil
}

// NewTransport returns the transport that a Client uses by default, for those who put something in front of it. It keeps
// enough idle connections for hundreds of calls at once, and gives up on dead HTTP/2 connections.
func NewTransport() *http.Transport {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.MaxIdleConns = 0 // no limit but the one per host
	t.MaxIdleConnsPerHost = 512
	t.HTTP2 = &http.HTTP2Config{SendPingTimeout: 15 * time.Second, PingTimeout: 15 * time.Second}
	return t
}

// checkRedirect follows the redirects of reads alone: net/http would make a GET of a redirected POST, and its success
// would pass for the POST's.
func checkRedirect(r *http.Request, via []*http.Request) error {
	if via[0].Method != http.MethodGet || len(via) > 5 {
		return http.ErrUseLastResponse
	}
	return nil
}
