package events_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/headrace/headrace/pkg/events"
	"github.com/headrace/headrace/pkg/fulfillment"
)

var errBusy = errors.New("busy")

func TestHandlers_Handle_CallsTheFunctionOfTheEvent(t *testing.T) {
	t.Parallel()
	var got string
	h := events.Handlers{
		fulfillment.EventApproved: func(_ context.Context, e *events.Event) error { got = e.ID; return nil },
		fulfillment.EventFailed:   func(context.Context, *events.Event) error { return errBusy },
	}
	failed := strings.Replace(approved, `"event":"approved"`, `"event":"failed"`, 1)
	left := strings.Replace(approved, `"event":"approved"`, `"event":"left"`, 1)
	for name, tc := range map[string]struct {
		kind, body string
		want       error
	}{
		"handled":          {"fulfillment.purchase.approved.v1", approved, nil},
		"refused":          {"fulfillment.purchase.failed.v1", failed, errBusy},
		"not wanted":       {"fulfillment.purchase.left.v1", left, nil},
		"a later version":  {"fulfillment.purchase.approved.v2", `{}`, nil},
		"nothing to go on": {"fulfillment.purchase.approved.v1", `{}`, events.ErrInvalid},
	} {
		if err := h.Handle(t.Context(), headerOf("PR-1/7/x", tc.kind), []byte(tc.body)); !errors.Is(err, tc.want) {
			t.Errorf("%s: %v, want %v", name, err, tc.want)
		}
	}
	if got != "PR-1/7/x" {
		t.Errorf("called for %q", got)
	}
}

func TestHandlers_Validate_TellsUnknownNames(t *testing.T) {
	t.Parallel()
	do := func(context.Context, *events.Event) error { return nil }
	all := events.Handlers{}
	for _, f := range fulfillment.Facts() {
		all[f.Event] = do
	}
	if err := all.Validate(); err != nil {
		t.Error(err)
	}
	err := events.Handlers{"aproved": do, fulfillment.EventLeft: nil}.Validate()
	if err == nil || !strings.Contains(err.Error(), `"aproved"`) || !strings.Contains(err.Error(), "nil") {
		t.Errorf("got %v", err)
	}
}

func TestOnce_Repeats_ArePassedOver(t *testing.T) {
	t.Parallel()
	calls, fail := 0, error(nil)
	do := events.Once(2, func(context.Context, *events.Event) error { calls++; return fail })
	say := func(id string, want int, wantErr error) {
		t.Helper()
		if err := do(t.Context(), &events.Event{ID: id}); !errors.Is(err, wantErr) || calls != want {
			t.Errorf("%s: %d calls, want %d; %v", id, calls, want, err)
		}
	}
	fail = errBusy
	say("a", 1, errBusy)
	fail = nil
	say("a", 2, nil) // it failed, and is done now
	say("a", 2, nil)
	say("b", 3, nil)
	say("a", 3, nil)
	say("c", 4, nil) // a is forgotten
	say("b", 4, nil)
	say("a", 5, nil)
}

func TestOnce_InHand_IsRefused(t *testing.T) {
	t.Parallel()
	var do events.Handler
	calls := 0
	do = events.Once(10, func(ctx context.Context, e *events.Event) error {
		calls++
		if err := do(ctx, e); !errors.Is(err, events.ErrInHand) {
			t.Errorf("a repeat while it is in hand: %v", err)
		}
		return nil
	})
	if err := do(t.Context(), &events.Event{ID: "a"}); err != nil || calls != 1 {
		t.Errorf("%v after %d calls", err, calls)
	}
}

func ExampleHandlers() {
	book := func(_ context.Context, e *events.Event) error {
		fmt.Printf("book %s (%s)\n", e.AssetID, e.ID)
		return nil
	}
	handlers := events.Handlers{fulfillment.EventApproved: events.Once(1000, book)}

	// A message as any client has it: nats.Header and message.Metadata have Get.
	h := headerOf("PR-1/7/approved", "fulfillment.purchase.approved.v1")
	for range 2 { // delivered twice
		if err := handlers.Handle(context.Background(), h, []byte(approved)); err != nil {
			fmt.Println("deliver it again:", err)
		}
	}
	// Output: book AS-1 (PR-1/7/approved)
}

func ExampleDecode() {
	h := headerOf("PR-1/7/approved", "fulfillment.purchase.approved.v1")
	e, err := events.Decode(h, []byte(approved))
	if err != nil {
		fmt.Println(err) // events.ErrVersion: pass over it
		return
	}
	switch e.Event {
	case fulfillment.EventApproved:
		fmt.Printf("%s of %s at %s\n", e.Type, e.AssetID, e.Time.Format("15:04"))
	case fulfillment.EventFailed:
		fmt.Println("refused:", e.Reason)
	default: // what is not wanted, and what later releases add
	}
	// Output: purchase of AS-1 at 09:00
}
