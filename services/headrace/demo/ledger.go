package demo

import (
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/headrace/headrace/pkg/connectsim"
)

// ledger stands before the simulated Connect and notes what Headrace does
// there: when it last asked what is pending, and what it wrote.
type ledger struct {
	next http.Handler

	mu     sync.Mutex
	listed time.Time
	writes map[string][]write // by request
}

// write is one call that changes a request. The action is "" where parameters
// are saved.
type write struct {
	action string
	at     time.Time
}

func newLedger(next http.Handler) *ledger {
	return &ledger{next: next, writes: map[string][]write{}}
}

// ServeHTTP notes the call and passes it on.
func (l *ledger) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	began := time.Now()
	// Noted also when the simulator drops the connection, which it does by a
	// panic: the effect took place.
	defer l.note(r, began)
	l.next.ServeHTTP(w, r)
}

func (l *ledger) note(r *http.Request, began time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if r.Method == http.MethodGet {
		if r.URL.Path == connectsim.BasePath+"/requests" {
			l.listed = began
		}
		return
	}
	for _, list := range []string{"/requests/", "/tier/config-requests/"} {
		if rest, ok := strings.CutPrefix(r.URL.Path, connectsim.BasePath+list); ok {
			id, action, _ := strings.Cut(rest, "/")
			l.writes[id] = append(l.writes[id], write{action, began})
		}
	}
}

// lastList is when the last list of requests was asked for that has been
// answered.
func (l *ledger) lastList() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.listed
}

// count is how often an action was called on a request; with "*" all that was
// written to it counts.
func (l *ledger) count(id, action string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	for _, w := range l.writes[id] {
		if w.action == action || action == "*" {
			n++
		}
	}
	return n
}

// first is when an action was first called on a request.
func (l *ledger) first(id, action string) (time.Time, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, w := range l.writes[id] {
		if w.action == action {
			return w.at, true
		}
	}
	return time.Time{}, false
}
