package fetcher

import (
	"context"
	"testing"
	"time"

	"github.com/headrace/headrace/pkg/stream"
)

// A request and its result may have the same sequence, each in its stream. Both
// are seen in the moment of their acknowledgement, long after each other: that
// is no loss.
func TestIsLost_SameSequenceInAnotherStream_IsAnotherSuspect(t *testing.T) {
	t.Parallel()
	now := time.Now()
	f := &Fetcher{now: func() time.Time { return now }, Config: Config{
		Consumer: func(context.Context, string) (stream.ConsumerState, error) {
			return stream.ConsumerState{AckFloor: 7}, nil
		},
	}}
	for i, c := range []struct {
		durable string
		want    bool
	}{
		{"purchase", false},
		{stream.DurableCommitter, false}, // a minute later, but for the first time
		{stream.DurableCommitter, true},
	} {
		f.beginLost()
		got, err := f.isLost(t.Context(), "AS-1", c.durable, 7)
		if err != nil || got != c.want {
			t.Errorf("poll %d, acknowledged by %s: lost %t, %v; want %t", i+1, c.durable, got, err, c.want)
		}
		now = now.Add(time.Minute)
	}
}

// A dry run commits and publishes nothing: its decisions would come again in
// every second poll.
func TestIsLost_DryRun_NothingIs(t *testing.T) {
	t.Parallel()
	now := time.Now()
	f := &Fetcher{now: func() time.Time { return now }, Config: Config{
		DryRun: true,
		Consumer: func(context.Context, string) (stream.ConsumerState, error) {
			return stream.ConsumerState{AckFloor: 7}, nil
		},
	}}
	for range 3 {
		f.beginLost()
		if lost, err := f.isLost(t.Context(), "AS-1", stream.DurableCommitter, 7); err != nil || lost {
			t.Errorf("lost %t, %v", lost, err)
		}
		now = now.Add(time.Minute)
	}
}
