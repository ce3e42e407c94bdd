package traps

import (
	"sync"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
)

// stillThere is the verdict on a stock half.
func stillThere(t *testing.T, trap string, seen bool) {
	t.Helper()
	if !seen {
		t.Errorf("%s no longer fails with the stock part: upstream seems to have mended it; "+
			"reopen the decision for our own subscriber in docs/decisions and update the table of this package", trap)
	}
}

// within polls until cond is true, for at most d.
func within(t *testing.T, d time.Duration, cond func() bool) bool {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	end := time.NewTimer(d)
	defer end.Stop()
	for {
		if cond() {
			return true
		}
		select {
		case <-tick.C:
		case <-end.C:
			return cond()
		case <-t.Context().Done():
			return false
		}
	}
}

// hold is a handler's work.
func hold(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	<-timer.C
}

// log counts what handlers do.
type log struct {
	mu      sync.Mutex
	runs    map[string]int
	now     map[string]int
	peak    int // of one message
	total   int
	started chan struct{}
}

func newLog() *log {
	return &log{runs: map[string]int{}, now: map[string]int{}, started: make(chan struct{}, 1<<16)}
}

// begin counts a run of m; the returned function ends it.
func (l *log) begin(m *message.Message) (end func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.total++
	l.runs[m.UUID]++
	l.now[m.UUID]++
	l.peak = max(l.peak, l.now[m.UUID])
	select {
	case l.started <- struct{}{}:
	default:
	}
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.now[m.UUID]--
	}
}

func (l *log) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.total
}

func (l *log) distinct() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.runs)
}

func (l *log) atOnce() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.peak
}

func (l *log) of(uuid string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.runs[uuid]
}

func (l *log) awaitStart(t *testing.T) {
	t.Helper()
	select {
	case <-l.started:
	case <-time.After(patience):
		t.Fatalf("no handler started within %s", patience)
	}
}
