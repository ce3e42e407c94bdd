package simfault

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"time"
)

// maxCalls is how many calls a Layer remembers.
const maxCalls = 100_000

// A Layer holds the faults in force and the calls seen. It may serve any number of calls at once.
type Layer struct {
	random func() float64 // 0 <= x < 1

	mu      sync.Mutex
	faults  []*Fault
	calls   []Call // a ring once it is full
	oldest  int    // where the ring begins
	onReset []func()
}

// A Call is one call that was answered, or dropped.
type Call struct {
	Time           time.Time `json:"time"` // when it began, UTC
	Method         string    `json:"method"`
	Path           string    `json:"path"`
	Query          string    `json:"query,omitempty"`
	Status         int       `json:"status"` // 0: no answer was sent
	DurationMS     float64   `json:"duration_ms"`
	Fault          string    `json:"fault,omitempty"` // in words what struck it
	IdempotencyKey string    `json:"idempotency_key,omitempty"`
}

// New returns a Layer without faults.
func New() *Layer {
	return &Layer{random: rand.Float64}
}

// OnReset has f called by Reset, in the order of the calls to OnReset.
func (l *Layer) OnReset(f func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.onReset = append(l.onReset, f)
}

// Set replaces the faults. It refuses all of them if one is not valid; the error says which and why.
func (l *Layer) Set(faults []Fault) error {
	fresh := make([]*Fault, len(faults))
	for i, f := range faults {
		if err := f.Validate(); err != nil {
			return fmt.Errorf("fault %d: %w", i, err)
		}
		fresh[i] = &f
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.faults = fresh
	return nil
}

// Faults returns the faults in force, with what is left of skip and times.
func (l *Layer) Faults() []Fault {
	l.mu.Lock()
	defer l.mu.Unlock()
	faults := make([]Fault, len(l.faults))
	for i, f := range l.faults {
		faults[i] = *f
	}
	return faults
}

// Calls returns the calls that have ended, in the order in which they began.
func (l *Layer) Calls() []Call {
	l.mu.Lock()
	calls := make([]Call, 0, len(l.calls))
	calls = append(append(calls, l.calls[l.oldest:]...), l.calls[:l.oldest]...)
	l.mu.Unlock()
	slices.SortStableFunc(calls, func(a, b Call) int { return a.Time.Compare(b.Time) })
	return calls
}

// Reset forgets faults and calls, then runs the functions given to OnReset.
func (l *Layer) Reset() {
	l.mu.Lock()
	l.faults, l.calls, l.oldest = nil, nil, 0
	hooks := slices.Clone(l.onReset)
	l.mu.Unlock()
	for _, f := range hooks {
		f()
	}
}

// strike returns a copy of the fault that strikes the call, or nil, and counts it.
func (l *Layer) strike(r *http.Request) *Fault {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, f := range l.faults {
		if !f.matches(r) {
			continue
		}
		if f.Skip > 0 {
			f.Skip--
			continue
		}
		if f.Probability != nil && l.random() >= *f.Probability {
			continue
		}
		struck := *f
		if f.Times == 1 {
			l.faults = slices.Delete(l.faults, i, i+1)
		} else if f.Times > 1 {
			f.Times--
		}
		return &struck
	}
	return nil
}

func (l *Layer) record(c Call) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.calls) < maxCalls {
		l.calls = append(l.calls, c)
		return
	}
	l.calls[l.oldest] = c
	l.oldest = (l.oldest + 1) % maxCalls
}
