package processor_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/pipelinetest"
	"github.com/headrace/headrace/pkg/stream"
)

// One operator redrives and another discards in the same moment: each append is
// guarded, but not against the other.
func TestHandle_RedrivenAndDiscardedAtOnce_CallsNobody(t *testing.T) {
	t.Parallel()
	b := newBench(t, approve)
	pipelinetest.Open(t, b.client, key(), pipelinetest.Request(t, key(), ""))
	seq := pipelinetest.Append(t, b.client, stream.Message{
		Subject: key().Subject(fulfillment.RootRetries), Body: pipelinetest.Request(t, key(), ""),
		Header: map[string]string{fulfillment.HeaderEpisode: "1", fulfillment.HeaderRedriven: time.Now().UTC().Format(time.RFC3339Nano)},
	})
	body, err := json.Marshal(fulfillment.EventBody{Event: fulfillment.EventDiscarded, Episode: 1})
	if err != nil {
		t.Fatal(err)
	}
	pipelinetest.Append(t, b.client, stream.Message{Subject: key().EventSubject(fulfillment.EventDiscarded), Body: body})
	if err := b.Handle(t.Context(), pipelinetest.Deliver(t, b.client, fulfillment.StreamRequests, seq, 1)); err != nil || b.calls != 0 {
		t.Errorf("err %v, %d decisions, want none", err, b.calls)
	}
}
