package access_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/headrace/headrace/pkg/fulfillment"
)

// lateReader is a program of a team that begins with the events since a date. It keeps
// what it has done, as a database would, and dies again and again.
type lateReader struct {
	s     *site
	user  string
	since time.Time
	done  []string // ids in the order in which they were done
	seen  map[string]bool
	again int // how many came that were done
	older int // and from before the date
}

// consumer is the one that is there, else one that begins with the date.
func (l *lateReader) consumer(ctx context.Context, js jetstream.JetStream) (jetstream.Consumer, error) {
	c, err := js.Consumer(ctx, events, "billing-invoices")
	if errors.Is(err, jetstream.ErrConsumerNotFound) {
		c, err = js.CreateConsumer(ctx, events, jetstream.ConsumerConfig{
			Durable: "billing-invoices", FilterSubject: "fulfillment.events.>",
			DeliverPolicy: jetstream.DeliverByStartTimePolicy, OptStartTime: &l.since,
			AckPolicy: jetstream.AckExplicitPolicy, AckWait: time.Second, MaxAckPending: 1,
		})
	}
	return c, err
}

// run reads until it has done n more, and dies with the last one done but not
// acknowledged.
func (l *lateReader) run(n int) error {
	nc := l.s.connect(l.user)
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(l.s.t.Context(), patience)
	defer cancel()
	c, err := l.consumer(ctx, js)
	if err != nil {
		return err
	}
	messages, err := c.Messages()
	if err != nil {
		return err
	}
	defer messages.Stop()
	defer context.AfterFunc(ctx, messages.Stop)()
	for {
		m, err := messages.Next()
		if err != nil {
			return fmt.Errorf("after %d: %w", len(l.done), err)
		}
		stored, err := m.Metadata()
		if err != nil {
			return err
		}
		id := m.Headers().Get(fulfillment.HeaderID)
		switch {
		case stored.Timestamp.Before(l.since):
			// The mirror was not filled up to the date when the consumer was made.
			l.older++
		case l.seen[id]:
			l.again++
		default:
			l.seen[id] = true
			l.done = append(l.done, id)
			if n--; n == 0 {
				return nil
			}
		}
		if err := m.DoubleAck(ctx); err != nil {
			return err
		}
	}
}

// The whole recipe of docs/how-to/read-the-events.md: from a date on, while
// events are published, over restarts, and then live.
func TestLateTeam_SinceADate_HasEachOnceAndInOrder(t *testing.T) {
	t.Parallel()
	for _, filled := range []bool{true, false} {
		t.Run(fmt.Sprintf("mirror filled %t", filled), func(t *testing.T) {
			t.Parallel()
			catchUp(t, filled)
		})
	}
}

func catchUp(t *testing.T, filled bool) {
	t.Helper()
	const old, total = 60, 400
	s := newSite(t)
	s.publish(old)
	if filled {
		s.mirrored("billing")
	}
	begin, err := s.services.Get(t.Context(), events, 21) // that one, and what is newer
	if err != nil {
		t.Fatal(err)
	}
	published := make(chan struct{})
	go func() {
		defer close(published)
		for s.sent < total {
			s.publish(1)
		}
	}()
	defer func() { <-published }()

	var want []string
	for i := 21; i <= total+1; i++ {
		want = append(want, fmt.Sprintf("PR-%d/1/approved", i))
	}
	l := &lateReader{s: s, user: "billing", since: begin.Time, seen: map[string]bool{}}
	for _, n := range []int{10, 1, 100, 150} {
		if err := l.run(n); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.run(total - 20 - len(l.done)); err != nil {
		t.Fatal(err)
	}
	<-published
	s.publish(1) // long after it has caught up
	if err := l.run(1); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, l.done); diff != "" {
		t.Error(diff)
	}
	if filled && l.older > 0 {
		t.Errorf("%d came from before the date", l.older)
	}
	if l.again == 0 {
		t.Error("no death fell between doing and acknowledging: the test shows less than it says")
	}
}

// A date before the oldest event begins with that one, and one to come waits.
func TestLateTeam_DatesOutsideTheStream_BeginAtItsEnds(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.publish(3)
	s.mirrored("billing")
	js := s.jetStream("billing")
	for name, c := range map[string]struct {
		since   time.Time
		pending uint64
	}{
		"billing-invoices": {time.Now().AddDate(-1, 0, 0), 3},
		"billing-test":     {time.Now().Add(time.Hour), 0},
	} {
		made, err := js.CreateConsumer(t.Context(), events, jetstream.ConsumerConfig{
			Durable: name, DeliverPolicy: jetstream.DeliverByStartTimePolicy, OptStartTime: &c.since,
		})
		if err != nil {
			t.Fatal(err)
		}
		if got := made.CachedInfo().NumPending; got != c.pending {
			t.Errorf("since %s: %d to read, want %d", c.since, got, c.pending)
		}
	}
}

// Why the recipe looks for the consumer first.
func TestLateTeam_AnotherDateAtTheNextStart_IsRefused(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	js := s.jetStream("billing")
	var err error
	for i := range 2 {
		since := time.Now().Add(-time.Duration(i) * time.Hour)
		_, err = js.CreateOrUpdateConsumer(t.Context(), events, jetstream.ConsumerConfig{
			Durable: "billing-test", DeliverPolicy: jetstream.DeliverByStartTimePolicy, OptStartTime: &since,
		})
	}
	var refused *jetstream.APIError
	if !errors.As(err, &refused) {
		t.Errorf("a second date: %v, want a refusal", err)
	}
}
