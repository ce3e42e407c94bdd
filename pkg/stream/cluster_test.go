//go:build traps

package stream_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/headrace/headrace/pkg/guard"
	"github.com/headrace/headrace/pkg/stream"
	"github.com/headrace/headrace/pkg/stream/streamtest"
)

func TestCluster_EachServerStopsInTurn_NothingIsLost(t *testing.T) {
	t.Parallel()
	all := streamtest.Cluster(t)
	var urls []string
	for _, b := range all {
		urls = append(urls, b.URL())
	}
	c := connect(t, all[0], func(o *stream.Options) { o.URL = strings.Join(urls, ","); o.ConnectTimeout = 10 * time.Second })
	apply(t, c, one(func(d *stream.Consumer) { d.AckWait = 3 * time.Second }))
	s, err := all[1].JetStream().Stream(t.Context(), "WORK")
	if err != nil {
		t.Fatal(err)
	}
	if r := s.CachedInfo().Config.Replicas; r != 3 {
		t.Errorf("%d replicas, want 3", r)
	}
	var mu sync.Mutex
	seen := map[string]bool{}
	c.Handle("worker", 8, func(_ context.Context, d *stream.Delivery) error {
		mu.Lock()
		defer mu.Unlock()
		seen[d.Subject] = true
		return nil
	})
	stop := start(t, c)
	n := 0
	put := func(count int) {
		for range count {
			subject := fmt.Sprintf("work.%d", n)
			n++
			until(t, "append "+subject, func() bool {
				ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
				defer cancel()
				_, err := c.Append(ctx, stream.Message{Subject: subject}, stream.ExpectLast(subject, 0))
				return err == nil || errors.Is(err, stream.ErrConflict) // ours, its answer lost
			})
		}
	}
	for i, b := range all {
		put(50)
		b.Stop()
		put(50)
		b.Start()
		// With two servers out of step the stream has no quorum, which is no fault
		// of the client's.
		witness := all[(i+1)%len(all)]
		for range 3 { // a loaded machine takes longer than one wait
			if inStep(t, witness) {
				break
			}
		}
		until(t, "bound", func() bool { return c.Status().Consumers["worker"] == nil })
	}
	until(t, "all handled", func() bool { mu.Lock(); defer mu.Unlock(); return len(seen) == n })
	if err := stop(); err != nil {
		t.Error(err)
	}
}

// A node that was cut off from the others leads the consumer on for a while, and
// says yes to all that its clients tell it. The others choose a new leader, which
// hands out what they hold.
func TestCluster_NodeOfAWorkerIsCutOff_LeaseIsLostBeforeAnotherHasTheMessageAndTheNodeIsLeft(t *testing.T) {
	t.Parallel()
	all := streamtest.Cluster(t)
	first := connect(t, all[0], func(o *stream.Options) { o.ConnectTimeout = 10 * time.Second })
	apply(t, first, one(func(d *stream.Consumer) { d.AckWait = 6 * time.Second }))
	at := slices.IndexFunc(all, func(b *streamtest.Broker) bool { return b.NATS().Name() == consumerLeader(t, all[0]) })
	ctxs, got := make(chan context.Context, 1), make(chan struct{}, 1)
	held := connect(t, all[at], func(o *stream.Options) { o.DrainTimeout = time.Second })
	held.Handle("worker", 1, func(ctx context.Context, _ *stream.Delivery) error {
		ctxs <- ctx
		<-ctx.Done()
		return ctx.Err()
	})
	start(t, held)
	fill(t, first, 1)
	ctx := within(t, "a worker has the message", ctxs)
	other := connect(t, all[(at+1)%len(all)])
	other.Handle("worker", 1, func(context.Context, *stream.Delivery) error {
		select {
		case got <- struct{}{}:
		default:
		}
		return nil
	})
	start(t, other)
	for began := time.Now(); time.Since(began) < 9*time.Second; { // one and a half ack waits
		if err := guard.Ask(ctx); err != nil {
			t.Fatalf("lost while all is well: %v", err)
		}
		time.Sleep(10 * time.Millisecond)
	}
	node := held.Status().Server
	all[at].CutOff(true)
	defer all[at].CutOff(false)
	within(t, "another worker has the message", got)
	if guard.Ask(ctx) == nil {
		t.Error("two workers have the message, and both may call")
	}
	until(t, "the node is left", func() bool { s := held.Status(); return s.Connected && s.Server != node })
}

// consumerLeader is the name of the server that leads worker.
func consumerLeader(t *testing.T, b *streamtest.Broker) string {
	t.Helper()
	leader := ""
	until(t, "the consumer has a leader", func() bool {
		c, err := b.JetStream().Consumer(t.Context(), "WORK", "worker")
		if err == nil {
			leader = c.CachedInfo().Cluster.Leader
		}
		return leader != ""
	})
	return leader
}

// What a replica lacks that was away must not be taken for what never was.
func TestCluster_ReplicaLags_LastIsTheLeaders(t *testing.T) {
	t.Parallel()
	all := streamtest.Cluster(t)
	c := connect(t, all[0], func(o *stream.Options) { o.ConnectTimeout = 10 * time.Second })
	apply(t, c, one())
	s, err := all[0].JetStream().Stream(t.Context(), "WORK")
	if err != nil {
		t.Fatal(err)
	}
	leader := s.CachedInfo().Cluster.Leader
	lags := slices.IndexFunc(all, func(b *streamtest.Broker) bool { return b.NATS().Name() != leader })
	there, elsewhere := connect(t, all[lags]), connect(t, all[(lags+1)%len(all)])
	fill(t, elsewhere, 1)
	until(t, "all have the first", func() bool { return inStep(t, all[0]) })
	all[lags].CutOff(true)
	if _, err := elsewhere.Append(t.Context(), stream.Message{Subject: "work.0"}); err != nil {
		t.Fatal(err)
	}
	for range 12 { // of a direct get nobody knows which replica is asked
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		if m, err := there.Last(ctx, "WORK", "work.0"); err == nil && m.Sequence != 2 {
			t.Errorf("the last is message %d, and it is 2", m.Sequence)
		}
		cancel()
	}
	all[lags].CutOff(false)
	until(t, "it has it, too", func() bool {
		m, err := there.Last(t.Context(), "WORK", "work.0")
		return err == nil && m.Sequence == 2
	})
	if _, err := there.Last(t.Context(), "WORK", "work.none"); !errors.Is(err, stream.ErrNotFound) {
		t.Errorf("what is not there: %v", err)
	}
	if _, err := there.Last(t.Context(), "NONE", "work.0"); !errors.Is(err, stream.ErrNoStream) {
		t.Errorf("of a stream that is not there: %v", err)
	}
}

// inStep reports whether all replicas of the stream are current before long.
func inStep(t *testing.T, b *streamtest.Broker) bool {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for time.Now().Before(deadline) {
		<-tick.C
		s, err := b.JetStream().Stream(t.Context(), "WORK")
		if err != nil {
			continue
		}
		cluster := s.CachedInfo().Cluster
		if cluster == nil || cluster.Leader == "" || len(cluster.Replicas) != 2 {
			continue
		}
		if !slices.ContainsFunc(cluster.Replicas, func(p *jetstream.PeerInfo) bool { return !p.Current || p.Offline }) {
			return true
		}
	}
	return false
}
