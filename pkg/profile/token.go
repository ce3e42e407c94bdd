package profile

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
	"golang.org/x/sync/singleflight"

	"github.com/headrace/headrace/pkg/vendorapi"
)

// tokenTimeout bounds a call for a token. Many requests wait for one.
const tokenTimeout = 20 * time.Second

// tokens puts an OAuth 2.0 token on the calls to one host, and gets a new one
// when it expires or the vendor refuses it. Calls that need one at the same time
// share it.
type tokens struct {
	config clientcredentials.Config
	host   string
	client *http.Client // to the token endpoint
	next   http.RoundTripper
	flight singleflight.Group

	mu    sync.Mutex
	token *oauth2.Token
}

func newTokens(c credentials, host string, base, next http.RoundTripper) *tokens {
	style := oauth2.AuthStyleInHeader // finding out would make a 401 of an outage
	if c.style == "post" {
		style = oauth2.AuthStyleInParams
	}
	return &tokens{
		config: clientcredentials.Config{
			ClientID: c.name, ClientSecret: c.secret, TokenURL: c.tokenURL, AuthStyle: style, Scopes: strings.Fields(c.scopes),
		},
		host: host, client: &http.Client{Transport: base, Timeout: tokenTimeout}, next: next,
	}
}

// RoundTrip implements http.RoundTripper. A 401 of the vendor's is left as it is,
// but the call that comes after it gets another token.
func (t *tokens) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Host != t.host {
		return t.next.RoundTrip(r)
	}
	token, err := t.current(r.Context())
	if err != nil {
		if r.Body != nil {
			_ = r.Body.Close() // as a RoundTripper must; nothing was read
		}
		return nil, err
	}
	r = r.Clone(r.Context())
	token.SetAuthHeader(r)
	resp, err := t.next.RoundTrip(r)
	if err == nil && resp.StatusCode == http.StatusUnauthorized {
		t.drop(token)
	}
	return resp, err
}

func (t *tokens) current(ctx context.Context) (*oauth2.Token, error) {
	t.mu.Lock()
	token := t.token
	t.mu.Unlock()
	if token.Valid() {
		return token, nil
	}
	// Without the caller's end: others wait for the same answer.
	fetch := t.flight.DoChan("", func() (any, error) { return t.fetch(context.WithoutCancel(ctx)) })
	select {
	case got := <-fetch:
		if got.Err != nil {
			return nil, got.Err
		}
		return got.Val.(*oauth2.Token), nil
	case <-ctx.Done():
		return nil, &vendorapi.CredentialsError{Err: ctx.Err()}
	}
}

func (t *tokens) fetch(ctx context.Context) (*oauth2.Token, error) {
	token, err := t.config.Token(context.WithValue(ctx, oauth2.HTTPClient, t.client))
	if err != nil {
		failed := &vendorapi.CredentialsError{Err: err}
		if answered := (*oauth2.RetrieveError)(nil); errors.As(err, &answered) {
			failed.Response = answered.Response
			failed.Err = errors.New(answered.Response.Status + " " + answered.ErrorCode) // its body is nobody's business
		}
		return nil, failed
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.token = token
	return token, nil
}

func (t *tokens) drop(refused *oauth2.Token) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.token == refused {
		t.token = nil
	}
}
