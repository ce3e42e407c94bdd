package stream

import (
	"context"
	"errors"
)

// IsTrouble reports whether err is about the way to the broker, or about
// somebody else having been first: it says nothing about the message in hand,
// and the same may go well later.
func IsTrouble(err error) bool {
	return errors.Is(err, ErrConflict) || errors.Is(err, ErrUnknownOutcome) || errors.Is(err, ErrClosed) ||
		errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}
