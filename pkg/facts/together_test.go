package facts_test

import (
	"context"
	"testing"

	"github.com/headrace/headrace/pkg/episode"
	"github.com/headrace/headrace/pkg/facts"
	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/pipelinetest"
	"github.com/headrace/headrace/pkg/stream"
)

// together tells the story of an approval by chain, and knows how the events
// stood at some time.
func together(t *testing.T, c *stream.Client, chain episode.Chain, at *episode.Closing) bool {
	t.Helper()
	s := approval(3)
	s.At = at
	told, err := facts.New(c, facts.Rules{}).Together(chain).Tell(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	return told
}

func TestTogether_AStory_IsOneAppendAndTheSameEvents(t *testing.T) {
	t.Parallel()
	c := pipelinetest.Client(t)
	calls := 0
	chain := func(ctx context.Context, filter string, last uint64, ms ...stream.Message) ([]uint64, error) {
		calls++
		return c.AppendChain(ctx, filter, last, ms...)
	}
	if !together(t, c, chain, nil) || together(t, c, chain, nil) || calls != 1 {
		t.Errorf("%d appends", calls)
	}
	want(t, c, "3/received", "3/provisioned", "3/activated", "3/approved")
	last, err := c.Get(t.Context(), fulfillment.StreamEvents, 3)
	if err != nil || last.Header[fulfillment.HeaderTold] != "received,provisioned" {
		t.Errorf("%v: told before: %q", err, last.Header[fulfillment.HeaderTold])
	}
}

func TestTogether_ToldMeanwhile_TheRestIsTold(t *testing.T) {
	t.Parallel()
	c := pipelinetest.Client(t)
	before, err := episode.ClosingOf(t.Context(), c, key())
	if err != nil {
		t.Fatal(err)
	}
	tell(t, c, facts.Story{Key: key(), Episode: 3})
	if !together(t, c, c.AppendChain, &before) {
		t.Error("not told")
	}
	want(t, c, "3/received", "3/provisioned", "3/activated", "3/approved")
}

// What is stored of a chain whose answer is lost may be nothing, some or all.
func TestTogether_OutcomeUnknown_EachFactOnce(t *testing.T) {
	t.Parallel()
	for stored := range 5 {
		c := pipelinetest.Client(t)
		together(t, c, func(ctx context.Context, filter string, last uint64, ms ...stream.Message) ([]uint64, error) {
			if _, err := c.AppendChain(ctx, filter, last, ms[:stored]...); err != nil {
				return nil, err
			}
			return nil, stream.ErrUnknownOutcome
		}, nil)
		want(t, c, "3/received", "3/provisioned", "3/activated", "3/approved")
	}
}

func TestTogether_TooLargeForTheBroker_TheFactsAreTold(t *testing.T) {
	t.Parallel()
	c := pipelinetest.Client(t)
	together(t, c, func(context.Context, string, uint64, ...stream.Message) ([]uint64, error) {
		return nil, stream.ErrTooLarge
	}, nil)
	want(t, c, "3/received", "3/provisioned", "3/activated", "3/approved")
}
