package facts

import (
	"testing"
	"time"

	"github.com/headrace/headrace/pkg/episode"
	"github.com/headrace/headrace/pkg/fulfillment"
)

// An operator may have discarded the episode meanwhile.
func TestRecall_OfLongAgo_IsNothing(t *testing.T) {
	t.Parallel()
	teller, now := New(nil, Rules{}).Remembering(), time.Now()
	teller.now = func() time.Time { return now }
	key := fulfillment.Key{Type: fulfillment.Purchase, Product: "PRD-1", Asset: "AS-1", Request: "PR-1"}
	for after, want := range map[time.Duration]bool{9 * time.Second: true, 10 * time.Second: false} {
		teller.remember(key, episode.Closing{})
		now = now.Add(after)
		if _, known := teller.Recall(key); known != want {
			t.Errorf("after %s it is known: %v", after, known)
		}
	}
}
