package facts_test

import (
	"fmt"
	"testing"

	"github.com/headrace/headrace/pkg/episode"
	"github.com/headrace/headrace/pkg/facts"
	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/pipelinetest"
)

func TestRecall_OfWhatWasBegun_IsWhatAReadWouldSayOnce(t *testing.T) {
	t.Parallel()
	c := pipelinetest.Client(t)
	teller := facts.New(c, facts.Rules{}).Remembering()
	tell(t, c, ends(3, fulfillment.EventInquiring))
	if _, err := teller.Tell(t.Context(), facts.Story{Key: key(), Episode: 5}); err != nil {
		t.Fatal(err)
	}
	read, err := episode.ClosingOf(t.Context(), c, key())
	if err != nil {
		t.Fatal(err)
	}
	at, known := teller.Recall(key())
	if got, want := fmt.Sprintf("%+v", at), fmt.Sprintf("%+v", read); !known || got != want {
		t.Errorf("recalled %v %s, read %s", known, got, want)
	}
	if _, known := teller.Recall(key()); known {
		t.Error("recalled twice")
	}
}

func TestRecall_OfAllElse_IsNothing(t *testing.T) {
	t.Parallel()
	c := pipelinetest.Client(t)
	teller := facts.New(c, facts.Rules{}).Remembering()
	if _, err := teller.Tell(t.Context(), approval(3)); err != nil {
		t.Fatal(err)
	}
	if at, known := teller.Recall(key()); known {
		t.Errorf("recalled %+v of an episode that is closed", at)
	}
	forgetful, other := facts.New(c, facts.Rules{}), pipelinetest.Key(fulfillment.Purchase, "PR-2")
	if _, err := forgetful.Tell(t.Context(), facts.Story{Key: other, Episode: 5}); err != nil {
		t.Fatal(err)
	}
	if _, known := forgetful.Recall(other); known {
		t.Error("recalled without remembering")
	}
}
