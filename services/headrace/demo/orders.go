package demo

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/headrace/headrace/pkg/connectsim"
)

// outcome is what should become of a request.
type outcome string

const (
	approved   outcome = "approved"
	inquired   outcome = "inquired, answered, approved"
	afterTier  outcome = "approved after its reseller's set-up"
	slowTenant outcome = "approved when its slow tenant is ready"
	rejected   outcome = "failed, as the vendor rejects it"
	lostTenant outcome = "failed, as its tenant fails"
	forPerson  outcome = "left to a person"
)

// outcomes are in the table's order.
func outcomes() []outcome {
	return []outcome{approved, inquired, afterTier, slowTenant, rejected, lostTenant, forPerson}
}

// The types of request in the demo that are spoken of by name.
const (
	purchase   = "purchase"
	adjustment = "adjustment"
	renew      = "renew"
	transfer   = "transfer"
	tierPrefix = "tier-" // of a tier request's type
	tierSetup  = tierPrefix + "setup"
)

// kinds are the types of request in the demo, in the table's order.
func kinds() []string {
	return []string{
		purchase, "change", "cancel", "suspend", "resume", adjustment, renew, transfer,
		tierSetup, tierPrefix + "update", tierPrefix + adjustment,
	}
}

// order is one request, of an asset or of a tier, with what should become of
// it. That is fixed when it is made.
type order struct {
	id, kind, asset string
	made            time.Time
	want            outcome
	// reason is what a failed one fails with.
	reason string
	// answers are what the customer says when asked.
	answers map[string]string
	// after is the tier request that it waits for.
	after string
}

func (o order) tier() bool { return strings.HasPrefix(o.kind, tierPrefix) }

// fewest is how many requests a demo must have to show special ones, too.
const fewest = 20

// has tells whether there are requests of the type.
func (w *world) has(kind string) bool {
	return slices.ContainsFunc(w.orders, func(o order) bool { return o.kind == kind })
}

// load makes n requests: special ones of each kind, and for the rest the five
// types in their ordinary course.
func (w *world) load(n int) {
	each := 0
	if n >= fewest {
		each = max(n/30, 1)
	}
	for range each {
		for _, special := range w.specials() {
			special()
		}
	}
	w.ordinary(n - len(w.orders))
}

// more makes a few further requests, a special one among them.
func (w *world) more() {
	specials := w.specials()
	specials[w.rounds%len(specials)]()
	w.rounds++
	w.ordinary(7)
}

// specials make requests that do not take the ordinary course.
func (w *world) specials() []func() {
	one := func(o connectsim.LoadOptions) func() {
		return func() { w.connect.Load(o); w.note() }
	}
	return []func(){
		w.newReseller, w.forgetfulCustomer, w.forgetfulReseller, w.refusedOrder, w.slowOrder, w.brokenOrder,
		one(connectsim.LoadOptions{Adjustments: 1}), one(connectsim.LoadOptions{Renews: 1}), one(connectsim.LoadOptions{Transfers: 1}),
		one(connectsim.LoadOptions{TierRequests: 3}),
	}
}

// ordinary makes n requests of the five types.
func (w *world) ordinary(n int) {
	each := n / 5
	w.connect.Load(connectsim.LoadOptions{Purchases: n - 4*each, Changes: each, Cancels: each, Suspends: each, Resumes: each})
	w.note()
}

// note takes the requests that the simulator made up into the orders. What
// Headrace has no way to carry out without a profile is left to a person, and
// all else approved.
func (w *world) note() {
	for _, r := range w.connect.Requests() {
		want := approved
		if r.Type == adjustment || r.Type == renew || r.Type == transfer {
			want = forPerson
		}
		w.add(order{id: r.ID, kind: r.Type, asset: r.AssetID, want: want})
	}
	for _, r := range w.connect.TierRequests() {
		w.add(order{id: r.ID, kind: tierPrefix + r.Type, want: approved})
	}
}

// add takes an order, unless it is known.
func (w *world) add(o order) {
	if w.known[o.id] {
		return
	}
	o.made = time.Now()
	w.known[o.id] = true
	w.orders = append(w.orders, o)
}

// buy makes a purchase of the demo's own product, and adds the order.
func (w *world) buy(n connectsim.NewRequest, o order) {
	email := fmt.Sprintf("office%d@example.com", len(w.orders))
	params := map[string]string{paramEmail: email}
	for id, value := range n.Params {
		params[id] = value
	}
	n.ProductID, n.Params = productID, params
	n.Customer = connectsim.Account{Name: fmt.Sprintf("Customer %d", len(w.orders)), Email: email}
	n.Lines = []connectsim.Line{{Item: itemMPN, Quantity: "5"}}
	o.id, o.kind = w.connect.AddRequest(n), purchase
	r, _ := w.connect.Request(o.id)
	o.asset = r.AssetID
	w.add(o)
}

// newReseller makes a purchase that waits until its reseller is set up.
func (w *world) newReseller() {
	a := w.reseller()
	tier := w.connect.AddTierRequest(connectsim.NewTierRequest{
		ProductID: productID, Account: a, Params: map[string]string{paramReseller: a.Email},
	})
	w.add(order{id: tier, kind: tierSetup, want: approved})
	w.buy(connectsim.NewRequest{Status: "tiers_setup", Reseller: a}, order{want: afterTier, after: tier})
}

func (w *world) reseller() connectsim.Account {
	n := len(w.orders)
	return connectsim.Account{
		ID: fmt.Sprintf("TA-9300-0000-%04d", n), Name: fmt.Sprintf("New reseller %d", n), Email: fmt.Sprintf("partner%d@example.com", n),
	}
}

// forgetfulCustomer leaves a required ordering parameter empty.
func (w *world) forgetfulCustomer() {
	w.buy(connectsim.NewRequest{Params: map[string]string{paramEmail: ""}},
		order{want: inquired, answers: map[string]string{paramEmail: "found@example.com"}})
}

// forgetfulReseller does the same at its own set-up.
func (w *world) forgetfulReseller() {
	a := w.reseller()
	tier := w.connect.AddTierRequest(connectsim.NewTierRequest{ProductID: productID, Account: a})
	w.add(order{id: tier, kind: tierSetup, want: inquired, answers: map[string]string{paramReseller: a.Email}})
}

func (w *world) refusedOrder() {
	why := []string{"this region is not served", "the domain belongs to another customer"}[len(w.orders)%2]
	w.buy(connectsim.NewRequest{Params: map[string]string{paramNote: "reject: " + why}}, order{want: rejected, reason: why})
}

func (w *world) slowOrder() {
	slow := []time.Duration{2 * time.Second, 6 * time.Second, 9 * time.Second}[w.slow%3]
	w.slow++
	w.buy(connectsim.NewRequest{Params: map[string]string{paramNote: "slow: " + slow.String()}}, order{want: slowTenant})
}

func (w *world) brokenOrder() {
	w.buy(connectsim.NewRequest{Params: map[string]string{paramNote: "slow: 3s", paramRegion: "status: failed"}},
		order{want: lostTenant, reason: "the vendor reports the tenant as failed"})
}
