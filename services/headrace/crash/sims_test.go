package crash

import (
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"sync"
	"testing"
	"time"
)

// call is one call that a process made of an upstream.
type call struct {
	request    string // the request that it is about, "" if none is named
	create     bool   // POST /tenant
	began, end time.Time
}

// tap is the door of one slot's process to an upstream. It notes what comes
// through, so that one knows what was in flight when the process died.
type tap struct {
	next http.Handler
	addr string

	mu   sync.Mutex
	busy map[*call]bool
	over []call // only those that create: the others are not asked for later
}

func newTap(t *testing.T, next http.Handler) *tap {
	t.Helper()
	p := &tap{next: next, busy: map[*call]bool{}}
	server := httptest.NewServer(p)
	t.Cleanup(server.Close)
	p.addr = server.Listener.Addr().(*net.TCPAddr).String()
	return p
}

var requestID = regexp.MustCompile(`PR-\d{4}-\d{4}-\d{4}-\d{3}`)

func (p *tap) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c := &call{
		request: requestID.FindString(r.Header.Get("Idempotency-Key") + " " + r.URL.Path),
		create:  r.Method == http.MethodPost && r.URL.Path == "/tenant", began: time.Now(),
	}
	p.mu.Lock()
	p.busy[c] = true
	p.mu.Unlock()
	defer func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.busy, c)
		if c.end = time.Now(); c.create {
			p.over = append(p.over, *c)
		}
	}()
	p.next.ServeHTTP(w, r)
}

// inFlight lists the requests of which a call is being answered.
func (p *tap) inFlight() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var ids []string
	for c := range p.busy {
		if c.request != "" {
			ids = append(ids, c.request)
		}
	}
	return ids
}

// creating lists the purchases whose POST /tenant was under way at some moment
// of the time given.
func (p *tap) creating(from, to time.Time) []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var ids []string
	for _, c := range p.over {
		if c.end.After(from) && c.began.Before(to) {
			ids = append(ids, c.request)
		}
	}
	for c := range p.busy {
		if c.create && c.began.Before(to) {
			ids = append(ids, c.request)
		}
	}
	return ids
}
