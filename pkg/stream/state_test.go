package stream_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/headrace/headrace/pkg/stream"
	"github.com/headrace/headrace/pkg/stream/streamtest"
)

func TestState_StreamAndConsumer_TellWhatIsThere(t *testing.T) {
	t.Parallel()
	c := connect(t, streamtest.Server(t))
	apply(t, c, one())
	fill(t, c, 3)
	s, err := c.StreamState(t.Context(), "WORK")
	if err != nil || s.Messages != 3 || s.First != 1 || s.Last != 3 || s.Subjects != 3 || s.Replicas != 1 || s.MaxBytes != 0 || s.Bytes == 0 {
		t.Errorf("StreamState = %+v, %v", s, err)
	}
	sub := stream.NewSubscriber(c, stream.SubscriberConfig{})
	out, err := sub.Subscribe(t.Context(), "worker")
	if err != nil {
		t.Fatal(err)
	}
	msg := within(t, "a message", out)
	got, err := c.ConsumerState(t.Context(), "worker")
	if err != nil {
		t.Fatal(err)
	}
	want := stream.ConsumerState{Durable: "worker", Stream: "WORK", Pending: 2, InHand: 1, Delivered: 1, AckWait: 5 * time.Second}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("ConsumerState (-want +got):\n%s", diff)
	}
	go msg.Ack()
	if err := sub.Close(); err != nil {
		t.Error(err)
	}
	// A client that has applied nothing finds a durable by its name alone.
	if got, err = connectTo(t, c).ConsumerState(t.Context(), "worker"); err != nil || got.Stream != "WORK" {
		t.Errorf("ConsumerState = %+v, %v", got, err)
	}
	if _, err := c.ConsumerState(t.Context(), "none"); !errors.Is(err, stream.ErrNotFound) {
		t.Errorf("no such durable: %v", err)
	}
	if _, err := c.StreamState(t.Context(), "NONE"); !errors.Is(err, stream.ErrNoStream) {
		t.Errorf("no such stream: %v", err)
	}
}

// connectTo returns a second Client of the broker that c is connected to.
func connectTo(t *testing.T, c *stream.Client) *stream.Client {
	t.Helper()
	other, err := stream.Connect(context.Background(), stream.Options{URL: "nats://" + c.Status().Server})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(other.Close)
	return other
}
