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
