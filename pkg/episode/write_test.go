package episode_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/headrace/headrace/pkg/episode"
	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/pipelinetest"
	"github.com/headrace/headrace/pkg/stream"
)

// lossy loses the broker's first answer, with or without the message, after
// doing something else.
type lossy struct {
	*stream.Client
	stores bool
	first  func()
}

func (l *lossy) Append(ctx context.Context, m stream.Message, opts ...stream.AppendOption) (uint64, error) {
	if l.first == nil {
		return l.Client.Append(ctx, m, opts...)
	}
	if l.stores {
		if _, err := l.Client.Append(ctx, m, opts...); err != nil {
			return 0, err
		}
	}
	l.first()
	l.first = nil
	return 0, stream.ErrUnknownOutcome
}

func result(reason string) fulfillment.Result {
	return fulfillment.Result{
		RequestID: "PR-1", AssetID: "AS-1", ProductID: key().Product, Type: fulfillment.Purchase, Episode: 7,
		Decision: fulfillment.Approve, Reason: reason, Time: time.Now(),
	}
}

// leaderless has no leader for a while, and nothing is stored.
type leaderless struct {
	*stream.Client
	tries int
}

func (l *leaderless) Append(ctx context.Context, m stream.Message, opts ...stream.AppendOption) (uint64, error) {
	if l.tries--; l.tries >= 0 {
		return 0, stream.ErrNoStream
	}
	return l.Client.Append(ctx, m, opts...)
}

// Nor because a cluster was choosing a leader.
func TestPutResult_NoLeader_WaitsForOne(t *testing.T) {
	t.Parallel()
	c := pipelinetest.Client(t)
	if seq, err := episode.PutResult(t.Context(), &leaderless{c, 3}, result("mine"), "decided", 0); err != nil || seq != 1 {
		t.Errorf("sequence %d, %v", seq, err)
	}
}

// What the vendor answered must not get lost because the broker's answer did.
func TestPutResult_AnswerLost_IsStoredOnce(t *testing.T) {
	t.Parallel()
	for name, stores := range map[string]bool{"stored": true, "not stored": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := pipelinetest.Client(t)
			seq, err := episode.PutResult(t.Context(), &lossy{c, stores, func() {}}, result("mine"), "decided", 0)
			if err != nil || seq != 1 {
				t.Errorf("sequence %d, %v", seq, err)
			}
			if n := pipelinetest.Count(t, c, fulfillment.StreamResults, ""); n != 1 {
				t.Errorf("%d results", n)
			}
		})
	}
}

func TestPutResult_AnswerLostAndOvertaken_IsRefused(t *testing.T) {
	t.Parallel()
	c := pipelinetest.Client(t)
	other := func() {
		if _, err := episode.PutResult(t.Context(), c, result("another's"), "decided", 0); err != nil {
			t.Error(err)
		}
	}
	if _, err := episode.PutResult(t.Context(), &lossy{c, false, other}, result("mine"), "decided", 0); !errors.Is(err, stream.ErrConflict) {
		t.Errorf("err %v, want a conflict", err)
	}
}
