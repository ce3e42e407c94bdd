package processor

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/headrace/headrace/pkg/episode"
	"github.com/headrace/headrace/pkg/failpoint"
	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/guard"
	"github.com/headrace/headrace/pkg/stream"
	"github.com/headrace/headrace/pkg/upstream"
)

// The pauses between attempts. A retry within longestNak keeps its place in
// JetStream's window by a delayed negative acknowledgement; a longer one is a
// schedule and holds nothing, but leaves a copy of the request in the stream.
// maxPause keeps the promise that what waited for an upstream goes on within
// 30 s of its recovery.
const (
	firstPause = time.Second
	maxPause   = 20 * time.Second
	longestNak = 30 * time.Second
	spread     = 5 * time.Second // of what waits for one moment

	firstPoll = 5 * time.Second
	maxPoll   = 5 * time.Minute

	// maxFaults bounds the tries of what is not understood. What is transient
	// is tried for as long as it takes.
	maxFaults = 8
)

// TransientError marks an error as an upstream's fault or ours: it is retried
// for as long as it takes, and never becomes a dead letter.
type TransientError struct {
	Err error
	// After is what the upstream asked for; 0 is our own choice.
	After time.Duration
}

func (e *TransientError) Error() string { return e.Err.Error() }
func (e *TransientError) Unwrap() error { return e.Err }

// Transient marks err; Transient(nil) is nil.
func Transient(err error, after time.Duration) error {
	if err == nil {
		return nil
	}
	return &TransientError{Err: err, After: after}
}

// pauseOf is how long to wait before the next attempt.
func (p *Processor) pauseOf(err error, attempt int) time.Duration {
	pause := p.jitter(min(firstPause<<min(attempt-1, 10), maxPause))
	var transient *TransientError
	if errors.As(err, &transient) && transient.After > 0 {
		return max(pause, transient.After+rand.N(spread))
	}
	return pause
}

// isTransient tells an upstream's fault, ours and the broker's from what is not
// understood.
func isTransient(err error) bool {
	var transient *TransientError
	_, closed := upstream.ClosedUntil(err)
	return closed || errors.As(err, &transient) || stream.IsTrouble(err)
}

// again brings the request back after an error, or gives it to an operator.
func (p *Processor) again(ctx context.Context, d *stream.Delivery, w *Work, err error) error {
	if guard.Refused(err) { // nobody's fault, and nothing has happened
		p.entry(w).WithError(err).Debug("request goes back")
		return stream.RetryAfter(err, 0)
	}
	if rest, closed := upstream.Rest(err, p.now()); closed {
		return p.putOff(d, w, err, rest)
	}
	// Neither the deliveries on which nothing was tried count, nor, as it is not
	// known, what was tried by other processes.
	tried := fulfillment.Attempt(d.Header) - 1 + p.tries.failed(d.Sequence)
	pause, kind := p.pauseOf(err, tried), "short"
	if !isTransient(err) {
		if w.faults++; w.faults >= maxFaults {
			p.tries.forget(d.Sequence)
			return p.bury(ctx, d, fulfillment.StageProcess, w.scrub(fmt.Sprintf("not understood after %d tries: %v", w.faults, err)))
		}
	}
	if pause > longestNak || w.faults > fulfillment.Number(d.Header, fulfillment.HeaderFaults) {
		kind = "scheduled" // which is how the count of faults survives
		if failed := p.schedule(ctx, d, w, pause); failed != nil {
			return stream.RetryAfter(errors.Join(err, failed), min(pause, maxPause))
		}
	}
	p.entry(w).WithField("error", w.scrub(err.Error())).WithField("pause", pause.Round(time.Millisecond)).Warn("request will be tried again")
	p.metrics.Retry(p.service, string(w.Key.Type), kind)
	if kind == "scheduled" {
		p.tries.forget(d.Sequence)
		return nil
	}
	return stream.RetryAfter(err, pause)
}

// pollPause grows with how often the tenant's state was asked for.
func (p *Processor) pollPause(polls int) time.Duration {
	pause := firstPoll
	for range min(polls, 20) {
		pause += pause / 2
	}
	return p.jitter(min(pause, maxPoll))
}

// schedule stores the next attempt, to be delivered after pause, and makes it
// the asset's head: a copy of the message in hand that comes again is no longer
// the head, and is dropped.
func (p *Processor) schedule(ctx context.Context, d *stream.Delivery, w *Work, pause time.Duration) error {
	if err := lost(ctx); err != nil {
		return err
	}
	pause = min(pause, p.maxWait)
	next := w.Attempt + 1
	id := fulfillment.StepID(w.Key.Request, w.Episode, fmt.Sprintf("attempt-%d", next))
	header := fulfillment.Envelope{
		ID: id, Kind: kindRequested, Schema: fulfillment.RequestSchema(w.Key.Type), Key: w.Key,
		Episode: w.Episode, Attempt: next, Time: p.now(),
	}.Header()
	for name, n := range map[string]int{fulfillment.HeaderPolls: w.polls, fulfillment.HeaderFaults: w.faults} {
		if n > 0 {
			header[name] = strconv.Itoa(n)
		}
	}
	for name, value := range d.Header { // what others added stays
		_, ours := header[name]
		if !ours && name != fulfillment.HeaderReplayed && name != fulfillment.HeaderOperator { // no person made this one
			header[name] = value
		}
	}
	_, err := p.log.Append(ctx, stream.Message{
		Subject: w.Key.Subject(fulfillment.RootSchedules), ID: id, Header: header, Body: d.Body,
	}, stream.ScheduleAt(p.now().Add(pause), w.Key.Subject(fulfillment.RootRetries)),
		episode.Expect(w.Key.Asset, d.Sequence))
	if err != nil {
		return fmt.Errorf("schedule attempt %d of %s: %w", next, w.Key.Request, err)
	}
	failpoint.Here(failpoint.ScheduleStored, w.Key.Request)
	return nil
}

// jitter spreads d by a quarter to each side, so that what failed together does
// not come back together.
func (p *Processor) jitter(d time.Duration) time.Duration {
	if d <= 0 {
		return 0
	}
	return d*3/4 + rand.N(d/2+1)
}
