package stream

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/headrace/headrace/pkg/failpoint"
)

// applyTimeout bounds what Apply does to one stream or durable if its context has
// no deadline. To find where a stream begins anew takes as long as it takes.
const applyTimeout = 30 * time.Second

func applying(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, ok := ctx.Deadline(); ok {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, applyTimeout)
}

// Apply creates the streams and durables of t, or updates those that differ.
// What t does not declare (placement, compression, a pause, …) stays as it is,
// and nothing is ever deleted. It may be called by many processes at once.
func (c *Client) Apply(ctx context.Context, t Topology) error {
	for _, s := range t.Streams {
		if err := c.applyStream(ctx, s); err != nil {
			return fmt.Errorf("apply stream %s: %w", s.Name, err)
		}
		c.note(s)
	}
	for _, d := range t.Consumers {
		if err := c.applyConsumer(ctx, d); err != nil {
			return fmt.Errorf("apply consumer %s of %s: %w", d.Durable, d.Stream, err)
		}
		c.mu.Lock()
		c.streamOf[d.Durable] = d.Stream
		c.mu.Unlock()
	}
	return nil
}

// note remembers a stream for those who ask which one takes a subject.
func (c *Client) note(s Stream) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range c.streams {
		if c.streams[i].Name == s.Name {
			c.streams[i] = s
			return
		}
	}
	c.streams = append(c.streams, s)
}

func (c *Client) applyStream(ctx context.Context, s Stream) error {
	if err := validName(s.Name); err != nil {
		return err
	}
	e, err := c.examineStream(ctx, s)
	if err == nil && e.fault.Kind == Missing {
		if err = c.createStream(ctx, s); !errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) {
			return err
		}
		e, err = c.examineStream(ctx, s) // another process was faster
	}
	if err != nil {
		return err
	}
	if e.fault.Kind == Refused {
		return e.fault.refusal()
	}
	return c.updateStream(ctx, s, e)
}

// updateStream brings a stream that is there to what is declared.
func (c *Client) updateStream(ctx context.Context, s Stream, e streamExam) error {
	ctx, cancel := applying(ctx)
	defer cancel()
	want := e.want
	want.Replicas = c.replicas(e.have.Replicas)
	if reflect.DeepEqual(e.have, want) {
		return nil
	}
	_, err := c.js.UpdateStream(ctx, want)
	if err != nil && want.Replicas != e.have.Replicas && c.opts.Replicas == 0 {
		c.log.WithError(err).WithField("stream", s.Name).Warn("more replicas refused; stream stays as it is")
		want.Replicas = e.have.Replicas
		_, err = c.js.UpdateStream(ctx, want)
	}
	return err
}

func (c *Client) createStream(ctx context.Context, s Stream) error {
	cfg := s.config(jetstream.StreamConfig{})
	cfg.Replicas = c.replicas(1)
	var err error
	if cfg.FirstSeq, err = c.firstSequence(ctx, s); err != nil {
		return err
	}
	ctx, cancel := applying(ctx)
	defer cancel()
	_, err = c.js.CreateStream(ctx, cfg)
	if err != nil && !errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) && c.opts.Replicas == 0 && cfg.Replicas > 1 {
		c.log.WithError(err).WithField("stream", s.Name).
			Warn("cluster gives no three replicas; a stream of one replica is lost with its server")
		cfg.Replicas = 1
		_, err = c.js.CreateStream(ctx, cfg)
	}
	return err
}

// replicas is what was asked for, else three where the broker is a cluster and
// what there is where it is not.
func (c *Client) replicas(have int) int {
	if c.opts.Replicas > 0 {
		return c.opts.Replicas
	}
	if !c.clustered() {
		return have
	}
	return max(3, have)
}

// config lays s over what there is.
func (s Stream) config(cfg jetstream.StreamConfig) jetstream.StreamConfig {
	cfg.Name, cfg.Subjects = s.Name, s.Subjects
	cfg.Retention, cfg.Discard, cfg.Storage = jetstream.LimitsPolicy, jetstream.DiscardOld, jetstream.FileStorage
	if s.Memory {
		cfg.Storage = jetstream.MemoryStorage
	}
	cfg.MaxAge, cfg.MaxBytes = s.MaxAge, s.MaxBytes
	if s.MaxBytes == 0 {
		cfg.MaxBytes = -1
	}
	// Limits that would throw messages away, refuse them or leave them without
	// an answer.
	cfg.MaxMsgs, cfg.MaxMsgsPerSubject, cfg.MaxMsgSize = -1, -1, -1
	cfg.NoAck, cfg.DiscardNewPerSubject, cfg.SubjectTransform = false, false, nil
	if s.PerSubject > 0 {
		cfg.MaxMsgsPerSubject = s.PerSubject
	}
	cfg.AllowDirect, cfg.AllowAtomicPublish = true, true
	if s.Schedules {
		// A schedule fires by rolling its subject up.
		cfg.AllowMsgSchedules, cfg.AllowRollup = true, true
	}
	if cfg.MaxAge > 0 && cfg.Duplicates > cfg.MaxAge {
		cfg.Duplicates = cfg.MaxAge
	}
	cfg.Metadata = declaredBy(cfg.Metadata, s)
	return cfg
}

