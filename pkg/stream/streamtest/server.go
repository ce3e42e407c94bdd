// Package streamtest gives tests a real JetStream server, in the process and
// on disk.
package streamtest

import (
	"context"
	"os"
	"regexp"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Broker is a JetStream server of one test, on a free port of 127.0.0.1.
type Broker struct {
	t    testing.TB
	opts server.Options
	srv  *server.Server
	// lines are those to and from the others of its cluster.
	lines []*Proxy

	mu    sync.Mutex
	admin jetstream.JetStream
}

// Server starts a broker in a temporary directory; the test's end stops it.
// Change opts before it starts with the given functions.
func Server(t testing.TB, change ...func(*server.Options)) *Broker {
	t.Helper()
	b := &Broker{t: t, opts: server.Options{
		Host: "127.0.0.1", Port: -1, NoSigs: true, NoLog: true,
		JetStream: true, StoreDir: t.TempDir(),
	}}
	for _, c := range change {
		c(&b.opts)
	}
	b.Start()
	t.Cleanup(b.Stop)
	return b
}

// URL is the address to connect to.
func (b *Broker) URL() string { return b.srv.ClientURL() }

// NATS is the running server, for what the rest does not offer; it is also an
// InProcess for stream.Options.
func (b *Broker) NATS() *server.Server { return b.srv }

// Start starts a stopped broker again, on the same port and store.
func (b *Broker) Start() {
	b.t.Helper()
	opts := b.opts
	srv, err := server.NewServer(&opts)
	if err != nil {
		b.t.Fatalf("make nats-server: %v", err)
	}
	srv.Start()
	if !srv.ReadyForConnections(10 * time.Second) {
		b.t.Fatal("nats-server is not ready after 10 s")
	}
	b.opts.Port = opts.Port
	b.srv = srv
}

// Stop stops the broker and waits until it is gone. It may be called twice.
func (b *Broker) Stop() {
	b.srv.Shutdown()
	b.srv.WaitForShutdown()
}

// JetStream is the broker's own API, for what the stream package does not do:
// deleting a consumer, publishing what is not in our format.
func (b *Broker) JetStream() jetstream.JetStream {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.admin != nil {
		return b.admin
	}
	nc, err := nats.Connect(b.URL(), nats.UserInfo(b.opts.Username, b.opts.Password), nats.MaxReconnects(-1),
		nats.ReconnectWait(50*time.Millisecond))
	if err != nil {
		b.t.Fatalf("connect to nats-server: %v", err)
	}
	b.t.Cleanup(nc.Close)
	if b.admin, err = jetstream.New(nc); err != nil {
		b.t.Fatalf("open JetStream: %v", err)
	}
	return b.admin
}

// Pending is how many messages a consumer has handed out that were not
// acknowledged.
func (b *Broker) Pending(stream, durable string) int {
	b.t.Helper()
	c, err := b.JetStream().Consumer(context.Background(), stream, durable)
	if err != nil {
		b.t.Errorf("look up consumer %s: %v", durable, err)
		return -1
	}
	return c.CachedInfo().NumAckPending
}

// Waiting is how many requests for messages a consumer has open.
func (b *Broker) Waiting(stream, durable string) int {
	b.t.Helper()
	c, err := b.JetStream().Consumer(context.Background(), stream, durable)
	if err != nil {
		b.t.Errorf("look up consumer %s: %v", durable, err)
		return -1
	}
	return c.CachedInfo().NumWaiting
}

// Subjects are those of all messages of a stream, in their order.
func (b *Broker) Subjects(stream string) []string {
	b.t.Helper()
	s, err := b.JetStream().Stream(context.Background(), stream)
	if err != nil {
		b.t.Fatalf("look up stream %s: %v", stream, err)
	}
	c, err := s.OrderedConsumer(context.Background(), jetstream.OrderedConsumerConfig{HeadersOnly: true})
	if err != nil {
		b.t.Fatalf("read stream %s: %v", stream, err)
	}
	var subjects []string
	for n := s.CachedInfo().State.Msgs; uint64(len(subjects)) < n; {
		m, err := c.Next(jetstream.FetchMaxWait(10 * time.Second))
		if err != nil {
			b.t.Fatalf("read stream %s: %v", stream, err)
		}
		subjects = append(subjects, m.Subject())
	}
	return subjects
}

// Config changes what Server starts to what the configuration file says; its
// port, store and monitoring stay the test's. The password that a variable
// $NAME stands for is "pw-NAME".
func Config(t testing.TB, path string) func(*server.Options) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return ConfigText(t, string(text))
}

// ConfigText is Config of a text.
func ConfigText(t testing.TB, text string) func(*server.Options) {
	t.Helper()
	text = regexp.MustCompile(`\$([A-Z_]+_PASSWORD)`).ReplaceAllString(text, `"pw-$1"`)
	return func(o *server.Options) {
		dir := o.StoreDir
		*o = server.Options{NoSigs: true, NoLog: true}
		if err := o.ProcessConfigString(text); err != nil {
			t.Fatal(err)
		}
		o.Host, o.Port, o.HTTPHost, o.HTTPPort = "127.0.0.1", -1, "", 0
		// A test need not wait for the disk.
		o.JetStream, o.StoreDir, o.SyncAlways, o.SyncInterval = true, dir, false, time.Minute
	}
}
