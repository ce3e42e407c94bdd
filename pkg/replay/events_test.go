package replay_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/pipelinetest"
	"github.com/headrace/headrace/pkg/replay"
	"github.com/headrace/headrace/pkg/stream"
)

func TestEvents_Run_CopiesReachOthersAndTheStreamGetsNothingNew(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.apply(stream.Topology{Streams: []stream.Stream{{Name: "OTHERS", Subjects: []string{"copies.>"}}}})
	for _, key := range []fulfillment.Key{keyOf("purchase", "AS-1", "PR-1"), keyOf("change", "AS-1", "PR-2"), keyOf("purchase", "AS-2", "PR-3")} {
		b.close(key, b.open(key), fulfillment.EventApproved)
	}
	p, err := replay.Events(t.Context(), b.c, replay.Range{Asset: "AS-1"}, "copies.team-a")
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Run(t.Context(), replay.Options{By: "ada"}); err != nil {
		t.Fatal(err)
	}
	type message struct{ Subject, ID, Body, CeID, By string }
	all := func(name, filter string) (found []message) {
		for m, err := range b.c.Read(t.Context(), name, filter, 1) {
			if err != nil {
				t.Fatal(err)
			}
			found = append(found, message{m.Subject, m.ID, string(m.Body), m.Header[fulfillment.HeaderID], m.Header[fulfillment.HeaderOperator]})
		}
		return found
	}
	want := all(fulfillment.StreamEvents, fulfillment.RootEvents+".*.*.*.AS-1.*")
	for i := range want {
		want[i].Subject, want[i].By = "copies.team-a."+want[i].Subject, "ada"
	}
	if diff := cmp.Diff(want, all("OTHERS", "")); diff != "" {
		t.Errorf("copies: -want +got\n%s", diff)
	}
	if n := pipelinetest.Count(t, b.c, fulfillment.StreamEvents, ""); n != 3 || len(want) != 2 {
		t.Errorf("%d events, %d of the asset", n, len(want))
	}
	if p.Steps[0].Done != replay.DoneSent || p.Steps[0].Episode != 1 {
		t.Errorf("%+v", p.Steps[0])
	}
}

func TestEvents_PrefixThatLeadsIntoOurStreams_IsRefused(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, prefix := range []string{"", "fulfillment", "fulfillment.events", "a..b", ".a", "a.", "a.*", "a.>", "a b", "$JS", "$KV.x", "_INBOX.x"} {
		if _, err := replay.Events(t.Context(), b.c, replay.Range{}, prefix); !errors.Is(err, replay.ErrPrefix) {
			t.Errorf("%q: %v", prefix, err)
		}
	}
	for _, prefix := range []string{"replay", "team-a.copies", "fulfillments"} {
		if _, err := replay.Events(t.Context(), b.c, replay.Range{}, prefix); err != nil {
			t.Errorf("%q: %v", prefix, err)
		}
	}
}
