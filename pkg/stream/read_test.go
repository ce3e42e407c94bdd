package stream_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/headrace/headrace/pkg/stream"
	"github.com/headrace/headrace/pkg/stream/streamtest"
	"github.com/nats-io/nats.go/jetstream"
)

func subjects(t *testing.T, c *stream.Client, filter string, from uint64) []string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var got []string
	for s, err := range c.Read(ctx, "WORK", filter, from) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, s.Subject)
	}
	return got
}

func TestRead_FilterAndStart_YieldsThatAndEnds(t *testing.T) {
	t.Parallel()
	c := connect(t, streamtest.Server(t))
	apply(t, c, one())
	if got := subjects(t, c, "", 0); got != nil {
		t.Errorf("empty stream: %v", got)
	}
	fill(t, c, 5)
	for _, tc := range []struct {
		filter string
		from   uint64
		want   []string
	}{
		{"", 0, []string{"work.0", "work.1", "work.2", "work.3", "work.4"}},
		{"work.*", 4, []string{"work.3", "work.4"}},
		{"work.1", 1, []string{"work.1"}},
		{"work.1", 3, nil},
		{"work.none", 0, nil},
		{"", 6, nil},
	} {
		if diff := cmp.Diff(tc.want, subjects(t, c, tc.filter, tc.from)); diff != "" {
			t.Errorf("Read(%q, %d) (-want +got):\n%s", tc.filter, tc.from, diff)
		}
	}
	for range c.Read(t.Context(), "WORK", "", 0) {
		break // leaves nothing behind
	}
}

func TestRead_StoredMeanwhile_EndsAtTheLastOfTheCall(t *testing.T) {
	t.Parallel()
	c := connect(t, streamtest.Server(t))
	apply(t, c, one())
	fill(t, c, 3)
	n := 0
	for _, err := range c.Read(t.Context(), "WORK", "work.>", 0) {
		if err != nil {
			t.Fatal(err)
		}
		n++
		fill(t, c, 1)
	}
	if n != 3 {
		t.Errorf("read %d, want 3", n)
	}
}

