package connect

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"

	"github.com/hashicorp/go-retryablehttp"
)

// ErrEndpoint is returned for a base URL that is none.
var ErrEndpoint = errors.New("not an endpoint")

// ErrKey is returned for an API key of another form than "ApiKey SU-…:…". The
// error does not quote the key.
var ErrKey = errors.New("not an API key")

// Client calls Connect on behalf of one account. It may be used by any number
// of goroutines. Its services share it.
type Client struct {
	base     *url.URL
	settings settings
	reads    *retryablehttp.Client // GET and PUT
	actions  *retryablehttp.Client // POST: never repeated blindly
	// authorize and redact hold the key in closures, so that printing the
	// client, however it is done, can't print the key.
	authorize func(http.Header)
	redact    func([]byte) []byte

	// refusedOrder holds the lists (paths) that can not be ordered by id.
	refusedOrder sync.Map

	Requests      *RequestsService
	TierRequests  *TierRequestsService
	Products      *ProductsService
	Templates     *TemplatesService
	Conversations *ConversationsService
	Accounts      *AccountsService
	Assets        *AssetsService
}

// NewClient returns a client of the API at endpoint, e.g.
// https://api.connect.cloudblue.com/public/v1. It makes no call. It fails with
// ErrEndpoint or ErrKey, or if an option is out of range.
func NewClient(endpoint, key string, opts ...Option) (*Client, error) {
	base, err := parseEndpoint(endpoint)
	if err != nil {
		return nil, err
	}
	key, err = normalizeKey(key)
	if err != nil {
		return nil, err
	}
	s := defaults()
	for _, opt := range opts {
		opt(&s)
	}
	if err := s.validate(); err != nil {
		return nil, fmt.Errorf("connect client: %w", err)
	}
	c := &Client{base: base, settings: s}
	c.authorize = func(h http.Header) { h.Set("Authorization", key) }
	c.redact = redactor(key)
	c.reads, c.actions = newTransports(&c.settings)
	c.Requests = &RequestsService{client: c}
	c.TierRequests = &TierRequestsService{client: c}
	c.Products = &ProductsService{client: c}
	c.Templates = &TemplatesService{client: c}
	c.Conversations = &ConversationsService{client: c}
	c.Accounts = &AccountsService{client: c}
	c.Assets = &AssetsService{client: c}
	return c, nil
}

// String names the endpoint and hides the key.
func (c *Client) String() string { return "connect.Client(" + c.base.String() + ", key redacted)" }

// GoString is String, for %#v.
func (c *Client) GoString() string { return c.String() }

// CloseIdleConnections closes the connections that no call is using.
func (c *Client) CloseIdleConnections() {
	if o, ok := c.reads.HTTPClient.Transport.(*observed); ok {
		o.closeIdle()
	}
}

func parseEndpoint(endpoint string) (*url.URL, error) {
	u, err := url.Parse(strings.TrimSpace(endpoint))
	if err != nil {
		// url.Error quotes the endpoint, which may hold a password.
		return nil, fmt.Errorf("parse URL: %w", ErrEndpoint)
	}
	switch {
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, fmt.Errorf("scheme %q, want http or https: %w", u.Scheme, ErrEndpoint)
	case u.Hostname() == "":
		return nil, fmt.Errorf("no host: %w", ErrEndpoint)
	case u.User != nil || u.RawQuery != "" || u.Fragment != "" || u.ForceQuery:
		return nil, fmt.Errorf("want no user, query or fragment: %w", ErrEndpoint)
	}
	u.Path = strings.TrimRight(u.Path, "/")
	u.RawPath = ""
	return u, nil
}

// normalizeKey returns key with the prefix "ApiKey " exactly once.
func normalizeKey(key string) (string, error) {
	const prefix = "ApiKey "
	key = strings.TrimSpace(key)
	if len(key) >= len(prefix) && strings.EqualFold(key[:len(prefix)], prefix) {
		key = strings.TrimSpace(key[len(prefix):])
	}
	user, secret, found := strings.Cut(key, ":")
	if !found || user == "" || secret == "" {
		return "", fmt.Errorf("want SU-…:…: %w", ErrKey)
	}
	if strings.ContainsFunc(key, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return "", fmt.Errorf("want no spaces and ASCII only: %w", ErrKey)
	}
	return prefix + key, nil
}

// redactor hides the key in bodies, which a proxy may echo it in.
func redactor(key string) func([]byte) []byte {
	_, bare, _ := strings.Cut(key, " ")
	_, secret, _ := strings.Cut(bare, ":")
	return func(b []byte) []byte {
		for _, s := range []string{bare, secret} {
			b = bytes.ReplaceAll(b, []byte(s), []byte("[redacted]"))
		}
		return b
	}
}
