package upstream_test

import (
	"math"
	"testing"
	"time"

	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/upstream"
)

func TestResting_UpstreamClosed_RoomEndsWithTheThousandthForAsLongAsTheyRest(t *testing.T) {
	t.Parallel()
	var r upstream.Resting
	u, now := upstream.New(upstream.Options{}), time.Now()
	room := func(when string, at time.Time, want int, of ...*upstream.Upstream) {
		t.Helper()
		if got := r.Room(at, of...); got != want {
			t.Errorf("%s: room for %d, want %d", when, got, want)
		}
	}
	for range 999 {
		r.Add(now.Add(time.Minute))
	}
	u.Adopt(fulfillment.Upstream{State: fulfillment.UpstreamPaused, PauseMS: time.Hour.Milliseconds(), By: "another"}, 1, 0)
	room("999 rest", now, math.MaxInt, u)
	r.Add(now.Add(2 * time.Minute))
	room("1000 rest", now, 0, u)
	room("nobody is needed", now, math.MaxInt)
	room("they are due", now.Add(time.Minute), 0, u)
	room("they came long ago", now.Add(90*time.Second), math.MaxInt, u)
}
