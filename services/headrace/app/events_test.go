package app_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/headrace/headrace/pkg/connectsim"
	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/simfault"
	"github.com/headrace/headrace/pkg/vendorsim"
)

// Planted in the orders: secrets, which never leave, and people, who do so only
// where the setting lets them.
var (
	plantedSecrets = []string{"hunter2-Zq", "sk_live_Zq9", "ZqKey0123456789abcdef0123456789abcdef"}
	plantedPeople  = []string{"Zebulonia", "zeb.q@planted.example", "Zq Holdings", "Zqville", "5550199"}
)

// plant adds orders that end in every way, with all that is planted in each.
func (w *world) plant() (approved, rejected, held string) {
	w.connect.AddProduct(product(activations(), tenantParam(),
		connectsim.Param{ID: "admin_password", Type: "password", Phase: "ordering"},
		connectsim.Param{ID: "webhook", Phase: "ordering"}, connectsim.Param{ID: "api_key", Phase: "ordering"},
		connectsim.Param{ID: "contact", Type: "phone", Phase: "ordering"}, connectsim.Param{ID: "note", Phase: "ordering"},
		connectsim.Param{ID: "plan", Type: "choice", Phase: "ordering"}))
	says := strings.Join(append(slices.Clone(plantedSecrets), plantedPeople...), " and ") + " are not allowed"
	order := func(note string) string {
		return w.connect.AddRequest(connectsim.NewRequest{
			ProductID: "PRD-1", Lines: []connectsim.Line{{Item: "MW-SEAT", Quantity: "5"}},
			Params: map[string]string{
				"admin_password": plantedSecrets[0], "webhook": plantedSecrets[1], "api_key": plantedSecrets[2],
				"contact": plantedPeople[4], "plan": "gold", "note": note,
			},
			Customer: connectsim.Account{
				ExternalID: "77", Name: plantedPeople[2], FirstName: plantedPeople[0], Email: plantedPeople[1], City: plantedPeople[3],
			},
		})
	}
	approved, rejected = order(""), order("reject: "+says)
	held = order("status: confused by " + says)
	return approved, rejected, held
}

// raw is every byte of every event: headers, then bodies.
func (f *flow) raw() (all []string) {
	f.t.Helper()
	for m, err := range f.client.Read(f.t.Context(), fulfillment.StreamEvents, "", 1) {
		if err != nil {
			f.t.Fatal(err)
		}
		text := m.Subject + "\n"
		for _, name := range slices.Sorted(maps.Keys(m.Header)) {
			text += name + ": " + m.Header[name] + "\n"
		}
		all = append(all, text+string(m.Body))
	}
	return all
}

func TestEvents_SecretsAndPeoplePlanted_LeaveOnlyAsTheSettingSays(t *testing.T) {
	t.Parallel()
	for _, personal := range []bool{false, true} {
		t.Run(fmt.Sprintf("personal data %v", personal), func(t *testing.T) {
			t.Parallel()
			f := &flow{world: newWorld(t, connectsim.Options{}, vendorsim.Options{})} // the demo's orders, and more
			f.cfg.EventsPersonalData = personal
			approved, rejected, held := f.plant()
			words, err := json.Marshal(map[string]string{"error": "no, " + strings.Join(append(plantedSecrets[:3:3], plantedPeople...), "; ")})
			if err != nil {
				t.Fatal(err)
			}
			f.run()
			f.reaches(approved, "approved")
			f.reaches(rejected, "failed")
			f.held(held)
			f.until("all but what is held is finished", func() bool {
				for id, status := range f.connect.Statuses() {
					if id != held && status == "pending" {
						return false
					}
				}
				return true
			})
			// The vendor quotes what it was sent, and more.
			if err := f.vendor.Faults().Set([]simfault.Fault{{Method: http.MethodPut, Status: http.StatusUnprocessableEntity, Body: words}}); err != nil {
				t.Fatal(err)
			}
			first, _ := f.connect.Request(approved)
			changed := f.connect.AddRequest(connectsim.NewRequest{Type: "change", AssetID: first.AssetID})
			f.reaches(changed, "failed")
			f.events(changed, fulfillment.EventFailed)
			all := f.raw()
			text := strings.Join(all, "\n")
			if len(all) < 400 {
				t.Errorf("only %d events", len(all))
			}
			for _, secret := range plantedSecrets {
				if strings.Contains(text, secret) {
					t.Errorf("%s is in an event: %s", secret, with(all, secret))
				}
			}
			for _, who := range plantedPeople {
				if strings.Contains(strings.ToLower(text), strings.ToLower(who)) != personal {
					t.Errorf("%s: personal data is let out %v; %s", who, personal, with(all, who))
				}
			}
		})
	}
}

// with is the first text that holds the word.
func with(all []string, word string) string {
	for _, text := range all {
		if strings.Contains(strings.ToLower(text), strings.ToLower(word)) {
			return text
		}
	}
	return ""
}

