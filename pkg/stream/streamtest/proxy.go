package streamtest

import (
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

// Proxy stands between clients and a server and spoils the line: it can be
// stalled, when nothing comes through and nobody is told, slowed down, or cut.
type Proxy struct {
	l      net.Listener
	target string
	done   chan struct{}

	mu    sync.Mutex
	open  *sync.Cond
	stall bool
	delay time.Duration
	conns map[net.Conn]bool
	wg    sync.WaitGroup
}

// Between starts a proxy to b that the test's end stops.
func Between(t testing.TB, b *Broker) *Proxy {
	t.Helper()
	return To(t, strings.TrimPrefix(b.URL(), "nats://"))
}

// To starts a proxy to the server at target, host:port, which need not be there
// yet. The test's end stops it.
func To(t testing.TB, target string) *Proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("listen: %v", err)
	}
	p := &Proxy{l: l, target: target, done: make(chan struct{}), conns: map[net.Conn]bool{}}
	p.open = sync.NewCond(&p.mu)
	p.wg.Go(p.accept)
	t.Cleanup(func() {
		_ = l.Close()
		close(p.done)
		p.Stall(false)
		p.Cut()
		p.wg.Wait()
	})
	return p
}

// Addr is where to connect to, host:port.
func (p *Proxy) Addr() string { return p.l.Addr().String() }

// URL is the address of a broker behind it.
func (p *Proxy) URL() string { return "nats://" + p.Addr() }

// Stall stops the line or lets it go on; what was held back then comes through.
func (p *Proxy) Stall(on bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stall = on
	p.open.Broadcast()
}

// Delay has all that comes rest for d; 0 is no more delay.
func (p *Proxy) Delay(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.delay = d
}

// Cut ends every connection there is, in the middle of whatever is said. New
// ones are made as before.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		_ = c.Close()
	}
}

func (p *Proxy) accept() {
	for {
		in, err := p.l.Accept()
		if err != nil {
			return
		}
		out, err := net.Dial("tcp", p.target)
		if err != nil {
			_ = in.Close()
			continue
		}
		p.mu.Lock()
		p.conns[in], p.conns[out] = true, true
		p.mu.Unlock()
		p.wg.Go(func() { p.carry(in, out) })
		p.wg.Go(func() { p.carry(out, in) })
	}
}

func (p *Proxy) carry(from, to net.Conn) {
	defer p.end(from)
	defer p.end(to)
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		p.rest()
		if _, werr := to.Write(buf[:n]); werr != nil || (err != nil && n == 0) {
			return
		}
		if errors.Is(err, io.EOF) {
			return
		}
	}
}

func (p *Proxy) end(c net.Conn) {
	_ = c.Close()
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.conns, c)
}

// rest holds back what was read as long as the line is spoilt.
func (p *Proxy) rest() {
	p.mu.Lock()
	for p.stall {
		p.open.Wait()
	}
	delay := p.delay
	p.mu.Unlock()
	if delay == 0 {
		return
	}
	select {
	case <-time.After(delay):
	case <-p.done:
	}
}
