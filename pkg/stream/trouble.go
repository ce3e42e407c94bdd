package stream

import (
	"context"
	"errors"
)

// IsTrouble reports whether err is about the way to the broker, about the hold
// on the message in hand, or about somebody else having been first: it says
// nothing about the message itself, and the same may go well later.
func IsTrouble(err error) bool {
	for _, trouble := range []error{
		ErrConflict, ErrUnknownOutcome, ErrClosed, ErrUnreachable, ErrNoStream, ErrLeaseLost, ErrDrainTimeout,
		context.Canceled, context.DeadlineExceeded,
	} {
		if errors.Is(err, trouble) {
			return true
		}
	}
	return false
}
