package broker

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/sirupsen/logrus"
)

// readyPatience is more than enough: the server listens when its start returns.
const readyPatience = 5 * time.Second

// Broker is a running server that owns its data directory.
type Broker struct {
	dir    string
	server *server.Server
	access Access
	lock   *os.File
	log    *logrus.Entry
	// mirror is the password of the user who makes the readers' mirror; "" when
	// there are none.
	mirror string

	once sync.Once
	down chan struct{}
}

// Start takes the data directory and serves it. It returns when the streams are
// read and clients are admitted; reading a full store takes about a second for a
// million messages and isn't interrupted by ctx. The errors: [InUseError] when
// another broker has the directory; else what is wrong with the options, the
// directory or the address.
func Start(ctx context.Context, o Options) (*Broker, error) {
	if err := o.Validate(); err != nil {
		return nil, fmt.Errorf("start broker: %w", err)
	}
	log := o.logger()
	if err := prepareDir(o.Dir, log); err != nil {
		return nil, fmt.Errorf("start broker: %w", err)
	}
	lock, err := lockDir(ctx, o.Dir)
	if err != nil {
		return nil, fmt.Errorf("start broker: %w", err)
	}
	b := &Broker{dir: o.Dir, lock: lock, log: log, down: make(chan struct{})}
	if err := b.start(ctx, o); err != nil {
		b.stop()
		return nil, fmt.Errorf("start broker: %w", err)
	}
	return b, nil
}

func (b *Broker) start(ctx context.Context, o Options) error {
	// Whatever it says, its server is gone: the lock was free.
	if err := removeIfThere(filepath.Join(o.Dir, accessFile)); err != nil {
		return fmt.Errorf("remove address of an earlier broker: %w", err)
	}
	b.access = Access{User: ownerUser, Password: rand.Text(), PID: os.Getpid()}
	so, err := o.serverOptions([]*server.User{{Username: b.access.User, Password: b.access.Password}})
	if err != nil {
		return err
	}
	var others guest
	if o.Listen != "" {
		if others, err = loadGuest(o.Dir); err != nil {
			return err
		}
		if err := b.admit(so, others); err != nil {
			return err
		}
	}
	if err := b.serve(ctx, o, so); err != nil {
		return err
	}
	addr, ok := b.server.Addr().(*net.TCPAddr)
	if !ok {
		return fmt.Errorf("read address of server: got %v", b.server.Addr())
	}
	b.access.URL, b.access.ServerID = ownURL(addr), b.server.ID()
	if o.Listen != "" {
		others.URL = listenURL(addr)
		if err := b.admitOthers(others, addr); err != nil {
			return err
		}
	}
	return writePrivate(o.Dir, accessFile, b.access)
}

// admit adds the users from elsewhere, and the account of those who only read.
func (b *Broker) admit(so *server.Options, others guest) error {
	ours, readers, err := accounts()
	if err != nil {
		return err
	}
	b.mirror = rand.Text()
	so.Accounts = []*server.Account{ours, readers}
	so.Users = append(so.Users, &server.User{Username: others.User, Password: others.Password})
	so.Users = append(so.Users, readerUsers(readers, others.Reader, b.mirror)...)
	so.DontListen = true // until both accounts have their streams
	return nil
}

// serve starts the server and waits until it admits clients.
func (b *Broker) serve(ctx context.Context, o Options, so *server.Options) error {
	s, err := server.NewServer(so)
	if err != nil {
		return fmt.Errorf("make server: %w", err)
	}
	sl := newServerLog(b.log)
	s.SetLoggerV2(sl, false, false, false)
	b.server = s
	s.Start()
	if so.DontListen {
		if err := allowStreams(s); err != nil {
			return err
		}
		s.AcceptLoop(make(chan struct{}))
	}
	select {
	case cause := <-sl.fatal:
		return fmt.Errorf("serve %s: %s", o.Dir, cause)
	default:
	}
	if err := context.Cause(ctx); err != nil {
		return err
	}
	if !s.ReadyForConnections(readyPatience) {
		return fmt.Errorf("serve %s: not ready within %s", o.Dir, readyPatience)
	}
	return nil
}

