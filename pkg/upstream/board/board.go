// Package board shares how the upstreams stand between all processes: it keeps
// the last word on each in the stream FULFILLMENT_UPSTREAMS, and follows that
// stream into the memory of this process. A call asks nobody; only a change of
// state is written, by compare-and-append.
package board

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"strconv"
	"sync"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/stream"
	"github.com/headrace/headrace/pkg/upstream"
)

// Log is what the Board needs of the stream layer.
type Log interface {
	Append(ctx context.Context, m stream.Message, opts ...stream.AppendOption) (uint64, error)
	Last(ctx context.Context, name, filter string) (*stream.Stored, error)
	LastSequence(ctx context.Context, name string) (uint64, error)
	Follow(ctx context.Context, name, filter string, from uint64) iter.Seq2[*stream.Stored, error]
}

// Board has the upstreams of one process. It is safe for concurrent use.
type Board struct {
	log     Log
	logger  *logrus.Entry
	changed func(upstream.View)

	mu        sync.Mutex // guards upstreams
	upstreams map[string]*upstream.Upstream
}

// New returns a Board. Changed is told of each change of state, by this process
// or another; it must not call the Board.
func New(log Log, logger *logrus.Entry, changed func(upstream.View)) *Board {
	return &Board{log: log, logger: logger, changed: changed, upstreams: map[string]*upstream.Upstream{}}
}

// Upstream is the upstream of that identity, always the same one. It is open
// until Run has read what others say of it.
func (b *Board) Upstream(i upstream.Identity) *upstream.Upstream {
	b.mu.Lock()
	defer b.mu.Unlock()
	u := b.upstreams[i.ID()]
	if u == nil {
		u = upstream.New(upstream.Options{Identity: i, Share: b, Changed: b.tell})
		b.upstreams[i.ID()] = u
	}
	return u
}

func (b *Board) all() []*upstream.Upstream {
	b.mu.Lock()
	defer b.mu.Unlock()
	all := make([]*upstream.Upstream, 0, len(b.upstreams))
	for _, u := range b.upstreams {
		all = append(all, u)
	}
	return all
}

// Load takes over what others say of the upstreams that are known so far, so
// that the first call knows it. The Board does without it where that fails.
func (b *Board) Load(ctx context.Context) {
	for _, u := range b.all() {
		subject := fulfillment.UpstreamSubject(u.View().ID)
		m, err := b.log.Last(ctx, fulfillment.StreamUpstreams, subject)
		if err == nil {
			b.read(m, true)
		} else if !errors.Is(err, stream.ErrNotFound) {
			b.logger.WithError(err).Warn("how the upstreams stand is not known yet")
			return
		}
	}
}

// Run follows the stream and has calls that take too long counted, until ctx
// ends.
func (b *Board) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() { b.follow(ctx) })
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			for _, u := range b.all() {
				u.Tick(ctx)
			}
		}
	}
}

// follow reads what is stored, and what comes, until ctx ends.
func (b *Board) follow(ctx context.Context) {
	for ctx.Err() == nil {
		old, err := b.log.LastSequence(ctx, fulfillment.StreamUpstreams)
		if err == nil {
			for m, failed := range b.log.Follow(ctx, fulfillment.StreamUpstreams, fulfillment.RootUpstreams+".>", 1) {
				if err = failed; err != nil {
					break
				}
				b.read(m, m.Sequence <= old)
			}
		}
		if err != nil && ctx.Err() == nil {
			b.logger.WithError(err).Debug("upstreams not followed; tried again")
		}
		select {
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
	}
}

// read takes over a record. Of one that was there before us the age is taken
// from our clock, which may be wrong by what the machines differ; of one that
// has just come it is nothing.
func (b *Board) read(m *stream.Stored, old bool) {
	var rec fulfillment.Upstream
	if err := json.Unmarshal(m.Body, &rec); err != nil {
		b.logger.WithError(err).WithField("subject", m.Subject).Warn("record of an upstream not understood, and passed over")
		return
	}
	b.mu.Lock()
	u := b.upstreams[rec.ID]
	b.mu.Unlock()
	if u == nil || m.Subject != fulfillment.UpstreamSubject(rec.ID) {
		return // it is not called here
	}
	age := time.Duration(0)
	if old {
		age = time.Since(m.Time)
	}
	u.Adopt(rec, m.Sequence, age)
}

// Put implements upstream.Share.
func (b *Board) Put(ctx context.Context, rec fulfillment.Upstream, replaces uint64) (uint64, error) {
	body, err := json.Marshal(rec)
	if err != nil {
		return 0, err
	}
	subject := fulfillment.UpstreamSubject(rec.ID)
	e := fulfillment.Envelope{
		ID:   rec.ID + "/" + strconv.FormatUint(replaces, 10) + "/" + string(rec.State),
		Kind: string(rec.State), Key: fulfillment.Key{Type: "upstream"}, Time: rec.Time,
	}
	header := e.Header()
	delete(header, fulfillment.HeaderSchema) // it is between processes of one version, and no contract
	seq, err := b.log.Append(ctx, stream.Message{Subject: subject, ID: e.ID, Header: header, Body: body},
		stream.ExpectLast(subject, replaces))
	if errors.Is(err, stream.ErrConflict) {
		return 0, errors.Join(upstream.ErrTaken, err)
	}
	if err != nil {
		return 0, fmt.Errorf("share upstream %s: %w", rec.Name, err)
	}
	return seq, nil
}

// Last implements upstream.Share.
func (b *Board) Last(ctx context.Context, id string) (rec fulfillment.Upstream, sequence uint64, err error) {
	m, err := b.log.Last(ctx, fulfillment.StreamUpstreams, fulfillment.UpstreamSubject(id))
	if errors.Is(err, stream.ErrNotFound) {
		return rec, 0, nil
	}
	if err != nil {
		return rec, 0, fmt.Errorf("read upstream %s: %w", id, err)
	}
	if err := json.Unmarshal(m.Body, &rec); err != nil {
		return rec, 0, fmt.Errorf("read upstream %s: %w", id, err)
	}
	return rec, m.Sequence, nil
}

// tell says once what became of an upstream: the pause and the opening in every
// process, what lies between in the one that did it.
func (b *Board) tell(v upstream.View) {
	entry := b.logger.WithFields(logrus.Fields{"upstream": v.Name, "state": v.State})
	switch {
	case v.State == fulfillment.UpstreamPaused && v.Pauses == 1:
		entry.WithField("until", v.Until.UTC()).Warnf("%s is not called for now: %s", v.Name, v.Reason)
	case v.State == fulfillment.UpstreamPaused && v.Own:
		entry.WithField("until", v.Until.UTC()).Infof("%s is still not called: %s", v.Name, v.Reason)
	case v.State == fulfillment.UpstreamProbing && v.Own:
		entry.Infof("%s is tried with one call", v.Name)
	case v.State == fulfillment.UpstreamOpen && v.Pauses > 0:
		entry.Infof("%s answers again", v.Name)
	default:
		entry.Debug("upstream changed")
	}
	b.changed(v)
}
