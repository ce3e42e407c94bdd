// Package slots keeps as many slots of a service in the stream FULFILLMENT_SLOTS
// as the service may have requests in flight over all processes. Who has a slot
// in hand is the stream layer's to know: see stream.Client.Bound.
package slots

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"strconv"
	"strings"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/stream"
)

// every is the pause between two looks. A stream that was deleted is made anew
// within a minute or so; its slots then are there within this.
const every = 10 * time.Second

// Log is what the Keeper needs of the stream layer.
type Log interface {
	Append(ctx context.Context, m stream.Message, opts ...stream.AppendOption) (uint64, error)
	Last(ctx context.Context, name, filter string) (*stream.Stored, error)
	Read(ctx context.Context, name, filter string, from uint64) iter.Seq2[*stream.Stored, error]
	Remove(ctx context.Context, name string, sequence uint64) error
}

// Keeper keeps the slots of one service. The limit of the process that started
// last holds for all; the others say that theirs does not.
type Keeper struct {
	log     Log
	service string
	limit   int
	by      string
	logger  *logrus.Entry
	said    int // the limit of another process that was logged
}

// New returns a Keeper of a service's limit, by a process of that name.
func New(log Log, service string, limit int, by string, logger *logrus.Entry) *Keeper {
	return &Keeper{log: log, service: service, limit: limit, by: by, logger: logger.WithField("service", service), said: limit}
}

// Declare makes this process's limit the one in force, and the slots so many.
func (k *Keeper) Declare(ctx context.Context) error {
	for {
		rec, seq, err := k.inForce(ctx)
		if err != nil {
			return err
		}
		if seq > 0 && rec.Limit == k.limit {
			return k.fill(ctx, k.limit)
		}
		err = k.say(ctx, seq)
		if errors.Is(err, stream.ErrConflict) {
			continue // another one starts
		}
		if err != nil {
			return err
		}
		if seq > 0 {
			k.logger.Warnf("over all processes %d requests may be in flight from now on, and no longer %d as %s declared: who started last has its way",
				k.limit, rec.Limit, rec.By)
		}
		return k.fill(ctx, k.limit)
	}
}

// Run makes good what is missing, until ctx ends.
func (k *Keeper) Run(ctx context.Context) error {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if err := k.Look(ctx); err != nil && ctx.Err() == nil {
			k.logger.WithError(err).Debug("slots not looked at; tried again")
		}
	}
}

// Look makes the slots as many as the limit in force says.
func (k *Keeper) Look(ctx context.Context) error {
	rec, seq, err := k.inForce(ctx)
	if err != nil {
		return err
	}
	if seq == 0 {
		return k.Declare(ctx) // the stream was made anew
	}
	if rec.Limit != k.said {
		k.logger.Warnf("over all processes %d requests may be in flight, as %s declared, and not %d as here: give all processes the same HEADRACE_TOTAL_CONCURRENCY",
			rec.Limit, rec.By, k.limit)
		k.said = rec.Limit
	}
	return k.fill(ctx, rec.Limit)
}

// inForce reads the limit that holds; sequence 0 is none.
func (k *Keeper) inForce(ctx context.Context) (rec fulfillment.Limit, sequence uint64, err error) {
	m, err := k.log.Last(ctx, fulfillment.StreamSlots, fulfillment.LimitSubject(k.service))
	if errors.Is(err, stream.ErrNotFound) {
		return rec, 0, nil
	}
	if err == nil {
		err = json.Unmarshal(m.Body, &rec)
	}
	if err != nil {
		return rec, 0, fmt.Errorf("read the limit of %s: %w", k.service, err)
	}
	return rec, m.Sequence, nil
}

// say stores this process's limit in the place of the one at sequence.
func (k *Keeper) say(ctx context.Context, sequence uint64) error {
	body, err := json.Marshal(fulfillment.Limit{Service: k.service, Limit: k.limit, By: k.by, Time: time.Now().UTC()})
	if err != nil {
		return err
	}
	subject := fulfillment.LimitSubject(k.service)
	_, err = k.log.Append(ctx, stream.Message{Subject: subject, ID: fmt.Sprint(subject, "/", sequence), Body: body},
		stream.ExpectLast(subject, sequence))
	return err
}

// fill adds the slots that are missing, and takes away those beyond the limit:
// one that is in hand then is gone when it is given back.
func (k *Keeper) fill(ctx context.Context, limit int) error {
	have := make([]bool, limit+1)
	for m, err := range k.log.Read(ctx, fulfillment.StreamSlots, fulfillment.SlotFilter(k.service), 1) {
		if err != nil {
			return fmt.Errorf("read the slots of %s: %w", k.service, err)
		}
		n, err := strconv.Atoi(m.Subject[strings.LastIndex(m.Subject, ".")+1:])
		if err == nil && n >= 1 && n <= limit {
			have[n] = true
			continue
		}
		if err := k.log.Remove(ctx, fulfillment.StreamSlots, m.Sequence); err != nil {
			return err
		}
	}
	for n := 1; n <= limit; n++ {
		if have[n] {
			continue
		}
		subject := fulfillment.SlotSubject(k.service, n)
		_, err := k.log.Append(ctx, stream.Message{Subject: subject, ID: subject}, stream.ExpectLast(subject, 0))
		if err != nil && !errors.Is(err, stream.ErrConflict) {
			return fmt.Errorf("add a slot of %s: %w", k.service, err)
		}
	}
	return nil
}