func TestRead_PurgedMeanwhile_Ends(t *testing.T) {
	t.Parallel()
	b := streamtest.Server(t)
	c := connect(t, b)
	apply(t, c, one())
	fill(t, c, 2000)
	n := 0
	for _, err := range c.Read(t.Context(), "WORK", "", 0) {
		if err != nil {
			t.Fatal(err)
		}
		if n++; n == 1 {
			s, err := b.JetStream().Stream(t.Context(), "WORK")
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Purge(t.Context(), jetstream.WithPurgeSequence(2001)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if n == 2000 {
		t.Error("all was on its way before the purge: the test shows nothing")
	}
}

func TestRead_NoStream_SaysSo(t *testing.T) {
	t.Parallel()
	c := connect(t, streamtest.Server(t))
	for s, err := range c.Read(t.Context(), "NONE", "", 0) {
		if s != nil || !errors.Is(err, stream.ErrNoStream) {
			t.Errorf("got %v, %v", s, err)
		}
	}
}

func TestFollow_NewMessages_YieldsUntilContextEnds(t *testing.T) {
	t.Parallel()
	b := streamtest.Server(t)
	c := connect(t, b)
	apply(t, c, one())
	fill(t, c, 1)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	n := 0
	for s, err := range c.Follow(ctx, "WORK", "", 1) {
		if err != nil {
			t.Fatal(err)
		}
		if want := fmt.Sprintf("work.%d", n); s.Subject != want {
			t.Errorf("got %s, want %s", s.Subject, want)
		}
		if n++; n == 3 {
			cancel()
			continue
		}
		if _, err := c.Append(ctx, stream.Message{Subject: fmt.Sprintf("work.%d", n)}); err != nil {
			t.Fatal(err)
		}
	}
	if n != 3 || errors.Is(ctx.Err(), context.DeadlineExceeded) {
		t.Errorf("%d messages, %v", n, ctx.Err())
	}
	if left := consumers(t, b); left != 1 {
		t.Errorf("%d consumers are left, want the durable alone", left)
	}
}

func TestFollowHeaders_SeveralFilters_YieldsWhatMatchesOneWithoutItsBody(t *testing.T) {
	t.Parallel()
	c := connect(t, streamtest.Server(t))
	apply(t, c, one())
	for _, subject := range []string{"work.a", "work.b", "work.c"} {
		if _, err := c.Append(t.Context(), stream.Message{Subject: subject, ID: subject, Body: []byte("body")}); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var got []string
	for s, err := range c.FollowHeaders(ctx, "WORK", []string{"work.c", "work.a"}, 1) {
		if err != nil {
			t.Fatal(err)
		}
		if len(s.Body) != 0 || s.ID != s.Subject {
			t.Errorf("%s has the body %q and the id %q", s.Subject, s.Body, s.ID)
		}
		if got = append(got, s.Subject); len(got) == 2 {
			break
		}
	}
	if diff := cmp.Diff([]string{"work.a", "work.c"}, got); diff != "" {
		t.Error(diff)
	}
}

// Its consumer is deleted, and it ends while it makes another.
func TestFollow_EndsWhileItsConsumerIsMadeAnew_Returns(t *testing.T) {
	t.Parallel()
	b := streamtest.Server(t)
	c := connect(t, b)
	apply(t, c, one())
	fill(t, c, 1)
	for range 200 {
		ctx, cancel := context.WithCancel(t.Context())
		waits, ended := make(chan struct{}), make(chan struct{})
		go func() {
			defer close(ended)
			for range c.Follow(ctx, "WORK", "", 1) {
				close(waits)
			}
		}()
		within(t, "it has read the first", waits)
		s, err := b.JetStream().Stream(t.Context(), "WORK")
		if err != nil {
			t.Fatal(err)
		}
		for name := range s.ConsumerNames(t.Context()).Name() {
			if name != "worker" {
				_ = s.DeleteConsumer(t.Context(), name) // perhaps it is the one before, and gone
			}
		}
		cancel()
		within(t, "it has ended", ended)
	}
}

// consumers counts those of the stream WORK.
func consumers(t *testing.T, b *streamtest.Broker) int {
	t.Helper()
	s, err := b.JetStream().Stream(t.Context(), "WORK")
	if err != nil {
		t.Fatal(err)
	}
	return s.CachedInfo().State.Consumers
}

func TestFollow_BrokerRestarts_GoesOnWhereItWas(t *testing.T) {
	t.Parallel()
	b := streamtest.Server(t)
	c := connect(t, b)
	apply(t, c, one())
	fill(t, c, 2)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var got []uint64
	for s, err := range c.Follow(ctx, "WORK", "", 1) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, s.Sequence)
		switch s.Sequence {
		case 2:
			b.Stop()
			// What is appended before the client notices has an unknown outcome.
			until(t, "the broker is missed", func() bool { return !c.Status().Connected })
			b.Start()
			until(t, "the broker is back", func() bool { return c.Status().Connected })
			fill(t, c, 2)
		case 4:
			cancel()
		}
	}
	if diff := cmp.Diff([]uint64{1, 2, 3, 4}, got); diff != "" {
		t.Errorf("sequences (-want +got):\n%s", diff)
	}
}

func TestRead_Often_LeavesNoConsumersBehind(t *testing.T) {
	t.Parallel()
	b := streamtest.Server(t)
	c := connect(t, b)
	apply(t, c, one())
	if _, err := c.Append(t.Context(), stream.Message{Subject: "work.1", ID: "1"}); err != nil {
		t.Fatal(err)
	}
	for _, filter := range []string{"", "work.1", "work.none"} {
		for range 20 {
			for _, err := range c.Read(t.Context(), "WORK", filter, 1) {
				if err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	s, err := b.JetStream().Stream(t.Context(), "WORK")
	if err != nil {
		t.Fatal(err)
	}
	if n := s.CachedInfo().State.Consumers; n > 2 { // the durable, and one that is being deleted
		t.Errorf("%d consumers after 60 reads", n)
	}
}

func TestFollow_BrokerLostForGood_SaysSo(t *testing.T) {
	t.Parallel()
	b := streamtest.Server(t)
	c := connect(t, b, func(o *stream.Options) { o.NoReconnect = true })
	apply(t, c, one())
	fill(t, c, 1)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var last error
	for _, err := range c.Follow(ctx, "WORK", "", 1) {
		if last = err; err == nil {
			b.Stop()
		}
	}
	if !errors.Is(last, stream.ErrUnreachable) {
		t.Errorf("it ended with %v, want ErrUnreachable", last)
	}
}

func TestSequenceAt_EachMoment_IsTheFirstFromThenOn(t *testing.T) {
	t.Parallel()
	b := streamtest.Server(t)
	c := connect(t, b)
	apply(t, c, one())
	at := func(when time.Time) uint64 {
		seq, err := c.SequenceAt(t.Context(), "WORK", when)
		if err != nil {
			t.Fatal(err)
		}
		return seq
	}
	if got := at(time.Now().Add(-time.Hour)); got != 1 {
		t.Errorf("in an empty stream: %d, want 1", got)
	}
	fill(t, c, 3)
	second, err := c.Get(t.Context(), "WORK", 2)
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		when time.Time
		want uint64
	}{
		"long ago": {second.Time.Add(-time.Hour), 1}, "the second": {second.Time, 2},
		"just after the second": {second.Time.Add(time.Nanosecond), 3}, "later": {second.Time.Add(time.Hour), 4},
	} {
		if got := at(tc.when); got != tc.want {
			t.Errorf("%s: %d, want %d", name, got, tc.want)
		}
	}
	if _, err := c.SequenceAt(t.Context(), "NONE", time.Now()); !errors.Is(err, stream.ErrNoStream) {
		t.Errorf("no stream: %v", err)
	}
	if left := consumers(t, b); left != 1 {
		t.Errorf("%d consumers are left, want the durable alone", left)
	}
}
