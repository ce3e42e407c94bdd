package app_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/headrace/headrace/pkg/connectsim"
	"github.com/headrace/headrace/pkg/deadletter"
	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/ledger"
	"github.com/headrace/headrace/pkg/replay"
	"github.com/headrace/headrace/pkg/simfault"
	"github.com/headrace/headrace/pkg/stream"
	"github.com/headrace/headrace/pkg/vendorsim"
)

// lossy is a world whose vendor is about to lose its tenants, after it has
// carried out a chain of requests for each of some assets.
type lossy struct {
	*flow
	assets map[string]string // id by the chain
}

// numbered has ids that are not used twice, whatever the vendor forgets.
func numbered() vendorsim.Options {
	var n atomic.Int64
	return vendorsim.Options{NewID: func() string { return fmt.Sprintf("T-%d", n.Add(1)) }}
}

func newLossy(t *testing.T, co connectsim.Options, vo vendorsim.Options, chains ...string) *lossy {
	t.Helper()
	co.Empty = true
	l := &lossy{flow: &flow{world: newWorld(t, co, vo)}, assets: map[string]string{}}
	l.run()
	for _, chain := range chains {
		for i, typ := range strings.Fields(chain) {
			l.order(chain, typ, i)
		}
	}
	return l
}

// order places the i'th request of a chain and waits until it is approved. Every
// change is to a quantity of its own.
func (l *lossy) order(chain, typ string, i int) string {
	l.t.Helper()
	n := connectsim.NewRequest{Type: typ, AssetID: l.assets[chain]}
	switch typ {
	case "purchase":
		n = ordered(nil)
	case "change":
		n.Lines = []connectsim.Line{{Item: "MW-SEAT", Quantity: fmt.Sprint(10 + i)}}
	}
	id := l.connect.AddRequest(n)
	l.assets[chain] = l.reaches(id, "approved").AssetID
	l.until("the event of "+id, func() bool {
		h, err := ledger.Show(l.t.Context(), l.client, id)
		return err == nil && h.State == fulfillment.StateApproved
	})
	return id
}

func (l *lossy) again(round int) *replay.Plan {
	l.t.Helper()
	return l.replays(replay.Again(l.t.Context(), l.client, replay.Range{}, round))
}

// tenant describes the asset's living tenant, "none" if there is none.
func (l *lossy) tenant(chain string) (id, state string) {
	for _, t := range l.vendor.Tenants() {
		if t.ExternalID == l.assets[chain] && t.State != vendorsim.StateDeleted {
			state := t.State
			for _, item := range t.Items {
				state += fmt.Sprintf(" %v", item.Quantity)
			}
			return t.ID, state
		}
	}
	return "", "none"
}

// saved is the tenant id that Connect has for the asset.
func (l *lossy) saved(chain string) string {
	for _, a := range l.connect.Assets() {
		if a.ID == l.assets[chain] {
			return a.Params["subscription_id"]
		}
	}
	return ""
}

// kinds are the operations on the asset's tenants, in their order.
func (l *lossy) kinds(chain string) string {
	var kinds []string
	for _, op := range l.vendor.Operations() {
		if op.ExternalID == l.assets[chain] {
			kinds = append(kinds, op.Kind)
		}
	}
	return strings.Join(kinds, " ")
}

