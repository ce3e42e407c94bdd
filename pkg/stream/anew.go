package stream

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/headrace/headrace/pkg/fulfillment"
)

// sequenceStep is what the sequences of a stream that is made anew are rounded
// up to, twice: a gap wide enough for what was stored after the last message
// that names a sequence, and one that people notice.
const sequenceStep = 1_000_000

// firstSequence is where a stream begins that is made: 0, which is the broker's
// own choice, for one that never was. One that was lost begins beyond every
// sequence that is known of it. A request's episode is a sequence of
// FULFILLMENT_REQUESTS, and one that began again at 1 would be taken for done by
// the events and results of the old ones.
func (c *Client) firstSequence(ctx context.Context, s Stream) (uint64, error) {
	c.mu.Lock()
	last := c.seen[s.Name]
	c.mu.Unlock()
	for _, name := range s.CitedBy {
		cited, err := c.highestEpisode(ctx, name)
		if err != nil {
			return 0, fmt.Errorf("find the highest sequence that is known of %s: %w", s.Name, err)
		}
		last = max(last, cited)
	}
	if last == 0 {
		return 0, nil
	}
	return (last/sequenceStep + 2) * sequenceStep, nil
}

// highestEpisode reads all of a stream: it is asked for once in a stream's life,
// if at all.
func (c *Client) highestEpisode(ctx context.Context, name string) (uint64, error) {
	highest := uint64(0)
	for m, err := range c.ReadHeaders(ctx, name, "", 1) {
		if errors.Is(err, ErrNoStream) {
			return 0, nil
		}
		if err != nil {
			return 0, err
		}
		if n, err := strconv.ParseUint(m.Header[fulfillment.HeaderEpisode], 10, 64); err == nil && n <= maxEpisode {
			highest = max(highest, n)
		}
	}
	return highest, nil
}

// maxEpisode is the highest number that every reader of JSON takes. What is
// beyond it was not written by us.
const maxEpisode = 1 << 53
