package episode_test

import (
	"encoding/json"
	"errors"
	"strconv"
	"testing"

	"github.com/headrace/headrace/pkg/episode"
	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/pipelinetest"
	"github.com/headrace/headrace/pkg/stream"
)

func key() fulfillment.Key { return pipelinetest.Key(fulfillment.Purchase, "PR-1") }

func encode(t *testing.T, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestHeadOf_LastOfAnyTypeAndRoot(t *testing.T) {
	t.Parallel()
	c := pipelinetest.Client(t)
	if head, err := episode.HeadOf(t.Context(), c, "AS-1"); err != nil || head.Sequence != 0 {
		t.Fatalf("head of an empty stream: %+v, %v", head, err)
	}
	opened := pipelinetest.Open(t, c, key(), nil).Sequence
	other := pipelinetest.Key(fulfillment.Cancel, "PR-2")
	other.Asset = "AS-2"
	pipelinetest.Open(t, c, other, nil)
	retried := pipelinetest.Append(t, c, stream.Message{
		Subject: key().Subject(fulfillment.RootRetries),
		Header:  map[string]string{fulfillment.HeaderEpisode: strconv.FormatUint(opened, 10), fulfillment.HeaderAttempt: "3"},
	})
	head, err := episode.HeadOf(t.Context(), c, "AS-1")
	if err != nil || head.Sequence != retried || head.Episode != opened || head.Attempt != 3 || head.Key != key() || head.Root != fulfillment.RootRetries {
		t.Errorf("head is %+v, %v", head, err)
	}
}

func TestExpect_HeadHasMoved_IsRefused(t *testing.T) {
	t.Parallel()
	c := pipelinetest.Client(t)
	pipelinetest.Open(t, c, key(), nil)
	later := pipelinetest.Key(fulfillment.Change, "PR-2") // another type: the head is the asset's
	_, err := c.Append(t.Context(), stream.Message{Subject: later.Subject(fulfillment.RootRequests), ID: "x"}, episode.Expect("AS-1", 0))
	if !errors.Is(err, stream.ErrConflict) {
		t.Errorf("err %v, want a conflict", err)
	}
}

func TestClosingOf_OnlyAClosingEventCloses(t *testing.T) {
	t.Parallel()
	c := pipelinetest.Client(t)
	put := func(e fulfillment.Event, episode uint64) uint64 {
		return pipelinetest.Append(t, c, stream.Message{
			Subject: key().EventSubject(e), Body: encode(t, fulfillment.EventBody{Event: e, Episode: episode}),
		})
	}
	closing, err := episode.ClosingOf(t.Context(), c, key())
	if err != nil || closing.Covers(0) || closing.Covers(1) {
		t.Fatalf("without events: %+v, %v", closing, err)
	}
	put(fulfillment.EventInquiring, 3)
	closing, err = episode.ClosingOf(t.Context(), c, key())
	if err != nil || !closing.Covers(3) || closing.Covers(4) || closing.Event != fulfillment.EventInquiring {
		t.Errorf("after inquiring in 3: %+v, %v", closing, err)
	}
	last := put("noticed", 5)
	closing, err = episode.ClosingOf(t.Context(), c, key())
	if err != nil || closing.Covers(5) || closing.Last != last {
		t.Errorf("after an event that closes nothing: %+v, %v", closing, err)
	}
}

func TestStateOf_FollowsTheRequest(t *testing.T) {
	t.Parallel()
	c := pipelinetest.Client(t)
	opened := pipelinetest.Open(t, c, key(), nil).Sequence
	header := map[string]string{fulfillment.HeaderEpisode: strconv.FormatUint(opened, 10)}
	want := func(state fulfillment.State) {
		t.Helper()
		head, err := episode.HeadOf(t.Context(), c, "AS-1")
		if err != nil {
			t.Fatal(err)
		}
		if got, err := episode.StateOf(t.Context(), c, head); err != nil || got != state {
			t.Errorf("state is %s, %v; want %s", got, err, state)
		}
	}
	letter := func(stage fulfillment.Stage, seq uint64) {
		pipelinetest.Append(t, c, stream.Message{Subject: key().DeadSubject(stage), Body: encode(t, fulfillment.Letter{
			Stage: stage, Episode: opened, Stream: fulfillment.StreamRequests, Sequence: seq,
		})})
	}
	result := func(d fulfillment.Decision) {
		pipelinetest.Append(t, c, stream.Message{
			Subject: key().Subject(fulfillment.RootResults), Body: encode(t, fulfillment.Result{Decision: d, Episode: opened}),
		})
	}
	want(fulfillment.StateQueued)
	letter(fulfillment.StageHold, opened)
	want(fulfillment.StateHeld)
	letter(fulfillment.StageDecode, opened)
	want(fulfillment.StateDead)
	pipelinetest.Append(t, c, stream.Message{Subject: key().Subject(fulfillment.RootRetries), Header: header})
	want(fulfillment.StateDeciding) // sent again since: the letter is history
	result(fulfillment.Wait)
	pipelinetest.Append(t, c, stream.Message{Subject: key().Subject(fulfillment.RootSchedules), Header: header})
	want(fulfillment.StateWaiting)
	result(fulfillment.Approve)
	want(fulfillment.StateCommitting)
	pipelinetest.Append(t, c, stream.Message{
		Subject: key().EventSubject(fulfillment.EventApproved), Body: encode(t, fulfillment.EventBody{Event: fulfillment.EventApproved, Episode: opened}),
	})
	want(fulfillment.StateApproved)
}