func TestReplayAgain_TheVendorLostItsTenants_TheyAreMadeAnewInOrder(t *testing.T) {
	t.Parallel()
	chains := []string{"purchase change", "purchase change suspend", "purchase suspend resume", "purchase change cancel"}
	l := newLossy(t, connectsim.Options{}, numbered(), chains...)
	l.vendor.Reset()
	stale, err := replay.Again(t.Context(), l.client, replay.Range{}, 0)
	if err != nil {
		t.Fatal(err)
	}
	p := l.again(0)
	l.replays(stale, nil) // finds all done
	for chain, want := range map[string][2]string{
		chains[0]: {"active 11", "create update"}, chains[1]: {"suspended 11", "create update disable"},
		chains[2]: {"active 5", "create disable enable"}, chains[3]: {"none", ""},
	} {
		id, state := l.tenant(chain)
		if diff := cmp.Diff(want, [2]string{state, l.kinds(chain)}); diff != "" {
			t.Errorf("%s: -want +got\n%s", chain, diff)
		}
		if chain != chains[3] && (id == "" || l.saved(chain) != id) {
			t.Errorf("%s: the vendor has %q, Connect %q", chain, id, l.saved(chain))
		}
	}
	for _, op := range l.vendor.Operations() {
		if !strings.HasSuffix(op.IdempotencyKey, "/replay-1") {
			t.Errorf("%s of %s under the key %s", op.Kind, op.TenantID, op.IdempotencyKey)
		}
	}
	if len(l.vendor.Overlaps()) > 0 {
		t.Errorf("overlaps: %v", l.vendor.Overlaps())
	}
	l.once(l.client, fulfillment.StreamEvents, fulfillment.RootEvents+".*.approved.>", 11)
	l.once(l.client, fulfillment.StreamEvents, fulfillment.RootEvents+".*.replayed.>", 8)
	if n := l.adjustments("approved"); n != 3 {
		t.Errorf("%d adjustments approved, not 3", n)
	}
	i := slices.IndexFunc(p.Steps, func(s replay.Step) bool { return s.Type == "cancel" })
	if !strings.Contains(p.Steps[i].Would, "left out") {
		t.Errorf("the cancelled one: %+v", p.Steps[i])
	}
	calls := len(l.vendor.Operations())
	if again := l.again(0); again.ToDo() != 0 || len(l.vendor.Operations()) != calls {
		t.Errorf("a second replay does %d, %d calls", again.ToDo(), len(l.vendor.Operations())-calls)
	}
	l.vendor.Reset()
	if twice := l.again(2); twice.ToDo() != 8 || len(l.vendor.Operations()) != calls {
		t.Errorf("round 2 does %d, %d calls", twice.ToDo(), len(l.vendor.Operations()))
	}
}

// adjustments counts those in a status.
func (w *world) adjustments(status string) int {
	return w.connect.Counts()["adjustment"][status]
}

func TestReplayAgain_ConnectRefusesAdjustments_HeldWithTheNewID(t *testing.T) {
	t.Parallel()
	chain := "purchase change"
	l := newLossy(t, connectsim.Options{RefuseAdjustments: true}, numbered(), chain)
	l.vendor.Reset()
	p := l.again(0)
	if p.Steps[0].Done != replay.DoneHeld || !strings.Contains(p.Steps[0].Reason, "subscription_id=T-2") || p.Steps[1].Done != replay.DoneLater {
		t.Fatalf("%+v", p.Steps)
	}
	// An operator saves it by hand and says so: then the rest goes on.
	letter, err := deadletter.Get(t.Context(), l.client, p.Steps[0].RequestID)
	if err != nil {
		t.Fatal(err)
	}
	if got := l.again(0); got.Steps[0].Done != replay.DoneHeld || l.kinds(chain) != "create" {
		t.Errorf("while it is held: %+v, %s", got.Steps, l.kinds(chain))
	}
	if err := deadletter.Discard(t.Context(), l.client, letter, "saved by hand", "ada"); err != nil {
		t.Fatal(err)
	}
	l.again(0)
	if _, state := l.tenant(chain); state != "active 11" || l.kinds(chain) != "create update" {
		t.Errorf("in the end: %s after %s", state, l.kinds(chain))
	}
}

func TestReplayAgain_KilledInTheMiddle_GoesOnWithoutACallTwice(t *testing.T) {
	t.Parallel()
	chains := []string{"purchase change suspend", "purchase change suspend resume"}
	l := newLossy(t, connectsim.Options{}, numbered(), chains...)
	l.vendor.Reset()
	for kill := 1; ; kill++ {
		p, err := replay.Again(t.Context(), l.client, replay.Range{}, 0)
		if err != nil {
			t.Fatal(err)
		}
		if p.ToDo() == 0 {
			break
		}
		if kill > 50 {
			t.Fatal("it never ends")
		}
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		_ = p.Run(ctx, replay.Options{By: "ada", Rate: 1000})
		cancel()
	}
	seen := map[string]bool{}
	for _, op := range l.vendor.Operations() {
		if seen[op.IdempotencyKey] {
			t.Errorf("%s twice", op.IdempotencyKey)
		}
		seen[op.IdempotencyKey] = true
	}
	if len(seen) != 7 || l.kinds(chains[0]) != "create update disable" || l.kinds(chains[1]) != "create update disable enable" {
		t.Errorf("%d calls: %s, %s", len(seen), l.kinds(chains[0]), l.kinds(chains[1]))
	}
	l.once(l.client, fulfillment.StreamEvents, fulfillment.RootEvents+".*.replayed.>", 7)
}

