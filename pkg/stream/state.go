package stream

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// StreamState is a stream as the broker has it.
type StreamState struct {
	Name                string
	Messages, Bytes     uint64
	First, Last         uint64 // sequences
	FirstTime, LastTime time.Time
	Created             time.Time // one that is made anew has another
	Subjects            uint64    // how many different ones are stored
	MaxAge              time.Duration
	MaxBytes            int64 // 0: no bound
	Replicas            int
}

// StreamState asks the broker how a stream stands, or fails with ErrNoStream.
func (c *Client) StreamState(ctx context.Context, name string) (StreamState, error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	s, err := c.js.Stream(ctx, name)
	if err != nil {
		return StreamState{}, fmt.Errorf("look up stream %s: %w", name, asNoStream(err))
	}
	i := s.CachedInfo()
	return StreamState{
		Name: name, Messages: i.State.Msgs, Bytes: i.State.Bytes, First: i.State.FirstSeq, Last: i.State.LastSeq,
		FirstTime: i.State.FirstTime.UTC(), LastTime: i.State.LastTime.UTC(), Created: i.Created.UTC(), Subjects: i.State.NumSubjects,
		MaxAge: i.Config.MaxAge, MaxBytes: max(i.Config.MaxBytes, 0), Replicas: i.Config.Replicas,
	}, nil
}

// Remove deletes one message of a stream. One that is not there is no error.
func (c *Client) Remove(ctx context.Context, name string, sequence uint64) error {
	ctx, cancel := bounded(ctx)
	defer cancel()
	s, err := c.js.Stream(ctx, name)
	if err == nil {
		err = s.DeleteMsg(ctx, sequence)
	}
	if errors.Is(err, jetstream.ErrMsgDeleteUnsuccessful) && strings.Contains(err.Error(), "no message found") {
		return nil // it may have other reasons, and its text alone tells
	}
	if err != nil {
		return fmt.Errorf("remove message %d of stream %s: %w", sequence, name, asNoStream(err))
	}
	return nil
}

// ConsumerState is a durable as the broker has it.
type ConsumerState struct {
	Durable, Stream string
	// Pending were never delivered; InHand were and are not acknowledged, those
	// that wait for a delayed retry included.
	Pending uint64
	InHand  int
	// Redelivered of those in hand were delivered more than once.
	Redelivered int
	// Delivered and AckFloor are sequences of the stream: of the last message
	// that was delivered, and of the last before which all are acknowledged.
	Delivered, AckFloor uint64
	Paused              bool
	AckWait             time.Duration
}

// ConsumerState asks the broker how a durable stands, or fails with ErrNotFound.
func (c *Client) ConsumerState(ctx context.Context, durable string) (ConsumerState, error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	i, err := c.lookup(ctx, durable)
	if errors.Is(err, jetstream.ErrConsumerNotFound) || errors.Is(err, jetstream.ErrStreamNotFound) {
		err = errors.Join(ErrNotFound, err)
	}
	if err != nil {
		return ConsumerState{}, fmt.Errorf("look up consumer %s: %w", durable, err)
	}
	return ConsumerState{
		Durable: durable, Stream: i.Stream, Pending: i.NumPending, InHand: i.NumAckPending,
		Redelivered: i.NumRedelivered, Delivered: i.Delivered.Stream, AckFloor: i.AckFloor.Stream,
		Paused: i.Paused, AckWait: i.Config.AckWait,
	}, nil
}
