package connect

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/sirupsen/logrus"
)

// The defaults of a Client.
const (
	DefaultPageSize = 100
	// DefaultTimeout is long, as Connect at times takes minutes to answer.
	DefaultTimeout   = 3 * time.Minute
	DefaultRetries   = 3
	DefaultRetryMin  = 200 * time.Millisecond
	DefaultRetryMax  = 5 * time.Second
	DefaultUserAgent = "headrace"

	// idlePerHost keeps a connection for each worker: with Go's default of two,
	// half the throughput goes into opening connections.
	idlePerHost = 256
)

// An Option changes a default of NewClient.
type Option func(*settings)

type settings struct {
	httpClient *http.Client
	transport  http.RoundTripper
	timeout    time.Duration
	pageSize   int
	userAgent  string
	log        *logrus.Entry
	retries    int
	retryMin   time.Duration
	retryMax   time.Duration
	observe    func(method, route string, status int, d time.Duration)
}

func defaults() settings {
	return settings{
		timeout: DefaultTimeout, pageSize: DefaultPageSize, userAgent: DefaultUserAgent,
		retries: DefaultRetries, retryMin: DefaultRetryMin, retryMax: DefaultRetryMax,
		observe: func(string, string, int, time.Duration) {},
	}
}

func (s *settings) validate() error {
	var faults []error
	if s.pageSize < 1 {
		faults = append(faults, fmt.Errorf("page size %d: want 1 or more", s.pageSize))
	}
	if s.timeout <= 0 {
		faults = append(faults, fmt.Errorf("timeout %s: want more than 0", s.timeout))
	}
	if s.retries < 0 || s.retryMin < 0 || s.retryMax < s.retryMin {
		faults = append(faults, fmt.Errorf("retry %d, %s to %s: want 0 or more, ascending", s.retries, s.retryMin, s.retryMax))
	}
	return errors.Join(faults...)
}

// WithHTTPClient uses a copy of c. Its timeout and its redirects are replaced:
// redirects are never followed, as the key would go with them.
func WithHTTPClient(c *http.Client) Option { return func(s *settings) { s.httpClient = c } }

// WithTransport uses t instead of a transport of the Client's own, which keeps
// 256 idle connections a host and honours HTTPS_PROXY.
func WithTransport(t http.RoundTripper) Option { return func(s *settings) { s.transport = t } }

// WithTimeout bounds one attempt, reading the body included. Default
// DefaultTimeout. The context bounds the whole call.
func WithTimeout(d time.Duration) Option { return func(s *settings) { s.timeout = d } }

// WithPageSize sets how many rows a list asks for at a time. Default 100;
// Connect cuts it to its maximum, about 1000.
func WithPageSize(n int) Option { return func(s *settings) { s.pageSize = n } }

// WithUserAgent names the program to Connect. Default "headrace".
func WithUserAgent(name string) Option { return func(s *settings) { s.userAgent = name } }

// WithLogger logs retries at Warn. Default: no log.
func WithLogger(log *logrus.Entry) Option { return func(s *settings) { s.log = log } }

// WithRetry sets how often a read or a PUT is sent again after its first try,
// and the bounds of the pause before each. Defaults 3, 200ms, 5s. An action is
// sent again as often, each time after a look at the request.
func WithRetry(most int, minWait, maxWait time.Duration) Option {
	return func(s *settings) { s.retries, s.retryMin, s.retryMax = most, minWait, maxWait }
}

// WithObserver calls f after each attempt, from any goroutine. route is a
// template such as "/requests/{id}/approve"; status is 0 if there was no
// answer; d is the time to the answer's header.
func WithObserver(f func(method, route string, status int, d time.Duration)) Option {
	return func(s *settings) { s.observe = f }
}
