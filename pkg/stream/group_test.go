package stream_test

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/headrace/headrace/pkg/stream"
	"github.com/headrace/headrace/pkg/stream/streamtest"
	"github.com/nats-io/nats-server/v2/server"
)

func grouping(t *testing.T) *stream.Client {
	t.Helper()
	b := streamtest.Server(t, func(o *server.Options) { o.SyncAlways = true })
	c := connect(t, b, func(o *stream.Options) { o.GroupCommit = true })
	apply(t, c, one())
	return c
}

func TestGroupCommit_ManyWriters_EachHasItsOwnSequence(t *testing.T) {
	t.Parallel()
	c := grouping(t)
	const writers, each = 40, 10
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				subject := fmt.Sprintf("work.%d.%d", w, i)
				seq, err := c.Append(t.Context(), stream.Message{Subject: subject, ID: subject}, stream.ExpectLast(subject, 0))
				if err != nil {
					t.Error(err)
					return
				}
				s, err := c.Get(t.Context(), "WORK", seq)
				if err != nil || s.Subject != subject || s.ID != subject || len(s.Header) != 0 {
					t.Errorf("Get(%d) = %+v, %v; want %s", seq, s, err, subject)
				}
			}
		})
	}
	wg.Wait()
	if n, _ := c.LastSequence(t.Context(), "WORK"); n != writers*each {
		t.Errorf("%d stored, want %d", n, writers*each)
	}
}

func TestGroupCommit_SomeStale_OnlyThoseAreRefused(t *testing.T) {
	t.Parallel()
	c := grouping(t)
	fill(t, c, 5) // work.0 … work.4 are there
	var wg sync.WaitGroup
	for i := range 40 {
		wg.Go(func() {
			subject := fmt.Sprintf("work.%d", i)
			_, err := c.Append(t.Context(), stream.Message{Subject: subject}, stream.ExpectLast(subject, 0))
			if stale := i < 5; errors.Is(err, stream.ErrConflict) != stale || (err == nil) == stale {
				t.Errorf("%s: %v", subject, err)
			}
		})
	}
	wg.Wait()
	if n, _ := c.LastSequence(t.Context(), "WORK"); n != 40 {
		t.Errorf("%d stored, want 40", n)
	}
}

// A wildcard expectation does not hold between the messages of one batch, so
// those that share one must not share the other.
func TestGroupCommit_RaceForOneHead_OneWins(t *testing.T) {
	t.Parallel()
	c := grouping(t)
	for asset := range 10 {
		filter := fmt.Sprintf("work.*.%d", asset)
		var won atomic.Int64
		var wg sync.WaitGroup
		for i := range 40 {
			wg.Go(func() {
				m := stream.Message{Subject: fmt.Sprintf("work.t%d.%d", i, asset)}
				switch _, err := c.Append(t.Context(), m, stream.ExpectLast(filter, 0)); {
				case err == nil:
					won.Add(1)
				case !errors.Is(err, stream.ErrConflict):
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if won.Load() != 1 {
			t.Errorf("asset %d: %d writers won", asset, won.Load())
		}
	}
}
