package crash

import (
	"fmt"
	"sync"

	"github.com/headrace/headrace/pkg/connectsim"
)

const (
	productID   = "PRD-842-336-559"
	itemMPN     = "MD-USER"
	paramEmail  = "admin_email"
	paramNote   = "order_note"
	paramTenant = "subscription_id"

	// together is how many subscriptions are worked on at once.
	together = 20
)

func product() connectsim.Product {
	return connectsim.Product{
		ID: productID, Name: "Meridian Directory",
		Items: []connectsim.Item{{MPN: itemMPN, Name: "Directory user", Unit: "Users"}},
		Params: []connectsim.Param{
			{ID: paramEmail, Type: "email", Phase: "ordering", Required: true},
			{ID: paramNote, Phase: "ordering"},
			{ID: paramTenant, Phase: "fulfillment", Required: true},
		},
		Templates: []connectsim.Template{
			{Name: "Default Activation Template", Scope: "asset", Type: "fulfillment", Body: "# Welcome"},
			{Name: "Inquire", Scope: "asset", Type: "inquire", Body: "# One more thing"},
		},
	}
}

// steps are what happens to a subscription, one after the other.
func steps() []string { return []string{"purchase", "change", "suspend", "resume", "cancel"} }

// chain is one subscription and its requests, in order.
type chain struct {
	kind     string
	asset    string
	requests []string
	person   bool // somebody failed its purchase by hand in Connect
	over     bool // no further request
}

// The kinds of chains.
const (
	plain      = "plain"
	slow       = "slow"       // the vendor takes its time
	forgetful  = "forgetful"  // the customer is asked, and answers
	byHand     = "by hand"    // a person fails the purchase while it waits
	forPersons = "adjustment" // a request that is held in any case, to have dead letters
)

// load creates what is to be done: never more than a few subscriptions at once.
type load struct {
	w      *world
	mu     sync.Mutex
	chains []*chain
	closed bool // no new chains
}

func newLoad(w *world) *load {
	w.connect.AddProduct(product())
	return &load{w: w}
}

// drive goes on with every chain whose last request is done, and begins new
// ones.
func (l *load) drive() {
	statuses := l.w.connect.Statuses()
	l.mu.Lock()
	defer l.mu.Unlock()
	busy := 0
	for _, c := range l.chains {
		if !c.over {
			l.step(c, statuses)
		}
		if !c.over {
			busy++
		}
	}
	for ; busy < together && !l.closed; busy++ {
		l.begin()
	}
}

// step does for a chain what its customer, or a person, would do now.
func (l *load) step(c *chain, statuses map[string]string) {
	last := c.requests[len(c.requests)-1]
	switch statuses[last] {
	case "approved":
		if len(c.requests) == len(steps()) {
			c.over = true
			return
		}
		l.next(c)
	case "inquiring":
		if err := l.w.connect.Answer(last, map[string]string{paramEmail: "found@example.com"}); err != nil {
			l.w.fault("answer %s: %v", last, err)
		}
	case "pending":
		if c.kind == byHand && len(l.w.tenantsOf(c.asset)) > 0 {
			c.person, c.over = true, true
			_ = l.w.connect.SetStatus(last, "failed") // it may be approved just now
		}
	default:
		c.over = true
	}
}

func (l *load) next(c *chain) {
	n := connectsim.NewRequest{Type: steps()[len(c.requests)], AssetID: c.asset, ProductID: productID}
	if n.Type == "change" {
		n.Lines = []connectsim.Line{{Item: itemMPN, Quantity: "7"}}
	}
	c.requests = append(c.requests, l.w.connect.AddRequest(n))
}

func (l *load) begin() {
	n := len(l.chains)
	c := &chain{kind: map[int]string{1: slow, 4: forPersons, 5: forgetful, 6: slow, 9: byHand, 11: forPersons}[n%12]}
	if c.kind == "" {
		c.kind = plain
	}
	r := connectsim.NewRequest{
		Type: "purchase", ProductID: productID, Lines: []connectsim.Line{{Item: itemMPN, Quantity: "5"}},
		Customer: connectsim.Account{Name: fmt.Sprintf("Customer %d", n), Email: "office@example.com"},
		Params:   map[string]string{paramEmail: fmt.Sprintf("office%d@example.com", n)},
	}
	switch c.kind {
	case slow:
		r.Params[paramNote] = "slow: 1s"
	case byHand:
		r.Params[paramNote] = "slow: 20s"
	case forgetful:
		r.Params[paramEmail] = ""
	case forPersons:
		r.Type, c.over = "adjustment", true
	}
	id := l.w.connect.AddRequest(r)
	made, _ := l.w.connect.Request(id)
	c.asset, c.requests = made.AssetID, []string{id}
	l.chains = append(l.chains, c)
}

// close has no new chains begun.
func (l *load) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
}
