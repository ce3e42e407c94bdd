package broker

import (
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/sirupsen/logrus"
)

// unlimitedStore is how much the streams may take together when Options says
// nothing. The server's own choice, three quarters of what is free at start,
// shrinks with every restart of a filled directory, until it refuses messages
// that there is room for.
const unlimitedStore = int64(1) << 60

// maxPayload is how large a message may be: eight times the server's default.
const maxPayload = 8 << 20

// Options says how the broker runs. Only Dir is required.
type Options struct {
	// Dir is the data directory. It is made, with mode 0700, if it is missing.
	Dir string
	// SyncAlways has every message on disk before it is acknowledged. It is
	// also the case when neither field is set.
	SyncAlways bool
	// SyncInterval, without SyncAlways, is how often the server syncs: what was
	// acknowledged within it is lost when the machine (not merely the process)
	// goes down.
	SyncInterval time.Duration
	// Listen is host:port for other processes; "" is closed to them. An empty
	// host is every interface, port 0 a free one.
	Listen string
	// Logger takes the server's log: errors and warnings as such, the rest as
	// debug. Nil discards it.
	Logger *logrus.Entry
	// MaxMemory bounds what memory streams and buckets take, in bytes; 0 is
	// three quarters of the machine's. Headrace's own streams are files.
	MaxMemory int64
	// MaxStore bounds what the streams take on disk, in bytes; 0 is no bound
	// but the streams' own.
	MaxStore int64
}

// Validate reports every fault of the options.
func (o Options) Validate() error {
	var faults []error
	if o.Dir == "" {
		faults = append(faults, errors.New("data directory is not set"))
	}
	if o.SyncInterval < 0 {
		faults = append(faults, fmt.Errorf("sync interval %s is negative", o.SyncInterval))
	}
	if o.MaxMemory < 0 || o.MaxStore < 0 {
		faults = append(faults, errors.New("memory and store limits cannot be negative"))
	}
	if _, _, err := o.address(); err != nil {
		faults = append(faults, err)
	}
	return errors.Join(faults...)
}

func (o Options) syncAlways() bool { return o.SyncAlways || o.SyncInterval == 0 }

func (o Options) logger() *logrus.Entry {
	if o.Logger != nil {
		return o.Logger
	}
	l := logrus.New()
	l.SetOutput(io.Discard)
	return logrus.NewEntry(l)
}

// address is the host and port to listen at, in the server's own spelling: -1
// is a free port.
func (o Options) address() (string, int, error) {
	if o.Listen == "" {
		return "127.0.0.1", server.RANDOM_PORT, nil
	}
	host, text, err := net.SplitHostPort(o.Listen)
	if err != nil {
		return "", 0, fmt.Errorf("parse listen address %q (want host:port): %w", o.Listen, err)
	}
	port, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return "", 0, fmt.Errorf("parse listen address %q: port: %w", o.Listen, err)
	}
	if port == 0 {
		return host, server.RANDOM_PORT, nil
	}
	return host, int(port), nil
}

// serverOptions is what the server is started with. Users are the only ones it
// admits.
func (o Options) serverOptions(users []*server.User) (*server.Options, error) {
	host, port, err := o.address()
	if err != nil {
		return nil, err
	}
	s := &server.Options{
		ServerName: "headrace",
		Host:       host,
		Port:       port,
		Users:      users,
		// The process handles its signals itself, and drains its clients first.
		NoSigs:             true,
		NoLog:              true,
		JetStream:          true,
		StoreDir:           o.Dir, // the server adds "jetstream"
		JetStreamMaxMemory: o.MaxMemory,
		JetStreamMaxStore:  o.MaxStore,
		SyncAlways:         o.syncAlways(),
		// A dead letter holds another message whole, in base64.
		MaxPayload: maxPayload,

		DisableJetStreamBanner: true,
	}
	if !s.SyncAlways {
		s.SyncInterval = o.SyncInterval
	}
	if s.JetStreamMaxStore == 0 {
		s.JetStreamMaxStore = unlimitedStore
	}
	return s, nil
}