func (b *Broker) admitOthers(g guest, addr *net.TCPAddr) error {
	if err := writePrivate(b.dir, listenFile, g); err != nil {
		return err
	}
	log := b.log.WithField("address", addr.String())
	if !addr.IP.IsLoopback() {
		log.Warn("broker admits others without TLS: credential and messages can be read on the way")
		return nil
	}
	log.Debug("broker admits others")
	return nil
}

// InProcessConn is a connection that leaves the process by no door; it makes
// the broker a nats.InProcessConnProvider. The client still has to present
// [Broker.User] and [Broker.Password]; without them it isn't refused but stalls.
func (b *Broker) InProcessConn() (net.Conn, error) { return b.server.InProcessConn() }

// URL is where this machine reaches the broker, without credentials.
func (b *Broker) URL() string { return b.access.URL }

// User is the owner's name.
func (b *Broker) User() string { return b.access.User }

// Password is the owner's; new at every start.
func (b *Broker) Password() string { return b.access.Password }

// ServerID is the server's, new at every start.
func (b *Broker) ServerID() string { return b.access.ServerID }

// Mirror is who makes the mirror in [ReadersAccount], over [Broker.InProcessConn];
// new at every start. It is false without Options.Listen: then there are no
// readers.
func (b *Broker) Mirror() (user, password string, ok bool) {
	return mirrorUser, b.mirror, b.mirror != ""
}

// Access is what broker.json holds.
func (b *Broker) Access() Access { return b.access }

// Healthy is nil while the streams can be used. After a failed write (a full or
// broken disk) the server doesn't answer publishes of that stream any more, so
// that they end with an unknown outcome; here is the reason. It stays so until
// the process is started again.
func (b *Broker) Healthy() error {
	h := b.server.Healthz(&server.HealthzOptions{})
	if h.Error != "" {
		return fmt.Errorf("embedded broker: %s", h.Error)
	}
	return nil
}

// Shutdown stops the server and gives the directory back. Drain the clients
// first: what they have in hand is cut off. It may be called again, and then
// waits for the first call. When ctx ends sooner its cause is returned and the
// stopping goes on; the directory stays locked until it is done.
func (b *Broker) Shutdown(ctx context.Context) error {
	b.once.Do(func() {
		go func() {
			defer close(b.down)
			b.stop()
		}()
	})
	select {
	case <-b.down:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("shut down broker: %w", context.Cause(ctx))
	}
}

// stop lets go of the directory last, when nothing writes to it any more.
func (b *Broker) stop() {
	if err := removeIfThere(filepath.Join(b.dir, accessFile)); err != nil {
		b.log.WithError(err).Warn("remove broker's address")
	}
	if b.server != nil {
		b.server.Shutdown()
		b.server.WaitForShutdown()
	}
	if err := b.lock.Close(); err != nil {
		b.log.WithError(err).Warn("unlock data directory")
	}
}

// prepareDir makes the directory private. One that is in use for other things
// keeps its mode, which is not ours to change; the files in it are private.
func prepareDir(dir string, log *logrus.Entry) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make data directory: %w", err)
	}
	info, err := os.Stat(dir)
	if err != nil {
		return fmt.Errorf("look at data directory: %w", err)
	}
	if info.Mode().Perm()&0o077 == 0 {
		return nil
	}
	empty, err := isEmpty(dir)
	if err != nil {
		return fmt.Errorf("look into data directory: %w", err)
	}
	if empty && os.Chmod(dir, 0o700) == nil {
		return nil
	}
	log.WithFields(logrus.Fields{"dir": dir, "mode": info.Mode().Perm().String()}).
		Debug("data directory is open to others; the files in it are not")
	return nil
}

func isEmpty(dir string) (bool, error) {
	f, err := os.Open(dir)
	if err != nil {
		return false, err
	}
	defer func() { _ = f.Close() }()
	_, err = f.Readdirnames(1)
	if errors.Is(err, io.EOF) {
		return true, nil
	}
	return false, err
}

func removeIfThere(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}
