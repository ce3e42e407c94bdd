package compat

import (
	"net/http/httptest"
	"testing"

	"github.com/headrace/headrace/pkg/connectsim"
	"github.com/headrace/headrace/pkg/vendorsim"
)

// upstreams are Connect and the vendor, simulated.
type upstreams struct {
	connect *connectsim.Server
	vendor  *vendorsim.Server
	// The addresses of both.
	connectURL, vendorURL string
}

func newUpstreams(t *testing.T, vo vendorsim.Options) *upstreams {
	t.Helper()
	u := &upstreams{connect: connectsim.New(connectsim.Options{Empty: true}), vendor: vendorsim.New(vo)}
	con, ven := httptest.NewServer(u.connect.Handler()), httptest.NewServer(u.vendor.Handler())
	t.Cleanup(con.Close)
	t.Cleanup(ven.Close)
	u.connectURL, u.vendorURL = con.URL+connectsim.BasePath, ven.URL
	return u
}

// order adds one request, in the status given, and returns its id. The simulator
// gives the same ids to the same orders in the same sequence.
type order struct {
	name  string
	place func(u *upstreams, status string) (id string)
}

// orders bring every kind of message about. The last one is to wait for its
// tenant when the messages are taken.
func orders() []order {
	ask := func(name string, n connectsim.NewRequest) order {
		return order{name, func(u *upstreams, status string) string {
			n.Status = status
			id := u.connect.AddRequest(n)
			if n.Type != "" {
				r, _ := u.connect.Request(id)
				state := vendorsim.StateActive
				if n.Type == "resume" {
					state = vendorsim.StateSuspended
				}
				u.vendor.Add(vendorsim.Tenant{ID: connectsim.TenantOf(r.AssetID), ExternalID: r.AssetID, State: state})
			}
			return id
		}}
	}
	buy := func(email, phone string) connectsim.NewRequest {
		return connectsim.NewRequest{
			Lines:  []connectsim.Line{{Item: "MW-SEAT", Quantity: "5"}},
			Params: map[string]string{"admin_email": email, "company_phone": phone},
		}
	}
	const email = "ada@example.com"
	return []order{
		ask("bought", buy(email, "")),
		ask("changed", connectsim.NewRequest{
			Type: "change", Lines: []connectsim.Line{{Item: "MW-SEAT", Quantity: "9", Old: "5"}}, Params: map[string]string{"admin_email": email},
		}),
		ask("cancelled", connectsim.NewRequest{Type: "cancel"}),
		ask("suspended", connectsim.NewRequest{Type: "suspend"}),
		ask("resumed", connectsim.NewRequest{Type: "resume"}),
		{"reseller", func(u *upstreams, status string) string {
			return u.connect.AddTierRequest(connectsim.NewTierRequest{Status: status, Account: connectsim.Account{ID: "TA-1111-2222-3333", Name: "Reseller"}})
		}},
		ask("asked", buy("", "")),
		ask("answered", buy("", "")),
		ask("rejected", buy(email, "reject: this region is not served")),
		ask("held", connectsim.NewRequest{Type: "adjustment"}),
		ask("redriven", connectsim.NewRequest{Type: "adjustment"}),
		ask("discarded", connectsim.NewRequest{Type: "adjustment"}),
		ask("finished", connectsim.NewRequest{Type: "adjustment"}),
		ask("unknown", connectsim.NewRequest{Type: "teleport"}),
		ask("waiting", buy(email, "")),
	}
}
