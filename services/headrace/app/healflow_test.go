package app_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/headrace/headrace/pkg/connectsim"
	"github.com/headrace/headrace/pkg/deadletter"
	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/stream"
	"github.com/headrace/headrace/pkg/stream/streamtest"
	"github.com/headrace/headrace/pkg/telemetry"
	"github.com/headrace/headrace/pkg/vendorsim"
	"github.com/headrace/headrace/services/headrace/app"
)

// newHealingFlow is a flow of which the streams are deleted by hand.
func newHealingFlow(t *testing.T) (*flow, *streamtest.Hand) {
	t.Helper()
	f := newFlow(t)
	f.shareBroker()
	f.options = []app.Option{app.Tended(stream.Tending{Every: 100 * time.Millisecond, Grace: 200 * time.Millisecond})}
	return f, streamtest.NewHand(t, string(f.cfg.NATS.URL))
}

// loses deletes a stream and waits until it is there again.
func (f *flow) loses(hand *streamtest.Hand, name string) {
	f.t.Helper()
	hand.DeleteStream(name)
	f.until(name+" is there again", func() bool { return repaired(f.metrics, name, "missing") })
}

// asked counts how often the customer was asked.
func (w *world) asked() int {
	n := 0
	for _, c := range w.connect.Faults().Calls() {
		if c.Method == http.MethodPost && strings.HasSuffix(c.Path, "/inquire/") || strings.HasSuffix(c.Path, "/inquire") {
			n++
		}
	}
	return n
}

// An answered inquiry is a later episode of the same request. It must have a
// higher number than the one that is closed, also where the numbers' stream, or
// the word that it is closed, was lost meanwhile.
func TestHeal_StreamLostWhileACustomerIsAsked_AnswerIsCarriedOut(t *testing.T) {
	t.Parallel()
	for _, name := range []string{fulfillment.StreamRequests, fulfillment.StreamEvents, fulfillment.StreamResults} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, hand := newHealingFlow(t)
			for range 9 { // the number of the episode must not come again by chance
				f.connect.AddRequest(ordered(nil))
			}
			f.run()
			f.until("no request pending", f.settled)
			id := f.connect.AddRequest(ordered(map[string]string{"admin_email": ""}))
			f.reaches(id, "inquiring")
			f.events(id, fulfillment.EventInquiring)
			f.loses(hand, name)
			if err := f.connect.Answer(id, map[string]string{"admin_email": "ada@example.com"}); err != nil {
				t.Fatal(err)
			}
			f.reaches(id, "approved")
			f.effects(id, vendorsim.Create)
			if n := f.asked(); n != 1 {
				t.Errorf("the customer was asked %d times", n)
			}
			opened := 0
			for _, err := range f.client.Read(t.Context(), fulfillment.StreamRequests, fulfillment.RootRequests+".*.*.*."+id, 1) {
				if opened++; err != nil {
					t.Fatal(err)
				}
			}
			if opened > 2 { // one each for the question and the answer
				t.Errorf("%d episodes were opened", opened)
			}
		})
	}
}

func TestHeal_DeadLettersLost_HeldRequestIsHeldAgain(t *testing.T) {
	t.Parallel()
	f, hand := newHealingFlow(t)
	id := f.connect.AddRequest(connectsim.NewRequest{Type: "adjustment"})
	f.run()
	reason := f.held(id)
	f.loses(hand, fulfillment.StreamDead)
	if again := f.held(id); again != reason {
		t.Errorf("held for %q, then for %q", reason, again)
	}
}

