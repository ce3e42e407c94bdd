package processor

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/stream"
)

// LostProof says why an intent of the request, of which there is none, may have
// been there and be gone; "" is that there was none. It must follow OpenCall.
// Where an operator has said what came of the call there is one again.
//
// The broker is asked each time: the stream may be made anew at any moment, and
// nobody here would notice.
func (w *Work) LostProof(ctx context.Context) (string, error) {
	if w.intents != 0 {
		return "", nil
	}
	s, err := w.log.StreamState(ctx, fulfillment.StreamResults)
	if err != nil {
		return "", fmt.Errorf("look for lost intents of %s: %w", w.Key.Request, err)
	}
	opened, err := w.openedAt(ctx)
	if err != nil {
		return "", err
	}
	ordered, err := w.ordered(ctx)
	if err != nil {
		return "", err
	}
	expired := w.now().Add(-s.MaxAge)
	switch {
	case opened.Before(s.Created):
		return fmt.Sprintf("%s was made anew at %s, after the request came", s.Name, minute(s.Created)), nil
	case full(s) && opened.Before(s.FirstTime):
		return fmt.Sprintf("%s is full, and has lost what is older than %s", s.Name, minute(s.FirstTime)), nil
	case w.Replay > 0: // the calls of its round are not older than its episode
	case s.MaxAge > 0 && s.Created.Before(expired) && ordered.Before(expired):
		return fmt.Sprintf("the request is from %s, and %s is kept for %s", minute(ordered), s.Name, s.MaxAge), nil
	}
	return "", nil
}

// skew is by how much Connect's clock may differ from ours.
const skew = time.Minute

// Unsettled is how long it takes until a Finder must see what a call did; 0: it
// must now. Nil is a call of which the proof may be lost with the streams: then
// it was begun before they were made anew.
func (w *Work) Unsettled(ctx context.Context, call *fulfillment.Intent) (time.Duration, error) {
	if call != nil {
		return max(call.Time.Add(w.Profile.Settle).Sub(w.now()), 0), nil
	}
	if w.intents != 0 {
		return 0, nil
	}
	s, err := w.log.StreamState(ctx, fulfillment.StreamResults)
	if err != nil {
		return 0, fmt.Errorf("look for lost intents of %s: %w", w.Key.Request, err)
	}
	ordered, err := w.ordered(ctx)
	if err != nil || ordered.After(s.Created.Add(skew)) {
		return 0, err
	}
	return max(s.Created.Add(w.Profile.Settle).Sub(w.now()), 0), nil
}

// full reports whether the broker may be deleting messages before their time.
func full(s stream.StreamState) bool {
	return s.MaxBytes > 0 && s.First > 1 && s.Bytes > uint64(s.MaxBytes)/10*9
}

// openedAt is when the episode was opened; one whose message is gone was long
// ago, at the zero time.
func (w *Work) openedAt(ctx context.Context) (time.Time, error) {
	if !w.opened.IsZero() {
		return w.opened, nil
	}
	m, err := w.log.Get(ctx, fulfillment.StreamRequests, w.Episode)
	if errors.Is(err, stream.ErrNotFound) {
		return time.Time{}, nil
	}
	if err != nil {
		return time.Time{}, fmt.Errorf("read when %s was opened: %w", w.Key.Request, err)
	}
	w.opened = m.Time
	return w.opened, nil
}

// ordered is before what there can have been no call: when Connect had the
// request first, and of a replay when it was asked for; now where nobody says.
func (w *Work) ordered(ctx context.Context) (time.Time, error) {
	switch {
	case w.Replay > 0:
		return w.openedAt(ctx)
	case w.Request == nil || w.Request.Created.IsZero():
		return w.now(), nil
	}
	return w.Request.Created.Time, nil
}

func minute(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 MST") }
