package stream_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/stream"
	"github.com/headrace/headrace/pkg/stream/streamtest"
)

// tended is a broker whose topology is looked after.
type tended struct {
	broker *streamtest.Broker
	client *stream.Client
	top    stream.Topology

	mu     sync.Mutex
	found  []stream.Fault
	looks  int
	mended []stream.Fault
}

func tend(t *testing.T, top stream.Topology, how stream.Tending) *tended {
	t.Helper()
	w := &tended{broker: streamtest.Server(t), top: top}
	w.client = connect(t, w.broker)
	apply(t, w.client, top)
	how.Found = func(f []stream.Fault) { w.mu.Lock(); defer w.mu.Unlock(); w.found = f; w.looks++ }
	how.Mended = func(f stream.Fault) { w.mu.Lock(); defer w.mu.Unlock(); w.mended = append(w.mended, f) }
	if how.Every == 0 {
		how.Every = 20 * time.Millisecond
	}
	if how.Grace == 0 {
		how.Grace = 50 * time.Millisecond
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); w.client.Tend(ctx, top, how) }()
	t.Cleanup(func() { cancel(); <-done })
	w.until(t, "the first look", func() bool { return w.looks > 0 })
	return w
}

// told is what Tend has told so far; it goes on looking.
func (w *tended) told() (found, mended []stream.Fault, looks int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.found), slices.Clone(w.mended), w.looks
}

// moreLooks waits until Tend has looked n times more at least.
func (w *tended) moreLooks(t *testing.T, n int) {
	t.Helper()
	_, _, before := w.told()
	w.until(t, "more looks", func() bool { return w.looks >= before+n })
}

// until waits for what Tend tells. Reached is called with mu held.
func (w *tended) until(t *testing.T, what string, reached func() bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		w.mu.Lock()
		ok := reached()
		w.mu.Unlock()
		if ok {
			return
		}
		if time.Now().After(deadline) {
			found, mended, _ := w.told()
			t.Fatalf("not reached: %s; found %v, mended %v", what, found, mended)
		}
		time.Sleep(time.Millisecond)
	}
}

func (w *tended) untilMended(t *testing.T, kind stream.FaultKind, object string) {
	t.Helper()
	w.until(t, object+" mended", func() bool {
		return slices.ContainsFunc(w.mended, func(f stream.Fault) bool { return f.Kind == kind && f.Object() == object })
	})
}

func TestTend_ConsumerDeleted_ComesBackAfterTheGraceAndDeliversAll(t *testing.T) {
	t.Parallel()
	grace := 600 * time.Millisecond
	w := tend(t, one(), stream.Tending{Every: time.Hour, Grace: grace})
	var mu sync.Mutex
	seen := map[string]int{}
	w.client.Handle("worker", 2, func(_ context.Context, d *stream.Delivery) error {
		mu.Lock()
		defer mu.Unlock()
		seen[d.ID]++
		return nil
	})
	start(t, w.client)
	fill(t, w.client, 3)
	times := func(n int) func() bool {
		return func() bool {
			mu.Lock()
			defer mu.Unlock()
			return seen["0"] == n && seen["1"] == n && seen["2"] == n
		}
	}
	w.until(t, "all were delivered", times(1))
	deleted := time.Now()
	if err := w.broker.JetStream().DeleteConsumer(t.Context(), "WORK", "worker"); err != nil {
		t.Fatal(err)
	}
	w.untilMended(t, stream.Missing, "consumer worker of WORK")
	if took := time.Since(deleted); took < grace {
		t.Errorf("made anew after %s, within the grace of %s", took, grace)
	}
	w.until(t, "all were delivered again", times(2))
	w.until(t, "nothing is left to say", func() bool { return len(w.found) == 0 })
}

func TestTend_ConsumerChanged_IsChangedBack(t *testing.T) {
	t.Parallel()
	w := tend(t, one(), stream.Tending{})
	js := w.broker.JetStream()
	cfg := consumerConfig(t, js)
	cfg.FilterSubjects, cfg.FilterSubject = nil, "work.none"
	cfg.AckWait, cfg.MaxAckPending, cfg.MaxDeliver, cfg.MaxRequestBatch = time.Second, 1, 2, 1
	if _, err := js.UpdateConsumer(t.Context(), "WORK", cfg); err != nil {
		t.Fatal(err)
	}
	w.untilMended(t, stream.Differs, "consumer worker of WORK")
	got := consumerConfig(t, js)
	if got.AckWait != 5*time.Second || got.MaxAckPending != stream.DefaultMaxAckPending || got.MaxDeliver != -1 ||
		got.FilterSubject+strings.Join(got.FilterSubjects, "") != "work.>" || got.MaxRequestBatch != 0 {
		t.Errorf("consumer = %+v", got)
	}
	_, mended, _ := w.told()
	for _, part := range []string{"ack_wait is 1s, declared 5s", "max_ack_pending", "max_deliver", "filter_subject"} {
		if !strings.Contains(mended[0].Detail, part) {
			t.Errorf("%q does not say %s", mended[0].Detail, part)
		}
	}
}

