package committer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/headrace/headrace/pkg/connect"
	"github.com/headrace/headrace/pkg/episode"
	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/stream"
)

const (
	// longWait is the wait for the vendor that people are told of.
	longWait = time.Hour
	// oldNews is the age of a failure that nobody is told of any more, as when
	// conversations are switched on over a stream that is months old. Its reason
	// is on the request.
	oldNews = 24 * time.Hour
)

// note is what a person should know of a request.
type note struct {
	key    fulfillment.Key
	status string // in Connect, without which it is no news
	reason string
	// before and after stand around the reason in the text.
	before, after string
	// body may quote secrets that the reason repeats.
	body []byte
	// once, if set, names a note that need not be looked at twice.
	once string
}

// text is one sentence that fits into a message of Connect's; it is the reason
// that is shortened. It is the same whenever it is made.
func (n *note) text(reason string) string {
	reason = strings.TrimRight(strings.Join(strings.Fields(reason), " "), ". ")
	if reason == "" {
		reason = "no reason was given"
	}
	room := connect.MaxMessageText - len([]rune(n.before)) - len([]rune(n.after))
	if runes := []rune(reason); len(runes) > room {
		reason = string(runes[:max(room-1, 0)]) + "…"
	}
	return n.before + reason + n.after
}

// read makes a note of a delivery, nil where there is nothing to tell.
func (n *Notifier) read(ctx context.Context, d *stream.Delivery) (*note, error) {
	if d.Poison != nil {
		return nil, nil
	}
	switch d.Stream {
	case fulfillment.StreamDead:
		return n.held(ctx, d)
	case fulfillment.StreamEvents:
		return n.failed(ctx, d)
	case fulfillment.StreamRequests:
		return n.waits(ctx, d)
	}
	return nil, nil
}

// held is about a dead letter that is the request's last and whose episode is
// open.
func (n *Notifier) held(ctx context.Context, d *stream.Delivery) (*note, error) {
	var l fulfillment.Letter
	if json.Unmarshal(d.Body, &l) != nil || l.RequestID == "" {
		return nil, nil // scribbled by somebody else
	}
	last, err := n.Log.Last(ctx, fulfillment.StreamDead, l.Key().DeadFilter())
	if err != nil && !errors.Is(err, stream.ErrNotFound) {
		return nil, fmt.Errorf("read last dead letter of %s: %w", l.RequestID, err)
	}
	if last != nil && last.Sequence > d.Sequence {
		return nil, nil
	}
	if gone, err := n.redriven(ctx, &l); err != nil || gone {
		return nil, err
	}
	if closing, err := episode.ClosingOf(ctx, n.Log, l.Key()); err != nil || closing.Covers(l.Episode) {
		return nil, err
	}
	before := "Headrace cannot go on with this request: "
	if l.Stage == fulfillment.StageHold {
		before = "Headrace holds this request for a person: "
	}
	return &note{
		key: l.Key(), status: connect.StatusPending, reason: l.Reason, before: before, body: l.Body,
		after: fmt.Sprintf(" — mend the cause and redrive it (`headrace dead show %s` tells an operator more), or finish the request here by hand.", l.RequestID),
	}, nil
}

// redriven reports whether something came after what the letter is about. A
// replica that lags says no, and people are told too much rather than nothing.
func (n *Notifier) redriven(ctx context.Context, l *fulfillment.Letter) (bool, error) {
	key := l.Key()
	filter := fulfillment.HeadFilter(key.Asset)
	if l.Stream == fulfillment.StreamResults {
		filter = key.Subject(fulfillment.RootResults)
	}
	if l.Stream == "" {
		return false, nil // about what never was in a stream
	}
	m, err := n.Log.Last(ctx, l.Stream, filter)
	if errors.Is(err, stream.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("read what came after %s: %w", key.Request, err)
	}
	return m.Sequence > l.Sequence, nil
}

// failed is about a failure that is the request's last event.
func (n *Notifier) failed(ctx context.Context, d *stream.Delivery) (*note, error) {
	var e fulfillment.EventBody
	if json.Unmarshal(d.Body, &e) != nil || e.RequestID == "" || n.now().Sub(d.Time) > oldNews {
		return nil, nil
	}
	key := fulfillment.Key{Type: e.Type, Product: e.ProductID, Asset: e.AssetID, Request: e.RequestID}
	if closing, err := episode.ClosingOf(ctx, n.Log, key); err != nil || closing.Last > d.Sequence {
		return nil, err
	}
	return &note{
		key: key, status: connect.StatusFailed, reason: e.Reason, before: "This request failed: ",
		after: " — that is final: once the cause is mended, it must be ordered again.",
	}, nil
}

// waits is about a retry of a request that has waited for the vendor for long.
func (n *Notifier) waits(ctx context.Context, d *stream.Delivery) (*note, error) {
	_, key, err := fulfillment.ParseSubject(d.Subject)
	if err != nil || fulfillment.Number(d.Header, fulfillment.HeaderPolls) == 0 {
		return nil, nil
	}
	at := fulfillment.Episode(d.Header, d.Sequence)
	once := fulfillment.StepID(key.Request, at, "waits")
	if n.told.has(once) {
		return nil, nil
	}
	m, err := n.Log.Last(ctx, fulfillment.StreamResults, key.Subject(fulfillment.RootResults))
	if errors.Is(err, stream.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read last result of %s: %w", key.Request, err)
	}
	var r fulfillment.Result
	if json.Unmarshal(m.Body, &r) != nil || r.Decision != fulfillment.Wait || r.Episode != at || d.Time.Sub(r.Time) < longWait {
		return nil, nil
	}
	if closing, err := episode.ClosingOf(ctx, n.Log, key); err != nil || closing.Covers(at) {
		return nil, err
	}
	return &note{
		key: key, status: connect.StatusPending, reason: r.Reason, before: "This request has waited for more than an hour: ", once: once,
		after: " — it goes on by itself as soon as it can; if that takes too long, ask the vendor.",
	}, nil
}

// told remembers which long waits need not be looked at again at each retry. It
// only spares calls: the conversation itself says what is there.
type told struct {
	mu    sync.Mutex
	known map[string]bool
}

func newTold() *told { return &told{known: map[string]bool{}} }

func (t *told) has(id string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.known[id]
}

func (t *told) add(id string) {
	const most = 10_000
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.known) >= most {
		clear(t.known)
	}
	t.known[id] = true
}
