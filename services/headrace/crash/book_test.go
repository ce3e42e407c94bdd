package crash

import (
	"sync"
	"time"

	"github.com/headrace/headrace/pkg/failpoint"
)

// What is done to processes and lines beside the failpoints.
const (
	atRandom   = "at random"
	brokerDies = "the broker"
	cut        = "connection cut"
	stalled    = "connection stalled"
	delayed    = "connection slow"
)

// crash is one thing that was done to a process with requests in flight.
type crash struct {
	what     string // a failpoint, or one of the above
	how      string // kill, stop, or "" for a line
	slot     *slot
	at       time.Time
	until    time.Time // when another process began, or this went on
	requests []string  // which it had in hand, as far as is known
}

// book is what was done, in order.
type book struct {
	mu      sync.Mutex
	crashes []*crash
	count   map[string]int
}

func (b *book) add(c *crash) *crash {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.count == nil {
		b.count = map[string]int{}
	}
	b.crashes = append(b.crashes, c)
	b.count[c.what]++
	return c
}

// tried counts what was done of one kind.
func (b *book) tried(what string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.count[what]
}

// kills counts the processes that were killed at random.
func (b *book) kills() int {
	return b.number(func(c *crash) bool { return c.how == failpoint.Kill && (c.what == atRandom || c.what == brokerDies) })
}

// number counts the crashes of which it is true.
func (b *book) number(is func(*crash) bool) int {
	n := 0
	for _, c := range b.all() {
		if is(c) {
			n++
		}
	}
	return n
}

func (b *book) all() []*crash {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]*crash(nil), b.crashes...)
}
