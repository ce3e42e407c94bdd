package app_test

import (
	"context"
	"testing"
	"time"

	"github.com/headrace/headrace/pkg/connectsim"
	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/replay"
	"github.com/headrace/headrace/pkg/stream"
	"github.com/headrace/headrace/pkg/vendorsim"
)

// swallow has the committer's durable give its messages to nobody who commits
// them, as one does that was moved by hand, until it has no more.
func (w *world) swallow(results int) {
	w.t.Helper()
	c := w.client()
	topology := stream.Fulfillment(stream.Limits{})
	for _, consumer := range topology.Consumers {
		if consumer.Durable == stream.DurableCommitter {
			topology.Consumers = []stream.Consumer{consumer}
		}
	}
	if err := c.Apply(w.t.Context(), topology); err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(w.t.Context())
	done := make(chan error, 1)
	c.Handle(stream.DurableCommitter, 8, func(context.Context, *stream.Delivery) error { return nil })
	go func() { done <- c.Run(ctx) }()
	w.until("the results are gone by", func() bool {
		state, err := c.ConsumerState(w.t.Context(), stream.DurableCommitter)
		return err == nil && int(state.AckFloor) >= results && state.Pending == 0 && state.InHand == 0
	})
	cancel()
	if err := <-done; err != nil {
		w.t.Fatal(err)
	}
}

// subjects counts the subjects of the stream below filter.
func (w *world) subjects(c *stream.Client, name, filter string) int {
	w.t.Helper()
	seen := map[string]bool{}
	for m, err := range c.Read(w.t.Context(), name, filter, 1) {
		if err != nil {
			w.t.Fatal(err)
		}
		seen[m.Subject] = true
	}
	return len(seen)
}

// replays makes a plan and runs it.
func (w *world) replays(p *replay.Plan, err error) *replay.Plan {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
	if err := p.Run(w.t.Context(), replay.Options{By: "ada", Rate: 1000, Patience: time.Minute}); err != nil {
		w.t.Fatal(err)
	}
	for _, s := range p.Steps {
		if s.Done == replay.DoneFailed {
			w.t.Errorf("%s of %s: %s", s.Type, s.RequestID, s.Reason)
		}
	}
	return p
}

func TestReplay_ResultsThatTheCommitterLost_CommittedOnceAndNoVendorCalled(t *testing.T) {
	t.Parallel()
	w := newWorld(t, connectsim.Options{}, vendorsim.Options{})
	w.shareBroker()
	stop := w.start("fetcher", "purchase", "change", "cancel", "suspend", "resume", "tierconfig")
	c := w.client()
	const requests = 105 // of the start set
	decided := func() int {
		n, err := c.LastSequence(t.Context(), fulfillment.StreamResults)
		if err != nil {
			t.Fatal(err)
		}
		return int(n)
	}
	w.until("all is decided", func() bool { return w.subjects(c, fulfillment.StreamResults, fulfillment.RootResults+".>") == requests })
	w.swallow(decided())
	calls := len(w.vendor.Operations())
	stop()
	w.start("committer") // a fetcher would find by itself what was lost
	p := w.replays(replay.Results(t.Context(), c, replay.Range{}))
	if p.ToDo() != requests {
		t.Errorf("%d results to replay, not %d", p.ToDo(), requests)
	}
	if !w.settled() {
		t.Errorf("after the replay: %v", w.connect.Counts())
	}
	w.once(c, fulfillment.StreamEvents, fulfillment.RootEvents+".*.approved.>", requests)
	w.inOrder(c)
	if n := len(w.vendor.Operations()); n != calls {
		t.Errorf("the vendor was called %d times more", n-calls)
	}
	if again := w.replays(replay.Results(t.Context(), c, replay.Range{})); again.ToDo() != 0 {
		t.Errorf("a second replay would do %d", again.ToDo())
	}
}
