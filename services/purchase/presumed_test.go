package purchase_test

import (
	"testing"

	"github.com/headrace/headrace/pkg/episode"
	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/pipelinetest"
	"github.com/headrace/headrace/pkg/processor"
)

// put stores a result of the request, as somebody else does.
func (b *bench) put(t *testing.T, number uint64, decision fulfillment.Decision) {
	t.Helper()
	_, err := episode.PutResult(t.Context(), b.client, fulfillment.Result{
		RequestID: key().Request, AssetID: key().Asset, ProductID: key().Product, Type: key().Type,
		Episode: number, Attempt: 1, Decision: decision, Reason: "as the test has it", Time: b.clock.now(),
	}, string(decision), 0)
	if err != nil {
		t.Fatal(err)
	}
}

func TestPurchase_DeliveredFirst_ReadsNothing(t *testing.T) {
	t.Parallel()
	v := &vendor{create: ready}
	b := newBench(t, v, true, "")
	if err := b.handle(t); err != nil || v.creates != 1 {
		t.Fatalf("err %v, %d creations, want one", err, v.creates)
	}
	b.approved(t, "T-1")
	if b.log.reads != 0 {
		t.Errorf("%d reads of what the first append proves", b.log.reads)
	}
	if err := b.handle(t); err != nil || v.creates != 1 || b.log.reads == 0 {
		t.Errorf("delivered again: err %v, %d creations, %d reads", err, v.creates, b.log.reads)
	}
}

// Replicas guard appends under way by the text of what they expect.
func TestPurchase_BrokerWithReplicas_ReadsFirst(t *testing.T) {
	t.Parallel()
	v := &vendor{create: ready}
	b := newBench(t, v, true, "")
	b.config.Alone = false
	b.Processor = processor.New(b.config)
	if err := b.handle(t); err != nil || v.creates != 1 || b.log.reads == 0 {
		t.Errorf("err %v, %d creations, %d reads", err, v.creates, b.log.reads)
	}
}

// Somebody finished the request in Connect, and the asset has moved on, before
// its message came.
func TestPurchase_ClosedBeforeItsFirstDelivery_IsDropped(t *testing.T) {
	t.Parallel()
	for name, validate := range map[string]func(*processor.Work) (processor.Verdict, bool){
		"to be called":   nil,
		"to be held":     func(*processor.Work) (processor.Verdict, bool) { return processor.Hold("why"), true },
		"to be failed":   func(*processor.Work) (processor.Verdict, bool) { return processor.Fail("why"), true },
		"to be awaited":  func(*processor.Work) (processor.Verdict, bool) { return processor.Wait("why"), true },
		"to be inquired": func(*processor.Work) (processor.Verdict, bool) { return processor.Inquire("why"), true },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := &vendor{create: ready}
			b := newBench(t, v, true, "", func(p *processor.Profile) { p.Validate = validate })
			b.put(t, b.d.Sequence, fulfillment.Recheck)
			later := pipelinetest.Key(fulfillment.Cancel, "PR-2")
			head := pipelinetest.Open(t, b.client, later, pipelinetest.Request(t, later, ""))
			if err := b.handle(t); err != nil || v.creates != 0 {
				t.Errorf("err %v, %d creations, want none", err, v.creates)
			}
			if n := pipelinetest.Count(t, b.client, fulfillment.StreamResults, ""); n != 1 {
				t.Errorf("%d results and intents, want the one that was there", n)
			}
			if n := pipelinetest.Count(t, b.client, fulfillment.StreamDead, ""); n != 0 {
				t.Errorf("%d dead letters", n)
			}
			last := pipelinetest.Last(t, b.client, fulfillment.StreamRequests, fulfillment.HeadFilter(key().Asset))
			if last.Sequence != head.Sequence {
				t.Errorf("the head is %s, want the later request", last.Subject)
			}
		})
	}
}

// A second episode of the request has a result before it, and is carried out at once
// all the same.
func TestPurchase_OfALaterEpisode_IsCarriedOut(t *testing.T) {
	t.Parallel()
	v := &vendor{create: ready}
	b := newBench(t, v, true, "")
	b.put(t, b.d.Sequence, fulfillment.Inquire)
	b.d = pipelinetest.Open(t, b.client, key(), pipelinetest.Request(t, key(), ""))
	if err := b.handle(t); err != nil || v.creates != 1 {
		t.Fatalf("err %v, %d creations, want one", err, v.creates)
	}
	b.approved(t, "T-1")
}
