package upstream

import (
	"math"
	"sync"
	"time"
)

// Resting counts what a process has put off because an upstream was closed. The
// zero value is ready to use, by many at the same time.
type Resting struct {
	mu    sync.Mutex // guards until
	until map[int64]int
}

const (
	// looked is how much rests at least before no more is looked at while nobody may
	// be called: an order that lacks something is to be sent back to the customer
	// also then, and what was done is to be told; but a million that wait are to be
	// left where they are.
	looked = 1000
	// late is how long what is due still counts, in seconds: the broker gives it out
	// first, at its own pace.
	late = 10
)

// Add notes that something rests until then.
func (r *Resting) Add(until time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.until == nil {
		r.until = map[int64]int{}
	}
	r.until[until.Unix()]++
}

// Room is how much it is worth to have come now, of what needs one of these
// upstreams; it is for stream.Client.Within. Where all are closed and enough
// rests there is room for none, or for the one that may probe the only upstream
// there is: of several nobody knows whose requests stand where. Without upstreams
// there is no bound.
func (r *Resting) Room(now time.Time, upstreams ...*Upstream) int {
	room := 0
	for _, u := range upstreams {
		if room = max(room, u.Room()); room > 1 || room == 1 && len(upstreams) > 1 {
			return math.MaxInt
		}
	}
	if len(upstreams) == 0 || r.count(now) < looked {
		return math.MaxInt
	}
	return room
}

func (r *Resting) count(now time.Time) (n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for until, rest := range r.until {
		if until+late < now.Unix() {
			delete(r.until, until)
			continue
		}
		n += rest
	}
	return n
}