func (c *Client) applyConsumer(ctx context.Context, d Consumer) error {
	if err := errors.Join(validName(d.Stream), validName(d.Durable)); err != nil {
		return err
	}
	ctx, cancel := applying(ctx)
	defer cancel()
	e, err := c.examineConsumer(ctx, d)
	if err == nil && e.fault.Kind == Missing {
		if err = c.createConsumer(ctx, d); !errors.Is(err, jetstream.ErrConsumerExists) {
			return err
		}
		e, err = c.examineConsumer(ctx, d) // another process was faster
	}
	if err != nil {
		return err
	}
	if e.fault.Kind == Refused {
		return e.fault.refusal()
	}
	return c.updateConsumer(ctx, d, e)
}

func (c *Client) createConsumer(ctx context.Context, d Consumer) error {
	_, err := c.js.CreateConsumer(ctx, d.Stream, d.config(jetstream.ConsumerConfig{DeliverPolicy: jetstream.DeliverAllPolicy}))
	return err
}

func (c *Client) updateConsumer(ctx context.Context, d Consumer, e consumerExam) error {
	if reflect.DeepEqual(e.have, e.want) {
		return nil
	}
	_, err := c.js.UpdateConsumer(ctx, d.Stream, e.want)
	return err
}

// config lays d over what there is. The start of an existing consumer is left
// alone: the broker does not change it.
func (d Consumer) config(cfg jetstream.ConsumerConfig) jetstream.ConsumerConfig {
	cfg.Name, cfg.Durable = d.Durable, d.Durable
	cfg.FilterSubject, cfg.FilterSubjects = "", slices.Clone(d.Filters)
	cfg.AckPolicy, cfg.MaxDeliver = jetstream.AckExplicitPolicy, -1
	cfg.AckWait, cfg.MaxAckPending = d.AckWait, d.MaxAckPending
	if cfg.AckWait <= 0 {
		cfg.AckWait = failpoint.AckWait(DefaultAckWait)
	}
	if cfg.MaxAckPending == 0 {
		cfg.MaxAckPending = DefaultMaxAckPending
	}
	cfg.HeadersOnly = d.HeadersOnly
	// The first step of a BackOff would replace the ack wait.
	cfg.BackOff = nil
	cfg.InactiveThreshold = 0
	// What would refuse the requests of a Subscriber.
	cfg.MaxRequestBatch, cfg.MaxRequestExpires, cfg.MaxRequestMaxBytes = 0, 0, 0
	cfg.Metadata = declaredBy(cfg.Metadata, d)
	return cfg
}

// normalFilters brings a single filter into the list, as config does.
func normalFilters(cfg jetstream.ConsumerConfig) jetstream.ConsumerConfig {
	if cfg.FilterSubject != "" {
		cfg.FilterSubjects, cfg.FilterSubject = []string{cfg.FilterSubject}, ""
	}
	return cfg
}

// lookup finds the stream of a durable: the one that Apply has seen, else the
// only stream that has a durable of that name.
func (c *Client) lookup(ctx context.Context, durable string) (*jetstream.ConsumerInfo, error) {
	c.mu.Lock()
	stream, ok := c.streamOf[durable]
	c.mu.Unlock()
	if ok {
		cons, err := c.js.Consumer(ctx, stream, durable)
		if err != nil {
			return nil, err
		}
		return cons.CachedInfo(), nil
	}
	names := c.js.StreamNames(ctx)
	for name := range names.Name() {
		cons, err := c.js.Consumer(ctx, name, durable)
		if errors.Is(err, jetstream.ErrConsumerNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		return cons.CachedInfo(), nil
	}
	if err := names.Err(); err != nil {
		return nil, err
	}
	return nil, jetstream.ErrConsumerNotFound
}
