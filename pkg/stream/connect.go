package stream

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Errors of Connect.
var (
	// ErrUnreachable: nobody answers at the address.
	ErrUnreachable = errors.New("broker not reached")
	// ErrCredentials: the broker refuses ours.
	ErrCredentials = errors.New("broker refuses the credentials")
	// ErrNoJetStream: the broker has no JetStream for this account.
	ErrNoJetStream = errors.New("broker has no JetStream")
)

const (
	reconnectWait = 250 * time.Millisecond
	// reconnectBuffer holds what is written while the connection is away, above
	// all acknowledgements; appends wait for the connection instead.
	reconnectBuffer = 8 << 20
)

// Connect reaches the broker and makes sure that it has JetStream. It fails
// with ErrUnreachable, ErrCredentials or ErrNoJetStream, joined with the cause.
// A connection that is lost later is sought for ever, unless
// Options.NoReconnect.
func Connect(ctx context.Context, opts Options) (*Client, error) {
	if err := opts.Validate(); err != nil {
		return nil, fmt.Errorf("connect to broker: %w", err)
	}
	opts = opts.withDefaults()
	ctx, cancel := context.WithTimeout(ctx, opts.ConnectTimeout)
	defer cancel()

	c := &Client{
		opts: opts, log: opts.Logger,
		closed: make(chan struct{}), missed: make(chan struct{}, 1), seen: map[string]uint64{},
		streamOf: map[string]string{}, bindings: map[string]error{},
	}
	if err := c.dial(ctx); err != nil {
		return nil, fmt.Errorf("connect to broker %s: %w", opts.address(), err)
	}
	if err := c.prepare(ctx); err != nil {
		c.nc.Close()
		return nil, fmt.Errorf("connect to broker %s: %w", opts.address(), err)
	}
	return c, nil
}

func (o Options) address() string {
	if o.InProcess != nil {
		return "in process"
	}
	// A URL may hold a password.
	var shown []string
	for _, u := range strings.Split(o.URL, ",") {
		if i := strings.LastIndex(u, "@"); i >= 0 {
			u = u[i+1:]
		}
		shown = append(shown, strings.TrimSpace(u))
	}
	return strings.Join(shown, ",")
}

func (c *Client) dial(ctx context.Context) error {
	if c.opts.InProcess != nil {
		if err := probe(ctx, c.opts); err != nil {
			return err
		}
	}
	for _, f := range []string{c.opts.CredsFile, c.opts.CAFile, c.opts.CertFile, c.opts.KeyFile} {
		if f == "" {
			continue
		}
		if _, err := os.Stat(f); err != nil {
			return errors.Join(ErrCredentials, err)
		}
	}
	type dialled struct {
		nc  *nats.Conn
		err error
	}
	done := make(chan dialled, 1)
	go func() {
		nc, err := nats.Connect(c.opts.URL, c.natsOptions(ctx)...)
		done <- dialled{nc, err}
	}()
	select {
	case d := <-done:
		c.nc = d.nc
		return classify(d.err)
	case <-ctx.Done():
		// nats.Connect takes no context; it ends by its own timeout.
		go func() {
			if d := <-done; d.err == nil {
				d.nc.Close()
			}
		}()
		return errors.Join(ErrUnreachable, context.Cause(ctx))
	}
}

func (c *Client) natsOptions(ctx context.Context) []nats.Option {
	o := c.opts
	timeout := o.ConnectTimeout
	if d, ok := ctx.Deadline(); ok {
		timeout = min(timeout, time.Until(d))
	}
	opts := []nats.Option{
		nats.Name(o.Name), nats.Timeout(timeout), nats.ReconnectBufSize(reconnectBuffer),
		nats.MaxReconnects(-1), nats.ReconnectWait(reconnectWait),
		nats.ReconnectJitter(reconnectWait/2, reconnectWait),
		// An embedded broker that comes back may do so with its users not yet
		// loaded: refusal is no reason to stop trying.
		nats.IgnoreAuthErrorAbort(),
		nats.ReconnectHandler(func(nc *nats.Conn) {
			c.log.WithField("server", nc.ConnectedAddr()).Info("broker is back")
		}),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			if err != nil {
				c.log.WithError(err).Warn("broker lost; trying to reach it again")
			}
		}),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
			c.log.WithError(err).Warn("broker reports an error")
		}),
	}
	if o.NoReconnect {
		opts = append(opts, nats.NoReconnect())
	}
	if o.InProcess != nil {
		opts = append(opts, nats.InProcessServer(o.InProcess))
	} else {
		opts = append(opts, nats.PingInterval(pingEvery), nats.MaxPingsOutstanding(pingsMissed))
	}
	if o.User != "" {
		opts = append(opts, nats.UserInfo(o.User, o.Password))
	}
	if o.CredsFile != "" {
		opts = append(opts, nats.UserCredentials(o.CredsFile))
	}
	if o.CAFile != "" {
		opts = append(opts, nats.RootCAs(o.CAFile))
	}
	if o.CertFile != "" {
		opts = append(opts, nats.ClientCert(o.CertFile, o.KeyFile))
	}
	return opts
}

// prepare makes what a fresh connection needs.
func (c *Client) prepare(ctx context.Context) error {
	js, err := jetstream.New(c.nc)
	if err != nil {
		return err
	}
	c.js = js
	if _, err := js.AccountInfo(ctx); err != nil {
		if errors.Is(err, jetstream.ErrJetStreamNotEnabled) || errors.Is(err, jetstream.ErrJetStreamNotEnabledForAccount) ||
			errors.Is(err, nats.ErrNoResponders) {
			return errors.Join(ErrNoJetStream, err)
		}
		return fmt.Errorf("ask for JetStream: %w", err)
	}
	if c.opts.GroupCommit {
		c.group = &grouper{client: c, queues: map[string]*queue{}}
	}
	if c.out, err = newAppender(c); err != nil {
		return err
	}
	if !c.opts.NoReconnect && c.opts.InProcess == nil {
		c.watch.Go(c.watchNode)
	}
	return nil
}

func classify(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, nats.ErrAuthorization), errors.Is(err, nats.ErrAuthExpired), errors.Is(err, nats.ErrAuthRevoked),
		strings.Contains(strings.ToLower(err.Error()), "authorization violation"):
		return errors.Join(ErrCredentials, err)
	default:
		return errors.Join(ErrUnreachable, err)
	}
}
