package committer_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/headrace/headrace/pkg/guard"
)

// A stop may fall between any two calls of a commit: what is done stays, and
// the next process reads it before it goes on.
func TestCommit_CallRefused_GoesBackAtOnceAndIsFinishedLater(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	d := b.approved(t)
	for yes := range 6 {
		left := yes
		ctx := guard.With(t.Context(), func() error {
			if left--; left < 0 {
				return errors.New("process is stopping")
			}
			return nil
		})
		if err := b.Handle(ctx, d); err == nil || !strings.Contains(err.Error(), "retry after 0s") {
			t.Fatalf("after %d answers: error = %v, want a retry without delay", yes, err)
		}
		d.Attempt++
	}
	b.commit(t, d, 1)
	if r := b.request(t); r.Status != "approved" || r.Params["subscription_id"] != "T-1" {
		t.Errorf("request is %s with %v", r.Status, r.Params)
	}
	b.event(t)
	puts := 0
	for _, c := range b.sim.Faults().Calls() {
		if c.Method == "PUT" {
			puts++
		}
	}
	if puts != 1 {
		t.Errorf("parameters saved %d times", puts)
	}
}