func consumerConfig(t *testing.T, js jetstream.JetStream) jetstream.ConsumerConfig {
	t.Helper()
	d, err := js.Consumer(t.Context(), "WORK", "worker")
	if err != nil {
		t.Fatal(err)
	}
	return d.CachedInfo().Config
}

func TestTend_ConsumerPaused_IsToldAndLeftAlone(t *testing.T) {
	t.Parallel()
	w := tend(t, one(), stream.Tending{})
	if _, err := w.broker.JetStream().PauseConsumer(t.Context(), "WORK", "worker", time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	w.until(t, "the pause is told", func() bool { return len(w.found) == 1 && w.found[0].Kind == stream.Paused })
	w.moreLooks(t, 4)
	_, mended, _ := w.told()
	if got := consumerConfig(t, w.broker.JetStream()); got.PauseUntil == nil || len(mended) > 0 {
		t.Errorf("pause until %v, mended %v", got.PauseUntil, mended)
	}
}

func TestTend_StreamChanged_IsChangedBack(t *testing.T) {
	t.Parallel()
	w := tend(t, one(), stream.Tending{})
	cfg := streamConfig(t, w.broker)
	cfg.Subjects, cfg.MaxAge, cfg.Discard, cfg.MaxMsgs = []string{"work.>"}, time.Hour, jetstream.DiscardOld, 1
	cfg.Retention, cfg.NoAck = jetstream.InterestPolicy, true
	if _, err := w.broker.JetStream().UpdateStream(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	w.untilMended(t, stream.Differs, "stream WORK")
	got := streamConfig(t, w.broker)
	if len(got.Subjects) != 2 || got.MaxAge != 0 || got.MaxMsgs != -1 || got.Retention != jetstream.LimitsPolicy || got.NoAck {
		t.Errorf("stream = %+v", got)
	}
}

func streamConfig(t *testing.T, b *streamtest.Broker) jetstream.StreamConfig {
	t.Helper()
	s, err := b.JetStream().Stream(t.Context(), "WORK")
	if err != nil {
		t.Fatal(err)
	}
	return s.CachedInfo().Config
}

func TestTend_StreamDeclaredByALaterProcess_IsLeftAlone(t *testing.T) {
	t.Parallel()
	w := tend(t, one(), stream.Tending{})
	later := one()
	later.Streams[0].MaxAge = time.Hour
	apply(t, connect(t, w.broker), later)
	w.until(t, "it is told", func() bool { return len(w.found) == 1 && w.found[0].Kind == stream.Foreign })
	w.moreLooks(t, 4)
	if got := streamConfig(t, w.broker); got.MaxAge != time.Hour {
		t.Errorf("max age is %s", got.MaxAge)
	}
}

func TestApply_WhatCannotBeChanged_IsRefusedWithAWayOut(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*jetstream.StreamConfig){
		"storage is Memory, declared File":            func(c *jetstream.StreamConfig) { c.Storage = jetstream.MemoryStorage },
		"retention is WorkQueue, declared Limits":     func(c *jetstream.StreamConfig) { c.Retention = jetstream.WorkQueuePolicy },
		"it is sealed: nothing more can be stored in": nil,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := streamtest.Server(t)
			cfg := jetstream.StreamConfig{Name: "WORK", Subjects: []string{"work.>"}}
			if change != nil {
				change(&cfg)
			}
			js := b.JetStream()
			if _, err := js.CreateStream(t.Context(), cfg); err != nil {
				t.Fatal(err)
			}
			if change == nil {
				cfg.Sealed = true
				if _, err := js.UpdateStream(t.Context(), cfg); err != nil {
					t.Fatal(err)
				}
			}
			err := connect(t, b).Apply(t.Context(), one())
			if !errors.Is(err, stream.ErrUnchangeable) || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), "delete it") {
				t.Errorf("Apply = %v", err)
			}
		})
	}
}

func TestTend_StreamMadeAnewByHand_IsRefused(t *testing.T) {
	t.Parallel()
	w := tend(t, stream.Topology{Streams: one().Streams}, stream.Tending{Every: time.Hour})
	js := w.broker.JetStream()
	if err := js.DeleteStream(t.Context(), "WORK"); err != nil {
		t.Fatal(err)
	}
	if _, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "WORK", Subjects: []string{"other.>"}, Storage: jetstream.MemoryStorage}); err != nil {
		t.Fatal(err)
	}
	// What finds no stream has Tend look, long before its time.
	_, err := w.client.Append(t.Context(), stream.Message{Subject: "work.1", ID: "1"})
	if !errors.Is(err, stream.ErrNoStream) {
		t.Errorf("Append = %v", err)
	}
	w.until(t, "it is told", func() bool { return len(w.found) == 1 && w.found[0].Kind == stream.Refused })
}

