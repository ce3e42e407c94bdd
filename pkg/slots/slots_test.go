package slots_test

import (
	"testing"

	"github.com/sirupsen/logrus"
	"github.com/sirupsen/logrus/hooks/test"

	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/pipelinetest"
	"github.com/headrace/headrace/pkg/slots"
	"github.com/headrace/headrace/pkg/stream"
)

func client(t *testing.T) *stream.Client {
	t.Helper()
	c := pipelinetest.Client(t)
	if err := c.Apply(t.Context(), stream.Slots("purchase", "change")); err != nil {
		t.Fatal(err)
	}
	return c
}

func keeper(c *stream.Client, limit int) (*slots.Keeper, *test.Hook) {
	logger, hook := test.NewNullLogger()
	return slots.New(c, "purchase", limit, "host/1", logrus.NewEntry(logger)), hook
}

func do(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func last(t *testing.T, c *stream.Client) uint64 {
	t.Helper()
	s, err := c.StreamState(t.Context(), fulfillment.StreamSlots)
	do(t, err)
	return s.Last
}

func count(t *testing.T, c *stream.Client) int {
	t.Helper()
	return pipelinetest.Count(t, c, fulfillment.StreamSlots, fulfillment.SlotFilter("purchase"))
}

func TestKeeper_LimitsDiffer_LastStartedHoldsAndBothSaySo(t *testing.T) {
	t.Parallel()
	c := client(t)
	first, firstLog := keeper(c, 10)
	do(t, first.Declare(t.Context()))
	if n := count(t, c); n != 10 {
		t.Fatalf("%d slots, want 10", n)
	}
	second, secondLog := keeper(c, 4)
	do(t, second.Declare(t.Context()))
	for range 2 {
		do(t, first.Look(t.Context()))
		do(t, second.Look(t.Context()))
	}
	if n := count(t, c); n != 4 {
		t.Errorf("%d slots, want the 4 of the process that started last", n)
	}
	for name, hook := range map[string]*test.Hook{"first": firstLog, "second": secondLog} {
		if n := len(hook.AllEntries()); n != 1 || hook.LastEntry().Level != logrus.WarnLevel {
			t.Errorf("the %s said %d things, want one warning", name, n)
		}
	}
	third, _ := keeper(c, 7)
	do(t, third.Declare(t.Context()))
	if n := count(t, c); n != 7 {
		t.Errorf("%d slots, want 7", n)
	}
}

func TestKeeper_SameLimit_SaysNothingAndLeavesSlotsAlone(t *testing.T) {
	t.Parallel()
	c := client(t)
	first, _ := keeper(c, 3)
	do(t, first.Declare(t.Context()))
	before := last(t, c)
	second, log := keeper(c, 3)
	do(t, second.Declare(t.Context()))
	do(t, first.Look(t.Context()))
	if after := last(t, c); after != before || len(log.AllEntries()) > 0 {
		t.Errorf("sequence %d was %d; said %d", after, before, len(log.AllEntries()))
	}
}

func TestKeeper_SlotsAreGone_AreMadeAnew(t *testing.T) {
	t.Parallel()
	c := client(t)
	k, _ := keeper(c, 3)
	do(t, k.Declare(t.Context()))
	for m, err := range c.Read(t.Context(), fulfillment.StreamSlots, "", 1) {
		do(t, err)
		do(t, c.Remove(t.Context(), fulfillment.StreamSlots, m.Sequence))
		do(t, c.Remove(t.Context(), fulfillment.StreamSlots, m.Sequence)) // once more is no error
	}
	do(t, k.Look(t.Context()))
	if n := count(t, c); n != 3 {
		t.Errorf("%d slots, want 3", n)
	}
}
