package stream_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/headrace/headrace/pkg/stream"
	"github.com/headrace/headrace/pkg/stream/streamtest"
)

func TestAppend_ThenLastAndGet_ReturnIt(t *testing.T) {
	t.Parallel()
	c := connect(t, streamtest.Server(t))
	apply(t, c, one())
	m := stream.Message{
		Subject: "work.a.b", ID: "PR-1/1/approved", Body: []byte(`{"a":1}`),
		Header: map[string]string{"ce-type": "fulfillment.purchase.approved.v1", "ce-subject": "AS-1", "Nats-Rollup": "all"},
	}
	seq, err := c.Append(t.Context(), m)
	if err != nil || seq != 1 {
		t.Fatalf("Append = %d, %v", seq, err)
	}
	want := m
	want.Header = map[string]string{"ce-type": "fulfillment.purchase.approved.v1", "ce-subject": "AS-1"}
	for name, get := range map[string]func() (*stream.Stored, error){
		"Last": func() (*stream.Stored, error) { return c.Last(t.Context(), "WORK", "work.*.b") },
		"Get":  func() (*stream.Stored, error) { return c.Get(t.Context(), "WORK", 1) },
	} {
		got, err := get()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if diff := cmp.Diff(want, got.Message); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if got.Stream != "WORK" || got.Sequence != 1 || time.Since(got.Time) > time.Minute || got.Poison != nil {
			t.Errorf("%s = %+v", name, got)
		}
	}
	if n, err := c.LastSequence(t.Context(), "WORK"); n != 1 || err != nil {
		t.Errorf("LastSequence = %d, %v", n, err)
	}
}

func TestLast_NothingThere_TellsMessageFromStream(t *testing.T) {
	t.Parallel()
	c := connect(t, streamtest.Server(t))
	apply(t, c, one())
	if _, err := c.Last(t.Context(), "WORK", "work.none"); !errors.Is(err, stream.ErrNotFound) {
		t.Errorf("no message: %v", err)
	}
	if _, err := c.Get(t.Context(), "WORK", 7); !errors.Is(err, stream.ErrNotFound) {
		t.Errorf("no sequence: %v", err)
	}
	_, err := c.Last(t.Context(), "NONE", "x")
	if !errors.Is(err, stream.ErrNoStream) || errors.Is(err, stream.ErrNotFound) {
		t.Errorf("no stream: %v", err)
	}
	if _, err := c.LastSequence(t.Context(), "NONE"); !errors.Is(err, stream.ErrNoStream) {
		t.Errorf("no stream: %v", err)
	}
	if n, err := c.LastSequence(t.Context(), "WORK"); n != 0 || err != nil {
		t.Errorf("LastSequence = %d, %v", n, err)
	}
}

func TestAppend_Expectation_OneOfTwoWins(t *testing.T) {
	t.Parallel()
	c := connect(t, streamtest.Server(t))
	apply(t, c, one())
	const filter = "work.*.asset"
	put := func(subject string, seen uint64) (uint64, error) {
		return c.Append(t.Context(), stream.Message{Subject: subject}, stream.ExpectLast(filter, seen))
	}
	first, err := put("work.purchase.asset", 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := put("work.change.asset", 0); !errors.Is(err, stream.ErrConflict) {
		t.Errorf("stale expectation: %v", err)
	}
	if _, err := put("work.change.asset", first); err != nil {
		t.Errorf("expectation met: %v", err)
	}
	if n, _ := c.LastSequence(t.Context(), "WORK"); n != 2 {
		t.Errorf("%d messages stored, want 2", n)
	}
}

func TestAppend_NobodyTakesIt_SaysSo(t *testing.T) {
	t.Parallel()
	c := connect(t, streamtest.Server(t))
	apply(t, c, one())
	if _, err := c.Append(t.Context(), stream.Message{Subject: "nowhere"}); !errors.Is(err, stream.ErrNoStream) {
		t.Errorf("no stream: %v", err)
	}
	big := stream.Message{Subject: "work.big", Body: make([]byte, 2<<20)}
	if _, err := c.Append(t.Context(), big); !errors.Is(err, stream.ErrTooLarge) {
		t.Errorf("2 MB: %v", err)
	}
	bad := stream.Message{Subject: "work.bad", Header: map[string]string{"ce type": "x"}}
	if _, err := c.Append(t.Context(), bad); err == nil || errors.Is(err, stream.ErrUnknownOutcome) {
		t.Errorf("key with a space: %v", err)
	}
}

func TestAppend_BrokerAway_HonoursContext(t *testing.T) {
	t.Parallel()
	b := streamtest.Server(t)
	c := connect(t, b)
	apply(t, c, one())
	b.Stop()
	until(t, "client notices", func() bool { return !c.Status().Connected })
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	begin := time.Now()
	_, err := c.Append(ctx, stream.Message{Subject: "work.x"})
	if !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, stream.ErrUnknownOutcome) {
		t.Errorf("Append = %v; want the deadline, and nothing sent", err)
	}
	if d := time.Since(begin); d > 30*time.Second {
		t.Errorf("took %s", d)
	}
}

func TestAppend_Schedule_FiresIntoTargetWithHeaders(t *testing.T) {
	t.Parallel()
	c := connect(t, streamtest.Server(t))
	apply(t, c, one())
	got := make(chan *stream.Delivery, 1)
	c.Handle("worker", 1, func(_ context.Context, d *stream.Delivery) error { got <- d; return nil })
	start(t, c)
	m := stream.Message{Subject: "later.x", ID: "id-1", Body: []byte("body"), Header: map[string]string{"ce-attempt": "2"}}
	due := time.Now().Add(1200 * time.Millisecond)
	seq, err := c.Append(t.Context(), m, stream.ScheduleAt(due, "work.x"), stream.ExpectLast("*.x", 0))
	if err != nil {
		t.Fatal(err)
	}
	d := within(t, "the schedule fires", got)
	if time.Now().Before(due) {
		t.Error("fired early")
	}
	m.Subject = "work.x"
	if diff := cmp.Diff(m, d.Message); diff != "" {
		t.Errorf("fired message (-want +got):\n%s", diff)
	}
	if d.Attempt != 1 || d.Sequence <= seq {
		t.Errorf("attempt %d, sequence %d", d.Attempt, d.Sequence)
	}
	if _, err := c.Get(t.Context(), "WORK", seq); !errors.Is(err, stream.ErrNotFound) {
		t.Errorf("schedule is still there: %v", err)
	}
}

func TestAppend_CancelSchedule_LeavesOnlyTheMessage(t *testing.T) {
	t.Parallel()
	c := connect(t, streamtest.Server(t))
	apply(t, c, one())
	seq, err := c.Append(t.Context(), stream.Message{Subject: "later.x"}, stream.ScheduleAt(time.Now().Add(time.Hour), "work.x"))
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Append(t.Context(), stream.Message{Subject: "work.x"}, stream.CancelSchedule("later.x"), stream.ExpectLast("*.x", seq))
	if err != nil {
		t.Fatal(err)
	}
	until(t, "the schedule is gone", func() bool {
		_, err := c.Last(t.Context(), "WORK", "later.x")
		return errors.Is(err, stream.ErrNotFound)
	})
	s, err := c.Last(t.Context(), "WORK", "work.x")
	if err != nil {
		t.Fatal(err)
	}
	for k := range s.Header {
		if strings.HasPrefix(k, "Nats-") {
			t.Errorf("header %s of the broker's came through", k)
		}
	}
}
