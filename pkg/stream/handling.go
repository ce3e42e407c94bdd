package stream

import (
	"context"
	"sync"
	"time"
)

// handling is the context of a message's handler: the values of base, and an end
// of its own. What waits for the end is made for who asks: many messages need no
// more than a look at what is stored, and a context with an end costs as much as
// decoding the message.
type handling struct {
	base context.Context // without an end

	mu    sync.Mutex
	real  context.Context // nil until somebody asks
	stop  context.CancelCauseFunc
	ended bool
	cause error
}

func (h *handling) context() context.Context {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.real == nil {
		h.real, h.stop = context.WithCancelCause(h.base)
		if h.ended {
			h.stop(h.cause)
		}
	}
	return h.real
}

// end ends the context for this reason; nil is none but that the handler is done.
// Only the first counts.
func (h *handling) end(why error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.ended {
		return
	}
	h.ended, h.cause = true, why
	if h.stop != nil {
		h.stop(why)
	}
}

func (h *handling) Deadline() (time.Time, bool) { return h.base.Deadline() }
func (h *handling) Done() <-chan struct{}       { return h.context().Done() }
func (h *handling) Err() error                  { return h.context().Err() }

// Value also is how package context finds the cause, and those to be told.
func (h *handling) Value(key any) any { return h.context().Value(key) }
