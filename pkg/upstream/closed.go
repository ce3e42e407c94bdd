package upstream

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

// ClosedError says that a call was not made. The call had no effect.
type ClosedError struct {
	Name   string
	Reason string    // why there are none
	Until  time.Time // when to come again, at the earliest
	// Spread is over how much time those who wait should come back, from Until on.
	Spread time.Duration
	// room is how long it is worth to wait for room, if that is what lacks.
	room time.Duration
}

func (e *ClosedError) Error() string {
	return fmt.Sprintf("%s is not called until %s: %s", e.Name, e.Until.UTC().Format(time.RFC3339), e.Reason)
}

// ClosedUntil returns when the upstream that refused err may be asked again.
func ClosedUntil(err error) (time.Time, bool) {
	if err == nil { // nearly always, and cheap then
		return time.Time{}, false
	}
	var closed *ClosedError
	if errors.As(err, &closed) {
		return closed.Until, true
	}
	return time.Time{}, false
}

// Rest is how long who was refused should wait, spread by chance so that not
// all come at once; false where err is no refusal.
func Rest(err error, now time.Time) (time.Duration, bool) {
	var closed *ClosedError
	if !errors.As(err, &closed) {
		return 0, false
	}
	return max(closed.Until.Sub(now), 0) + rand.N(closed.Spread+1), true
}
