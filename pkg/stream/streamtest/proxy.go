package streamtest

import (
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
)

// Proxy stands between a client and a broker and can stall the line: nothing
// comes through, and nobody is told.
type Proxy struct {
	l      net.Listener
	target string

	mu    sync.Mutex
	open  *sync.Cond
	stall bool
	conns map[net.Conn]bool
	wg    sync.WaitGroup
}

// Between starts a proxy to b that the test's end stops.
func Between(t testing.TB, b *Broker) *Proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("listen: %v", err)
	}
	p := &Proxy{l: l, target: strings.TrimPrefix(b.URL(), "nats://"), conns: map[net.Conn]bool{}}
	p.open = sync.NewCond(&p.mu)
	p.wg.Go(p.accept)
	t.Cleanup(func() {
		_ = l.Close()
		p.Stall(false)
		p.mu.Lock()
		for c := range p.conns {
			_ = c.Close()
		}
		p.mu.Unlock()
		p.wg.Wait()
	})
	return p
}

// URL is the address to connect to.
func (p *Proxy) URL() string { return "nats://" + p.l.Addr().String() }

// Stall stops the line or lets it go on; what was held back then comes through.
func (p *Proxy) Stall(on bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stall = on
	p.open.Broadcast()
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
	defer from.Close()
	defer to.Close()
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		p.mu.Lock()
		for p.stall {
			p.open.Wait()
		}
		p.mu.Unlock()
		if _, werr := to.Write(buf[:n]); werr != nil || (err != nil && n == 0) {
			return
		}
		if errors.Is(err, io.EOF) {
			return
		}
	}
}
