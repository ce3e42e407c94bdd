package stream

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// quiet is how often Read, where it waits for a message that the broker promised,
// asks whether there still is one: it may have been purged meanwhile.
const quiet = 2 * time.Second

// Read yields what matches filter ("" is everything) from sequence from on, in
// order, up to the stream's last message at the time of the call, and ends. An
// error is yielded last. It uses no durable.
func (c *Client) Read(ctx context.Context, stream, filter string, from uint64) iter.Seq2[*Stored, error] {
	return c.read(ctx, reading{stream: stream, filter: filter, from: from})
}

// ReadHeaders is Read without the bodies.
func (c *Client) ReadHeaders(ctx context.Context, stream, filter string, from uint64) iter.Seq2[*Stored, error] {
	return c.read(ctx, reading{stream: stream, filter: filter, from: from, headersOnly: true})
}

func (c *Client) read(ctx context.Context, r reading) iter.Seq2[*Stored, error] {
	return func(yield func(*Stored, error) bool) {
		last, err := c.LastSequence(ctx, r.stream)
		if err != nil {
			yield(nil, err)
			return
		}
		if last < max(r.from, 1) {
			return
		}
		r := r
		r.last = last
		c.iterate(ctx, r, yield)
	}
}

// Follow is Read without an end: it goes on with what is stored later until ctx
// ends, which is no error. When the broker is lost it waits for it and goes on
// where it was; a Client that does not reconnect yields ErrUnreachable then.
// Only that and ErrNoStream end it otherwise.
func (c *Client) Follow(ctx context.Context, stream, filter string, from uint64) iter.Seq2[*Stored, error] {
	return c.follow(ctx, reading{stream: stream, filter: filter, from: from})
}

// FollowHeaders is Follow without the bodies, of what matches one of the filters.
func (c *Client) FollowHeaders(ctx context.Context, stream string, filters []string, from uint64) iter.Seq2[*Stored, error] {
	return c.follow(ctx, reading{stream: stream, filters: filters, from: from, headersOnly: true})
}

func (c *Client) follow(ctx context.Context, r reading) iter.Seq2[*Stored, error] {
	return func(yield func(*Stored, error) bool) {
		r, stopped := r, false
		r.from = max(r.from, 1)
		for ctx.Err() == nil {
			var failed error
			c.iterate(ctx, r, func(s *Stored, err error) bool {
				if failed = err; err != nil {
					return false
				}
				r.from = s.Sequence + 1
				stopped = !yield(s, nil)
				return !stopped
			})
			if stopped || ctx.Err() != nil {
				return
			}
			if errors.Is(failed, jetstream.ErrStreamNotFound) {
				yield(nil, failed)
				return
			}
			if c.opts.NoReconnect && c.nc.IsClosed() {
				yield(nil, errors.Join(ErrUnreachable, failed))
				return
			}
			c.log.WithError(failed).WithField("stream", r.stream).Debug("following is interrupted")
			select {
			case <-ctx.Done():
			case <-c.closed:
				yield(nil, ErrClosed)
				return
			case <-time.After(lookupEvery):
			}
		}
	}
}

// reading is what iterate reads.
type reading struct {
	stream, filter string
	filters        []string // instead of filter: one of which it is to match
	from, last     uint64   // last 0: for ever
	headersOnly    bool
}

// iterate yields messages from r.from to r.last, or for ever.
func (c *Client) iterate(ctx context.Context, r reading, yield func(*Stored, error) bool) {
	last := r.last
	fail := func(err error) { yield(nil, fmt.Errorf("read %s: %w", r.stream, err)) }
	cons, err := c.orderedConsumer(ctx, r)
	if err != nil {
		fail(asNoStream(err))
		return
	}
	defer c.dismiss(ctx, r.stream, cons)
	promised := cons.CachedInfo().NumPending
	if last > 0 && promised == 0 {
		return
	}
	it, err := cons.Messages(noMoreThan(last > 0, promised)...)
	if err != nil {
		fail(err)
		return
	}
	defer it.Stop()
	ctx, end := context.WithCancelCause(ctx)
	// Not Stop: one that is being made anew meanwhile would never hear of it.
	until := jetstream.NextContext(ctx)
	var turns atomic.Uint64
	var watching sync.WaitGroup
	defer watching.Wait()
	defer end(nil)
	if last > 0 {
		watching.Go(func() { end(awaitEnd(ctx, cons, &turns)) })
	}
	for {
		msg, err := next(ctx, it, until, &turns)
		if errors.Is(err, errNoMore) {
			return
		}
		if err != nil {
			fail(asNoStream(err))
			return
		}
		s, pending, err := storedOf(msg)
		if err != nil {
			fail(err)
			return
		}
		if last > 0 && s.Sequence > last {
			return
		}
		promised-- // what is stored later is not asked for
		if !yield(s, nil) || (last > 0 && (pending == 0 || promised == 0 || s.Sequence == last)) {
			return
		}
	}
}

