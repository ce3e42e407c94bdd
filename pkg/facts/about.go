package facts

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/headrace/headrace/pkg/connect"
	"github.com/headrace/headrace/pkg/fulfillment"
)

// defaultTenant is the parameter that holds the vendor's tenant id, where
// nothing else is said.
const defaultTenant = "subscription_id"

// About is what a story is about: a request of Connect's of either kind, or
// neither where nobody could read it.
type About struct {
	Request *connect.Request
	Tier    *connect.TierRequest
	// Saved are values that are on their way to Connect, or there.
	Saved []fulfillment.Param
	// Hidden are values that Connect does not have. They are not told, and leave
	// in no text.
	Hidden []fulfillment.Param

	raw []byte // as it lies in the stream, if it does
}

// AboutBody reads a request as it lies in the streams. Of what can't be read it
// is about nothing.
func AboutBody(t fulfillment.Type, body []byte) About {
	if t.Tier() {
		r, err := connect.DecodeTierRequest(body)
		if err != nil {
			return About{}
		}
		return About{Tier: r, raw: body}
	}
	r, err := connect.DecodeRequest(body)
	if err != nil {
		return About{}
	}
	return About{Request: r, raw: body}
}

// Unknown reports whether nobody could read what it is about.
func (a About) Unknown() bool { return a.Request == nil && a.Tier == nil }

// params are all its parameters, with what is on its way.
func (a About) params() []connect.Param {
	var list []connect.Param
	switch {
	case a.Request != nil:
		list = slices.Clone(a.Request.Asset.Params)
	case a.Tier != nil && len(a.Tier.Params) > 0:
		list = slices.Clone(a.Tier.Params)
	case a.Tier != nil:
		list = slices.Clone(a.Tier.Configuration.Params)
	}
	for _, s := range a.Saved {
		i := slices.IndexFunc(list, func(p connect.Param) bool { return p.ID == s.ID })
		if i >= 0 && s.Value != nil {
			list[i].Value = *s.Value
		}
	}
	return list
}

// unsaid are the parameters that no block is made of.
func (a About) unsaid() []connect.Param {
	switch {
	case a.Request != nil:
		return a.Request.Asset.Configuration.Params
	case a.Tier != nil && len(a.Tier.Params) > 0:
		return a.Tier.Configuration.Params
	}
	return nil
}

// accounts are the parties of the sale.
func (a About) accounts() []*connect.Account {
	var tiers connect.Tiers
	var all []*connect.Account
	switch {
	case a.Request != nil:
		tiers = a.Request.Asset.Tiers
	case a.Tier != nil:
		tiers = a.Tier.Tiers
		all = append(all, a.Tier.Configuration.Account)
	}
	all = append(all, tiers.Customer, tiers.Tier1, tiers.Tier2)
	return slices.DeleteFunc(all, func(a *connect.Account) bool { return a == nil })
}

// blocks is what an event tells beside the fact itself.
func (v *view) blocks(key fulfillment.Key) fulfillment.EventBody {
	var b fulfillment.EventBody
	switch {
	case v.about.Request != nil:
		b.Subscription = v.subscription(key)
		tiers := v.about.Request.Asset.Tiers
		b.Customer, b.Tier1, b.Tier2 = v.account(tiers.Customer), v.account(tiers.Tier1), v.account(tiers.Tier2)
	case v.about.Tier != nil:
		b.Configuration = v.configuration(key)
		tiers := v.about.Tier.Tiers
		b.Customer, b.Tier1, b.Tier2 = v.account(tiers.Customer), v.account(tiers.Tier1), v.account(tiers.Tier2)
	case strings.HasPrefix(string(key.Type), "tier-"):
		b.Configuration = &fulfillment.Configuration{ID: key.Asset}
	default:
		b.Subscription = &fulfillment.Subscription{ID: key.Asset}
	}
	return b
}

func (v *view) subscription(key fulfillment.Key) *fulfillment.Subscription {
	r := v.about.Request
	asset := &r.Asset
	s := &fulfillment.Subscription{
		ID: key.Asset, ExternalID: v.external(asset.ExternalID), Status: asset.Status,
		Marketplace: named(asset.Marketplace, r.Marketplace), Connection: connection(asset.Connection),
		Contract: referred(asset.Contract, r.Contract), Tenant: v.tenant, Parameters: v.let,
	}
	for _, i := range asset.Items {
		s.Items = append(s.Items, fulfillment.Item{
			ID: i.ID, MPN: i.MPN, Name: i.DisplayName, Quantity: quantity(i.Quantity), OldQuantity: quantity(i.OldQuantity),
		})
	}
	return s
}

func (v *view) configuration(key fulfillment.Key) *fulfillment.Configuration {
	c := &v.about.Tier.Configuration
	return &fulfillment.Configuration{
		ID: key.Asset, Status: c.Status, Account: v.account(c.Account), TierLevel: c.TierLevel,
		Marketplace: named(c.Marketplace), Connection: connection(c.Connection), Contract: referred(c.Contract),
		Parameters: v.let,
	}
}

// external is an id that the seller gave, unless it tells of a person.
func (v *view) external(id string) string {
	if !v.rules.Personal && v.tellsPerson(id) {
		return ""
	}
	return id
}

// account leaves out the person, unless the rules let personal data out.
func (v *view) account(of *connect.Account) *fulfillment.Account {
	if of == nil || of.ID == "" {
		return nil
	}
	out := &fulfillment.Account{ID: of.ID, ExternalID: v.external(of.ExternalID)}
	if !v.rules.Personal {
		return out
	}
	out.Name, out.TaxID = of.Name, of.TaxID
	i := of.ContactInfo
	contact := fulfillment.Contact{FirstName: i.Contact.FirstName, LastName: i.Contact.LastName, Email: i.Contact.Email, Phone: phone(i.Contact.Phone)}
	if contact != (fulfillment.Contact{}) {
		out.Contact = &contact
	}
	address := fulfillment.Address{
		Line1: i.AddressLine1, Line2: i.AddressLine2, City: i.City, State: i.State, PostalCode: i.PostalCode, Country: i.Country,
	}
	if address != (fulfillment.Address{}) {
		out.Address = &address
	}
	return out
}

func phone(p connect.Phone) string {
	parts := slices.DeleteFunc([]string{p.CountryCode, p.AreaCode, p.PhoneNumber, p.Extension}, func(s string) bool { return s == "" })
	return strings.Join(parts, " ")
}

// named is the first of the objects that there is.
func named(refs ...connect.Ref) *fulfillment.Named {
	for _, ref := range refs {
		if ref.ID != "" {
			return &fulfillment.Named{ID: ref.ID, Name: ref.Name}
		}
	}
	return nil
}

func referred(refs ...connect.Ref) *fulfillment.Referred {
	if n := named(refs...); n != nil {
		return &fulfillment.Referred{ID: n.ID}
	}
	return nil
}

func connection(c connect.Connection) *fulfillment.Connection {
	if c.ID == "" {
		return nil
	}
	return &fulfillment.Connection{ID: c.ID, Type: c.Type}
}

func quantity(q connect.Quantity) fulfillment.Quantity {
	if q.Unlimited {
		return fulfillment.Unlimited
	}
	return fulfillment.Quantity(q.String())
}

// valueOf is a parameter's value as text.
func valueOf(p connect.Param) string {
	if p.Value != "" || p.Empty() {
		return p.Value
	}
	var compact json.RawMessage
	if json.Unmarshal(p.StructuredValue, &compact) != nil {
		return ""
	}
	return string(compact)
}