// TestTend_RequestsDeleted_GoOnBeyondWhatIsKnown: an episode is a sequence of
// FULFILLMENT_REQUESTS. One that came again would be taken for done.
func TestTend_RequestsDeleted_GoOnBeyondWhatIsKnown(t *testing.T) {
	t.Parallel()
	for name, cited := range map[string]string{
		"a result":      "fulfillment.results.purchase.PRD-1.AS-1.PR-1",
		"an event":      "fulfillment.events.purchase.approved.PRD-1.AS-1.PR-1",
		"a dead letter": "fulfillment.dead.hold.purchase.PRD-1.AS-1.PR-1",
		"nothing":       "",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := streamtest.Server(t)
			c := connect(t, b)
			top := stream.Fulfillment(stream.Limits{})
			apply(t, c, top)
			want := uint64(1)
			if cited != "" {
				want = 5_000_000
				for episode, id := range map[string]string{"3100000": "1", "7": "2", "scribbled": "3"} {
					if _, err := c.Append(t.Context(), stream.Message{
						Subject: cited, ID: id, Header: map[string]string{fulfillment.HeaderEpisode: episode},
					}); err != nil {
						t.Fatal(err)
					}
				}
			}
			if err := b.JetStream().DeleteStream(t.Context(), fulfillment.StreamRequests); err != nil {
				t.Fatal(err)
			}
			var wg sync.WaitGroup
			for range 3 { // of several processes the first has its way
				other := connect(t, b)
				wg.Go(func() {
					if err := other.Apply(t.Context(), top); err != nil {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			got, err := c.Append(t.Context(), stream.Message{Subject: "fulfillment.requests.purchase.PRD-1.AS-1.PR-1", ID: "x"})
			if err != nil || got != want {
				t.Errorf("the first message has sequence %d (%v), want %d", got, err, want)
			}
			apply(t, c, top) // what it began with is no difference
		})
	}
}

func TestTend_EventsDeleted_GoOnBeyondWhatWasSeen(t *testing.T) {
	t.Parallel()
	w := tend(t, stream.Fulfillment(stream.Limits{}), stream.Tending{})
	event := stream.Message{Subject: "fulfillment.events.purchase.approved.PRD-1.AS-1.PR-1", ID: "x"}
	if _, err := w.client.Append(t.Context(), event); err != nil {
		t.Fatal(err)
	}
	w.moreLooks(t, 2) // it was seen
	if err := w.broker.JetStream().DeleteStream(t.Context(), fulfillment.StreamEvents); err != nil {
		t.Fatal(err)
	}
	w.untilMended(t, stream.Missing, "stream "+fulfillment.StreamEvents)
	if got, err := w.client.Append(t.Context(), event); err != nil || got != 2_000_000 {
		t.Errorf("sequence %d, %v", got, err)
	}
	w.untilMended(t, stream.Missing, "consumer note-failed of "+fulfillment.StreamEvents)
}

func TestCompare_TellsAndChangesNothing(t *testing.T) {
	t.Parallel()
	b := streamtest.Server(t)
	c := connect(t, b)
	top := one()
	want := func(kinds ...stream.FaultKind) {
		t.Helper()
		faults, err := c.Compare(t.Context(), top)
		if err != nil {
			t.Fatal(err)
		}
		var got []stream.FaultKind
		for _, f := range faults {
			got = append(got, f.Kind)
		}
		if !slices.Equal(got, kinds) {
			t.Errorf("Compare = %v", faults)
		}
	}
	want(stream.Missing) // and nothing of its consumer
	apply(t, c, stream.Topology{Streams: top.Streams})
	want(stream.Missing)
	apply(t, c, top)
	want()
	top.Streams[0].MaxAge = time.Hour
	want(stream.Foreign)
	if got := streamConfig(t, b); got.MaxAge != 0 {
		t.Errorf("Compare changed the stream: %+v", got)
	}
}

// Somebody holds a message when its consumer is deleted, and has no free slot by
// which to notice it. It must have lost the message before another gets it.
func TestTend_ConsumerDeletedWithAMessageInHand_NobodyElseHasItBeside(t *testing.T) {
	t.Parallel()
	top := one(shortWait)
	w := tend(t, top, stream.Tending{Every: time.Hour, Grace: top.Consumers[0].AckWait})
	var mu sync.Mutex
	holders, most, deliveries := 0, 0, 0
	hold := func(ctx context.Context, _ *stream.Delivery) error {
		mu.Lock()
		holders++
		deliveries++
		most = max(most, holders)
		first := deliveries == 1
		mu.Unlock()
		if first {
			<-ctx.Done() // it takes as long as it may
		}
		mu.Lock()
		holders--
		mu.Unlock()
		return nil
	}
	fill(t, w.client, 1)
	for _, c := range []*stream.Client{w.client, connect(t, w.broker)} {
		c.Handle("worker", 1, hold)
		start(t, c)
	}
	w.until(t, "somebody holds it", func() bool { mu.Lock(); defer mu.Unlock(); return holders == 1 })
	if err := w.broker.JetStream().DeleteConsumer(t.Context(), "WORK", "worker"); err != nil {
		t.Fatal(err)
	}
	w.until(t, "it was delivered again", func() bool { mu.Lock(); defer mu.Unlock(); return deliveries >= 2 && holders == 0 })
	if most != 1 {
		t.Errorf("%d held it at once", most)
	}
}
