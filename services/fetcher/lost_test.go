package fetcher

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/headrace/headrace/pkg/episode"
	"github.com/headrace/headrace/pkg/fulfillment"
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

// A durable without a leader takes the broker's whole timeout to say so.
func TestIsLost_DurableThatCantBeAsked_IsAskedOncePerPoll(t *testing.T) {
	t.Parallel()
	asked := 0
	f := &Fetcher{now: time.Now, Config: Config{
		Consumer: func(context.Context, string) (stream.ConsumerState, error) {
			asked++
			return stream.ConsumerState{}, errors.New("no leader")
		},
	}}
	f.beginLost()
	for i, fails := range []bool{true, false, false} {
		if lost, err := f.isLost(t.Context(), "AS-1", "purchase", 7); lost || (err != nil) != fails {
			t.Errorf("question %d: lost %t, %v", i, lost, err)
		}
	}
	if asked != 1 {
		t.Errorf("the broker was asked %d times", asked)
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

// The call would be beside those of the next request, and might take effect
// after them.
func TestAtWork_FinishedInTheMiddleOfACall_IsWaitedFor(t *testing.T) {
	t.Parallel()
	head := episode.Head{Sequence: 7, Key: fulfillment.Key{Type: fulfillment.Change, Asset: "AS-1", Request: "PR-1"}}
	for name, c := range map[string]struct {
		state fulfillment.State
		at    stream.ConsumerState
		busy  bool
	}{
		"in hand":          {fulfillment.StateQueued, stream.ConsumerState{Delivered: 9, AckFloor: 6}, true},
		"in hand again":    {fulfillment.StateDeciding, stream.ConsumerState{Delivered: 7, AckFloor: 6}, true},
		"not delivered":    {fulfillment.StateQueued, stream.ConsumerState{Delivered: 6, AckFloor: 6}, false},
		"done with":        {fulfillment.StateQueued, stream.ConsumerState{Delivered: 9, AckFloor: 8}, false},
		"waits, scheduled": {fulfillment.StateWaiting, stream.ConsumerState{Delivered: 9, AckFloor: 6}, false},
		"held":             {fulfillment.StateHeld, stream.ConsumerState{Delivered: 9, AckFloor: 6}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			now := time.Now()
			f := &Fetcher{now: func() time.Time { return now }, Config: Config{
				Consumer: func(context.Context, string) (stream.ConsumerState, error) { return c.at, nil },
			}}
			for _, want := range []bool{c.busy, c.busy, false} { // no call takes so long
				f.beginLost()
				if busy, err := f.atWork(t.Context(), head, c.state); err != nil || busy != want {
					t.Errorf("at work %t, %v; want %t", busy, err, want)
				}
				now = now.Add(longestWork - time.Second)
			}
		})
	}
}