// noMoreThan bounds what is asked for to what there is, where that is little. Asked
// for more, the broker looks through all the rest of the stream, which takes
// seconds with millions of messages.
func noMoreThan(ends bool, promised uint64) []jetstream.PullMessagesOpt {
	const little = 500 // what nats.go asks for at a time
	if !ends || promised > little {
		return nil
	}
	return []jetstream.PullMessagesOpt{jetstream.StopAfter(int(promised))}
}

// dismiss deletes the consumer of a reader that is done. Left to itself it would
// linger for its inactivity threshold, and a broker admits 1,000 to a stream.
func (c *Client) dismiss(ctx context.Context, stream string, cons jetstream.Consumer) {
	const patience = 2 * time.Second
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience) // the reader may have been cancelled
	defer cancel()
	// Should it fail, the threshold does the rest.
	_ = c.js.DeleteConsumer(ctx, stream, cons.CachedInfo().Name)
}

var errNoMore = errors.New("no more messages")

// next waits for a message. It counts a turn when it begins to wait, and one when
// that is over.
func next(ctx context.Context, it jetstream.MessagesContext, until jetstream.NextOpt, turns *atomic.Uint64) (jetstream.Msg, error) {
	turns.Add(1)
	defer turns.Add(1)
	for {
		msg, err := it.Next(until)
		switch {
		case err == nil:
			return msg, nil
		case ctx.Err() != nil:
			return nil, context.Cause(ctx)
		case !errors.Is(err, jetstream.ErrNoHeartbeat):
			return nil, err
		}
	}
}

// awaitEnd returns errNoMore when the reader waits for what will not come, or why
// that can't be told. One look now and then costs less than a timer for each
// message. It takes two in a row: what the broker sent before the first has come
// by the second.
func awaitEnd(ctx context.Context, cons jetstream.Consumer, turns *atomic.Uint64) error {
	tick := time.NewTicker(quiet)
	defer tick.Stop()
	before, nothing := uint64(0), false
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		}
		now := turns.Load()
		waits := now%2 == 1 && now == before // and did at the last look
		if !waits {
			before, nothing = now, false
			continue
		}
		info, err := cons.Info(ctx)
		if err != nil {
			return err
		}
		none := info.NumPending == 0
		if none && nothing && turns.Load() == now {
			return errNoMore
		}
		nothing = none
	}
}

func (c *Client) orderedConsumer(ctx context.Context, r reading) (jetstream.Consumer, error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	cfg := jetstream.OrderedConsumerConfig{
		DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: max(r.from, 1),
		InactiveThreshold: 30 * time.Second, HeadersOnly: r.headersOnly,
		// Its own tries know nothing of our context, and would go on for ever
		// where the stream was deleted.
		MaxResetAttempts: 1,
	}
	if cfg.FilterSubjects = r.filters; r.filter != "" && r.filter != ">" {
		cfg.FilterSubjects = []string{r.filter}
	}
	return c.js.OrderedConsumer(ctx, r.stream, cfg)
}

func storedOf(m jetstream.Msg) (*Stored, uint64, error) {
	p, ok := placeOf(m.Reply())
	if !ok {
		return nil, 0, fmt.Errorf("%w: read delivery of %s: reply %q", ErrPoison, m.Subject(), m.Reply())
	}
	s := decode(m.Subject(), nats.Header(m.Headers()), m.Data())
	s.Stream, s.Sequence, s.Time = p.stream, p.sequence, p.time()
	return &s, p.pending, nil
}
