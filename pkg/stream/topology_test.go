package stream_test

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/stream"
	"github.com/headrace/headrace/pkg/stream/streamtest"
	"github.com/nats-io/nats.go/jetstream"
)

func TestApply_Fulfillment_IsWhatTheWireSays(t *testing.T) {
	t.Parallel()
	b := streamtest.Server(t)
	c := connect(t, b)
	top := stream.Fulfillment(stream.Limits{MaxBytes: 1 << 30})
	apply(t, c, top)
	apply(t, c, top) // changes nothing
	js := b.JetStream()
	for _, s := range top.Streams {
		got, err := js.Stream(t.Context(), s.Name)
		if err != nil {
			t.Fatal(err)
		}
		cfg := got.CachedInfo().Config
		bytes, kept := int64(1<<30), int64(-1)
		if s.Name == fulfillment.StreamUpstreams { // small, and only the last word of each
			bytes, kept = -1, 1
		}
		if cfg.Retention != jetstream.LimitsPolicy || cfg.Discard != jetstream.DiscardOld || cfg.Storage != jetstream.FileStorage ||
			!cfg.AllowDirect || !cfg.AllowAtomicPublish || cfg.Replicas != 1 || cfg.MaxBytes != bytes || cfg.MaxMsgsPerSubject != kept || cfg.MaxAge != s.MaxAge ||
			cfg.AllowMsgSchedules != (s.Name == fulfillment.StreamRequests) {
			t.Errorf("%s = %+v", s.Name, cfg)
		}
	}
	var durables []string
	for _, d := range top.Consumers {
		durables = append(durables, d.Durable)
		got, err := js.Consumer(t.Context(), d.Stream, d.Durable)
		if err != nil {
			t.Fatal(err)
		}
		cfg := got.CachedInfo().Config
		if cfg.DeliverPolicy != jetstream.DeliverAllPolicy || cfg.AckPolicy != jetstream.AckExplicitPolicy || cfg.MaxDeliver != -1 ||
			cfg.AckWait != 30*time.Second || cfg.MaxAckPending < 1000 || cfg.HeadersOnly != (d.Durable == "unclaimed" || d.Durable == "note-waits") {
			t.Errorf("%s = %+v", d.Durable, cfg)
		}
		filters := cfg.FilterSubjects
		if cfg.FilterSubject != "" {
			filters = []string{cfg.FilterSubject}
		}
		if diff := cmp.Diff(d.Filters, filters); diff != "" {
			t.Errorf("%s (-want +got):\n%s", d.Durable, diff)
		}
	}
	want := []string{"purchase", "change", "cancel", "suspend", "resume", "adjustment", "renew", "transfer", "tierconfig", "committer", "unclaimed",
		"note-held", "note-failed", "note-waits"}
	if diff := cmp.Diff(want, durables); diff != "" {
		t.Errorf("durables (-want +got):\n%s", diff)
	}
}

func TestApply_Changed_UpdatesOnlyWhatIsDeclared(t *testing.T) {
	t.Parallel()
	b := streamtest.Server(t)
	c := connect(t, b)
	top := one()
	apply(t, c, top)
	js := b.JetStream()
	s, err := js.Stream(t.Context(), "WORK")
	if err != nil {
		t.Fatal(err)
	}
	cfg := s.CachedInfo().Config
	cfg.Description = "an operator's"
	if _, err := js.UpdateStream(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	fill(t, c, 2)

	top.Streams[0].MaxAge = time.Minute // below the duplicate window
	top.Streams[0].Subjects = append(top.Streams[0].Subjects, "more.>")
	top.Consumers[0].Filters = []string{"work.>", "more.>"}
	top.Consumers[0].AckWait = 7 * time.Second
	apply(t, c, top)
	if s, err = js.Stream(t.Context(), "WORK"); err != nil {
		t.Fatal(err)
	}
	got := s.CachedInfo()
	if got.Config.Description != "an operator's" || got.Config.MaxAge != time.Minute || !slices.Contains(got.Config.Subjects, "more.>") || got.State.Msgs != 2 {
		t.Errorf("stream = %+v", got)
	}
	d, err := js.Consumer(t.Context(), "WORK", "worker")
	if err != nil {
		t.Fatal(err)
	}
	if cfg := d.CachedInfo().Config; cfg.AckWait != 7*time.Second || len(cfg.FilterSubjects) != 2 {
		t.Errorf("consumer = %+v", cfg)
	}
}

func TestApply_ManyProcessesAtOnce_AllSucceed(t *testing.T) {
	t.Parallel()
	b := streamtest.Server(t)
	var wg sync.WaitGroup
	for range 6 {
		c := connect(t, b)
		wg.Go(func() {
			if err := c.Apply(t.Context(), stream.Fulfillment(stream.Limits{})); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

func TestApply_NotAPullConsumer_Refuses(t *testing.T) {
	t.Parallel()
	b := streamtest.Server(t)
	c := connect(t, b)
	top := one()
	apply(t, c, stream.Topology{Streams: top.Streams})
	_, err := b.JetStream().CreateConsumer(t.Context(), "WORK", jetstream.ConsumerConfig{Durable: "worker", AckPolicy: jetstream.AckNonePolicy})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Apply(t.Context(), top); err == nil || !strings.Contains(err.Error(), "worker") {
		t.Errorf("Apply = %v", err)
	}
	top.Consumers[0].Durable = "two.tokens"
	if err := c.Apply(t.Context(), top); err == nil {
		t.Error("a dotted durable was taken")
	}
}

func TestRun_DurableTwice_Refused(t *testing.T) {
	t.Parallel()
	c := connect(t, streamtest.Server(t))
	c.Handle("worker", 1, nil)
	c.Handle("worker", 1, nil)
	if err := c.Run(t.Context()); err == nil || errors.Is(err, stream.ErrClosed) {
		t.Errorf("Run = %v", err)
	}
}