// state is what one knows of a subscription.
type state struct {
	Product, Status, Tenant string
	Items                   map[string]string // how much of what
	Params                  map[string]string // those that the events let out
}

// rebuilt are the subscriptions as the events alone tell of them, in order.
func (f *flow) rebuilt() map[string]state {
	f.t.Helper()
	becomes := map[fulfillment.Event]string{
		fulfillment.EventActivated: "active", fulfillment.EventResumed: "active",
		fulfillment.EventSuspended: "suspended", fulfillment.EventTerminated: "terminated",
	}
	all := map[string]state{}
	for m, err := range f.client.Read(f.t.Context(), fulfillment.StreamEvents, "", 1) {
		if err != nil {
			f.t.Fatal(err)
		}
		var e fulfillment.EventBody
		if err := json.Unmarshal(m.Body, &e); err != nil {
			f.t.Fatal(err)
		}
		if e.Subscription == nil || e.Event != fulfillment.SubscriptionEvent(e.Type) {
			continue
		}
		s := state{Product: e.ProductID, Status: all[e.AssetID].Status, Tenant: e.Subscription.Tenant, Items: map[string]string{}, Params: map[string]string{}}
		if s.Status == "" {
			s.Status = "active" // what is changed, and whose purchase came before our time
		}
		if to := becomes[e.Event]; to != "" {
			s.Status = to
		}
		if s.Status != e.Subscription.Status {
			f.t.Errorf("%s: %s, and it says %s", e.AssetID, e.Event, e.Subscription.Status)
		}
		for _, i := range e.Subscription.Items {
			s.Items[i.MPN] = string(i.Quantity)
		}
		for _, p := range e.Subscription.Parameters {
			s.Params[p.ID] = p.Value
		}
		all[e.AssetID] = s
	}
	return all
}

// has is a subscription as Connect has it, less what the events leave out.
func has(t *testing.T, a connectsim.Asset, let map[string]string) state {
	t.Helper()
	var body struct {
		Items []struct {
			MPN      string
			Quantity any
		}
	}
	if err := json.Unmarshal(a.JSON, &body); err != nil {
		t.Fatal(err)
	}
	s := state{Product: a.ProductID, Status: a.Status, Tenant: a.Params["subscription_id"], Items: map[string]string{}, Params: map[string]string{}}
	for _, i := range body.Items {
		s.Items[i.MPN] = fmt.Sprint(i.Quantity)
		if s.Items[i.MPN] == "-1" { // as Connect writes it, too
			s.Items[i.MPN] = string(fulfillment.Unlimited)
		}
	}
	for id := range let {
		s.Params[id] = a.Params[id]
	}
	return s
}

func TestEvents_Alone_AreEnoughToRebuildTheSubscriptions(t *testing.T) {
	t.Parallel()
	for _, personal := range []bool{false, true} {
		f := &flow{world: newWorld(t, connectsim.Options{}, vendorsim.Options{})}
		f.cfg.EventsPersonalData = personal
		bought, _, _ := f.plant()
		f.run()
		f.reaches(bought, "approved")
		first, _ := f.connect.Request(bought)
		for _, n := range []connectsim.NewRequest{
			{Type: "change", AssetID: first.AssetID, Lines: []connectsim.Line{{Item: "MW-SEAT", Quantity: "9", Old: "5"}}},
			{Type: "suspend", AssetID: first.AssetID}, {Type: "resume", AssetID: first.AssetID},
		} {
			f.reaches(f.connect.AddRequest(n), "approved")
		}
		f.until("the start set is finished", func() bool {
			n := 0
			for _, status := range f.connect.Statuses() {
				if status == "pending" {
					n++
				}
			}
			return n == 1 // which is held
		})
		f.until("all is told", func() bool {
			return f.subjects(f.client, fulfillment.StreamEvents, fulfillment.RootEvents+".*.approved.>") >= 109
		})
		rebuilt := f.rebuilt()
		compared := 0
		for _, a := range f.connect.Assets() {
			s, told := rebuilt[a.ID]
			if !told {
				if a.Status == "active" && a.Params["subscription_id"] != "" && f.touched(a.ID) {
					t.Errorf("nothing was told of %s", a.ID)
				}
				continue
			}
			compared++
			if diff := cmp.Diff(has(t, a, s.Params), s); diff != "" {
				t.Errorf("%s: %s", a.ID, diff)
			}
		}
		if compared != len(rebuilt) || compared < 60 {
			t.Errorf("%d of %d subscriptions compared", compared, len(rebuilt))
		}
		if s := rebuilt[first.AssetID]; s.Items["MW-SEAT"] != "9" || s.Status != "active" || s.Params["plan"] != "gold" || s.Params["admin_password"] != "" {
			t.Errorf("%+v", s)
		}
	}
}

// touched reports whether a request of the asset was approved.
func (f *flow) touched(asset string) bool {
	return slices.ContainsFunc(f.connect.Requests(), func(r connectsim.Request) bool { return r.AssetID == asset && r.Status == "approved" })
}
