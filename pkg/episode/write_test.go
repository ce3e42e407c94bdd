package episode_test

import (
	"context"
	"errors"
	"fmt"
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

// idle stores nothing for a while.
type idle struct {
	*stream.Client
	tries int
	why   error
}

func (i *idle) Append(ctx context.Context, m stream.Message, opts ...stream.AppendOption) (uint64, error) {
	if i.tries--; i.tries >= 0 {
		return 0, i.why
	}
	return i.Client.Append(ctx, m, opts...)
}

// Nor because a cluster was choosing a leader, or the broker kept those waiting that
// were to be stored before it.
func TestPutResult_NothingStored_TriesAgain(t *testing.T) {
	t.Parallel()
	for name, why := range map[string]error{
		"no leader": stream.ErrNoStream,
		"stalled":   fmt.Errorf("wait for turn: %w", context.DeadlineExceeded),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := pipelinetest.Client(t)
			if seq, err := episode.PutResult(t.Context(), &idle{c, 3, why}, result("mine"), "decided", 0); err != nil || seq != 1 {
				t.Errorf("sequence %d, %v", seq, err)
			}
		})
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
