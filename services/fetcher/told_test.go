package fetcher_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/headrace/headrace/pkg/connect"
	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/pipelinetest"
)

func (b *bench) told(t *testing.T, want ...fulfillment.Event) {
	t.Helper()
	if diff := cmp.Diff(want, pipelinetest.Told(t, b.client, purchase())); diff != "" {
		t.Errorf("events: %s", diff)
	}
}

func TestPoll_EpisodeOpened_IsToldAtOnceAndOnce(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.rows = []connect.Row{row(purchase(), at(1))}
	b.poll(t)
	b.told(t, fulfillment.EventReceived)
	b.poll(t)
	b.told(t, fulfillment.EventReceived)
	b.close(t, purchase(), fulfillment.EventInquiring)
	b.poll(t)
	b.poll(t)
	b.told(t, fulfillment.EventReceived, fulfillment.EventInquiring, fulfillment.EventAnswered)
}

func TestPoll_FetcherDiedBeforeItTold_TheNextPollDoes(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	pipelinetest.Open(t, b.client, purchase(), []byte(`{}`))
	b.rows = []connect.Row{row(purchase(), at(1))}
	b.poll(t)
	b.poll(t)
	b.told(t, fulfillment.EventReceived)
	if n := b.published(t); n != 1 {
		t.Errorf("%d requests published", n)
	}
}
