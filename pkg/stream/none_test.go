package stream_test

import (
	"errors"
	"testing"

	"github.com/headrace/headrace/pkg/stream"
	"github.com/headrace/headrace/pkg/stream/streamtest"
)

func TestNone_OfSeveralFilters_OneMatchIsEnough(t *testing.T) {
	t.Parallel()
	c := connect(t, streamtest.Server(t))
	apply(t, c, one())
	ask := func(filters ...string) bool {
		t.Helper()
		none, err := c.None(t.Context(), "WORK", filters)
		if err != nil {
			t.Fatal(err)
		}
		return none
	}
	if !ask("work.>", "work.0") {
		t.Error("something is in an empty stream")
	}
	fill(t, c, 3)
	if !ask("work.7", "work.*.x") {
		t.Error("something matches what was never stored")
	}
	if ask("work.7", "work.1") || ask("work.*") {
		t.Error("nothing matches what is stored")
	}
}

func TestNone_NoStream_SaysSo(t *testing.T) {
	t.Parallel()
	c := connect(t, streamtest.Server(t))
	if none, err := c.None(t.Context(), "NONE", []string{"a"}); none || !errors.Is(err, stream.ErrNoStream) {
		t.Errorf("got %v, %v", none, err)
	}
}
