package stream

import (
	"errors"
	"net"
	"time"

	"github.com/sirupsen/logrus"
)

// Defaults of Options.
const (
	DefaultDrainTimeout = 8 * time.Second
	DefaultWindow       = 256
	DefaultRetryMin     = time.Second
	DefaultRetryMax     = 30 * time.Second
)

// Options says how to reach the broker and how to behave. The zero value of
// every field but URL and InProcess is good.
type Options struct {
	// URL is one or more addresses, separated by commas: nats://host:port.
	URL string
	// InProcess, if set, is dialled instead of URL: an embedded nats-server.
	InProcess interface{ InProcessConn() (net.Conn, error) }

	User, Password string
	// CredsFile is a NATS credentials file; CAFile, CertFile and KeyFile are PEM.
	CredsFile, CAFile, CertFile, KeyFile string
	// Name is shown by the broker's monitoring. Default "headrace".
	Name string

	// Logger receives what the package has to say. Default: nothing is logged.
	Logger *logrus.Entry
	// ConnectTimeout bounds Connect. Default 5 s.
	ConnectTimeout time.Duration
	// NoReconnect makes a lost connection final, as short commands want it.
	NoReconnect bool
	// DrainTimeout is how long a stop waits for what is in flight. Default 8 s.
	DrainTimeout time.Duration
	// Replicas of streams and consumers; 0 is 3 in a cluster of three or more,
	// else 1.
	Replicas int
	// Window bounds the appends that are under way at once. Default 256.
	Window int
	// GroupCommit lets appends that wait together share one sync to disk. It
	// pays only where the broker syncs always; elsewhere it costs much.
	GroupCommit bool
	// RetryMin and RetryMax bound the delay before a message whose Handler
	// failed comes again: it doubles with each attempt from RetryMin and is
	// spread by ±20 %. Defaults 1 s and 30 s.
	RetryMin, RetryMax time.Duration
}

func (o Options) withDefaults() Options {
	if o.Name == "" {
		o.Name = "headrace"
	}
	if o.ConnectTimeout <= 0 {
		o.ConnectTimeout = 5 * time.Second
	}
	if o.DrainTimeout <= 0 {
		o.DrainTimeout = DefaultDrainTimeout
	}
	if o.Window <= 0 {
		o.Window = DefaultWindow
	}
	if o.RetryMin <= 0 {
		o.RetryMin = DefaultRetryMin
	}
	if o.RetryMax <= 0 {
		o.RetryMax = max(DefaultRetryMax, o.RetryMin)
	}
	if o.Logger == nil {
		o.Logger = discardLogger()
	}
	return o
}

// Validate reports every fault of o at once.
func (o Options) Validate() error {
	var errs []error
	if o.URL == "" && o.InProcess == nil {
		errs = append(errs, errors.New("no broker: set URL or InProcess"))
	}
	if (o.CertFile == "") != (o.KeyFile == "") {
		errs = append(errs, errors.New("CertFile and KeyFile go together"))
	}
	if o.RetryMax > 0 && o.RetryMax < o.RetryMin {
		errs = append(errs, errors.New("RetryMax is below RetryMin"))
	}
	if o.Replicas < 0 || o.Replicas > 5 {
		errs = append(errs, errors.New("replicas must be 0 to 5"))
	}
	return errors.Join(errs...)
}