func TestReplayAgain_BesideLiveTraffic_NoOverlapAndTheLastOrderWins(t *testing.T) {
	t.Parallel()
	vendor := numbered()
	vendor.Work = 3 * time.Millisecond
	var chains []string
	for i := range 6 {
		chains = append(chains, strings.Repeat("purchase change change ", 1)+strings.Repeat("change ", i))
	}
	l := newLossy(t, connectsim.Options{}, vendor, chains...)
	l.vendor.Reset()
	before := l.floors()
	p, err := replay.Again(t.Context(), l.client, replay.Range{}, 0)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- p.Run(t.Context(), replay.Options{By: "ada", Rate: 60}) }()
	live := map[string]string{}
	for i, chain := range chains { // spread over the time that the replay takes
		l.until("the replay goes on", func() bool { return len(l.vendor.Operations()) >= i })
		live[chain] = l.connect.AddRequest(connectsim.NewRequest{
			Type: "change", AssetID: l.assets[chain], Lines: []connectsim.Line{{Item: "MW-SEAT", Quantity: "99"}},
		})
		l.connect.AddRequest(ordered(nil))
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	for chain, id := range live {
		l.reaches(id, "approved")
		l.until(chain+" has what was ordered last", func() bool { _, state := l.tenant(chain); return state == "active 99" })
	}
	l.until("nothing is pending", l.settled)
	for _, s := range p.Steps {
		if s.Done != replay.DoneReplayed {
			t.Errorf("%s of %s: %s, %s", s.Type, s.RequestID, s.Done, s.Reason)
		}
	}
	if overlaps := l.vendor.Overlaps(); len(overlaps) > 0 {
		t.Errorf("overlaps: %v", overlaps)
	}
	if after := l.floors(); len(after) != len(before) {
		t.Errorf("durables were %v, and are %v", before, after)
	} else {
		for durable, floor := range before {
			if after[durable] < floor {
				t.Errorf("%s went back from %d to %d", durable, floor, after[durable])
			}
		}
	}
}

// floors are the positions of the live consumers.
func (l *lossy) floors() map[string]uint64 {
	l.t.Helper()
	floors := map[string]uint64{}
	for _, durable := range []string{"purchase", "change", "cancel", "suspend", "resume", stream.DurableCommitter, stream.DurableUnclaimed} {
		state, err := l.client.ConsumerState(l.t.Context(), durable)
		if err != nil {
			l.t.Fatal(err)
		}
		floors[durable] = state.AckFloor
	}
	return floors
}

func TestReplayAgain_ALaterRequestIsHeldForTheLostTenant_ItGoesOnAfterwards(t *testing.T) {
	t.Parallel()
	chain := "purchase change"
	l := newLossy(t, connectsim.Options{}, numbered(), chain)
	l.vendor.Reset()
	id := l.connect.AddRequest(connectsim.NewRequest{
		Type: "change", AssetID: l.assets[chain], Lines: []connectsim.Line{{Item: "MW-SEAT", Quantity: "99"}},
	})
	l.held(id)
	if p := l.again(0); p.Steps[0].Done != replay.DoneReplayed || p.Steps[1].Done != replay.DoneReplayed {
		t.Errorf("%+v", p.Steps)
	}
	l.reaches(id, "approved")
	if _, state := l.tenant(chain); state != "active 99" {
		t.Errorf("the tenant is %s after %s", state, l.kinds(chain))
	}
	letters, err := deadletter.List(t.Context(), l.client, deadletter.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	l.until("no dead letter is left", func() bool {
		letters, err = deadletter.List(t.Context(), l.client, deadletter.Filter{})
		return err == nil && len(letters) == 0
	})
}

func TestReplayAgain_HeldForARefusal_RedrivenItGoesOn(t *testing.T) {
	t.Parallel()
	chain := "purchase change"
	l := newLossy(t, connectsim.Options{}, numbered(), chain)
	l.vendor.Reset()
	if err := l.connect.Faults().Set([]simfault.Fault{{Method: "POST", Path: "**/requests", Status: 403}}); err != nil {
		t.Fatal(err)
	}
	p := l.again(0)
	if p.Steps[0].Done != replay.DoneHeld || l.connect.Statuses()[p.Steps[0].RequestID] != "approved" {
		t.Fatalf("%+v", p.Steps)
	}
	if err := l.connect.Faults().Set(nil); err != nil {
		t.Fatal(err)
	}
	letter, err := deadletter.Get(t.Context(), l.client, p.Steps[0].RequestID)
	if err != nil {
		t.Fatal(err)
	}
	if err := deadletter.Send(t.Context(), l.client, letter, deadletter.Redrive{By: "ada"}); err != nil {
		t.Fatal(err)
	}
	l.again(0)
	id, state := l.tenant(chain)
	if state != "active 11" || l.saved(chain) != id || l.kinds(chain) != "create update" || l.adjustments("approved") != 1 {
		t.Errorf("%s is %s after %s, Connect has %s", id, state, l.kinds(chain), l.saved(chain))
	}
}