func TestHeal_EventsLost_DiscardedRequestStaysWithThePerson(t *testing.T) {
	t.Parallel()
	f, hand := newHealingFlow(t)
	id := f.connect.AddRequest(connectsim.NewRequest{Type: "adjustment"})
	f.run()
	f.held(id)
	letter, err := deadletter.Get(t.Context(), f.client, id)
	if err != nil {
		t.Fatal(err)
	}
	if err := deadletter.Discard(t.Context(), f.client, letter, "done by hand", "ops"); err != nil {
		t.Fatal(err)
	}
	f.events(id, fulfillment.EventDiscarded)
	f.loses(hand, fulfillment.StreamEvents)
	f.events(id, fulfillment.EventDiscarded)
	if letters, err := deadletter.List(t.Context(), f.client, deadletter.Filter{}); err != nil || len(letters) > 0 {
		t.Errorf("dead letters: %v, %v", letters, err)
	}
	if status := f.connect.Statuses()[id]; status != "pending" {
		t.Errorf("%s is %s", id, status)
	}
}

func TestHeal_MessagesDeletedByHand_AreBroughtAgain(t *testing.T) {
	t.Parallel()
	for name, remove := range map[string]func(*streamtest.Hand){
		"requests purged": func(h *streamtest.Hand) { h.Purge(fulfillment.StreamRequests) },
		"results purged":  func(h *streamtest.Hand) { h.Purge(fulfillment.StreamResults) },
		"events purged":   func(h *streamtest.Hand) { h.Purge(fulfillment.StreamEvents) },
		"a head deleted":  func(h *streamtest.Hand) { h.DeleteMessage(fulfillment.StreamRequests, 3) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, hand := healing(t)
			w.start()
			w.until("some work is done", func() bool { return len(w.vendor.Operations()) > 30 })
			remove(hand)
			w.until("no request pending", w.settled)
			w.changeEach()
			w.until("no request pending", w.settled)
			w.allApproved()
		})
	}
}

func TestHeal_ConsumerPaused_IsToldAndLeftAlone(t *testing.T) {
	t.Parallel()
	f, hand := newHealingFlow(t)
	f.run()
	f.until("the process is ready", func() bool { return f.health.Report().Ready })
	hand.Pause(fulfillment.StreamRequests, "purchase", time.Hour)
	f.until("it is told", func() bool {
		p := f.health.Report().Parts[telemetry.HealthStreams]
		return !p.OK && !p.Fatal && strings.Contains(p.Reason, "consumer purchase of FULFILLMENT_REQUESTS is paused until")
	})
	if !f.health.Report().Ready {
		t.Error("a pause makes the process unready")
	}
}

func TestHeal_ConsumerChanged_IsChangedBack(t *testing.T) {
	t.Parallel()
	f, hand := newHealingFlow(t)
	f.run()
	hand.NarrowConsumer(fulfillment.StreamRequests, "purchase")
	f.until("it is changed back", func() bool { return repaired(f.metrics, "purchase", "differs") })
	f.reaches(f.connect.AddRequest(ordered(nil)), "approved")
}

func TestHeal_StreamMadeOtherwise_IsToldAndRefusedAtStart(t *testing.T) {
	t.Parallel()
	f, hand := newHealingFlow(t)
	f.options = []app.Option{app.Tended(stream.Tending{Every: 100 * time.Millisecond, Grace: time.Minute})}
	stop := f.start()
	hand.DeleteStream(fulfillment.StreamRequests)
	f.until("it is told that it is gone", func() bool {
		p := f.health.Report().Parts[telemetry.HealthStreams]
		return p.Fatal && strings.Contains(p.Reason, "stream FULFILLMENT_REQUESTS is not there")
	})
	hand.MakeMemoryStream(fulfillment.StreamRequests, "fulfillment.requests.>")
	f.until("it is told", func() bool {
		p := f.health.Report().Parts[telemetry.HealthStreams]
		return p.Fatal && strings.Contains(p.Reason, "storage is Memory, declared File; delete it")
	})
	stop()
	err := app.New(f.cfg, logger(), telemetry.New(), telemetry.NewHealth()).Run(t.Context(), nil)
	if !errors.Is(err, stream.ErrUnchangeable) {
		t.Errorf("started: %v", err)
	}
}
