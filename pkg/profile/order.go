package profile

import (
	"encoding/json"
	"math"
	"strings"
	"time"

	"github.com/headrace/headrace/pkg/connect"
	"github.com/headrace/headrace/pkg/processor"
)

// orderOf is the environment of one request. More are values that are about to
// be saved.
func orderOf(w *processor.Work, more map[string]string) Order {
	o := Order{
		Params: map[string]any{},
		Param: func(id string) string {
			if v, ok := more[id]; ok {
				return v
			}
			return w.Value(id)
		},
	}
	for _, p := range w.Params() {
		o.Params[p.ID] = w.Value(p.ID)
		if p.Value == "" && !p.Empty() {
			o.Params[p.ID] = decodeJSON(p.StructuredValue)
		}
	}
	if w.Profile != nil {
		o.Tenant = w.Tenant()
	}
	if w.Tier != nil {
		o.ofTier(w)
	} else {
		o.ofAsset(w)
	}
	for id, v := range more {
		o.Params[id] = v
	}
	return o
}

func (o *Order) ofAsset(w *processor.Work) {
	r, a := w.Request, &w.Request.Asset
	o.Request = OrderRequest{
		ID: r.ID, Type: string(w.Key.Type), Status: r.Status, Note: r.Note,
		Created: moment(r.Created), EffectiveDate: moment(r.EffectiveDate), PlannedDate: moment(r.PlannedDate),
	}
	o.Asset = OrderAsset{
		ID: a.ID, Status: a.Status, ExternalID: a.ExternalID, ExternalUID: a.ExternalUID, ExternalName: a.ExternalName,
		Product: OrderRef(a.Product), Marketplace: OrderRef(a.Marketplace), Contract: OrderRef(a.Contract),
		Connection: connectionOf(a.Connection),
	}
	o.Items = make([]OrderItem, len(a.Items))
	for n := range a.Items {
		o.Items[n] = itemOf(&a.Items[n])
	}
	o.Item = func(mpn string) OrderItem {
		if i := r.ItemByMPN(mpn); i != nil {
			return itemOf(i)
		}
		return itemOf(&connect.Item{MPN: mpn})
	}
	o.Config = valueIn(a.Configuration.Params)
	o.Customer, o.Tier1, o.Tier2 = accountOf(a.Tiers.Customer), accountOf(a.Tiers.Tier1), accountOf(a.Tiers.Tier2)
	o.Environment = a.Connection.Type
}

func (o *Order) ofTier(w *processor.Work) {
	r, c := w.Tier, &w.Tier.Configuration
	o.Request = OrderRequest{
		ID: r.ID, Type: string(w.Key.Type), Status: r.Status, Note: r.Notes,
		Created: moment(r.Created), EffectiveDate: moment(r.EffectiveDate),
	}
	o.Tier = OrderTier{
		ID: c.ID, Name: c.Name, Status: c.Status, Level: c.TierLevel, Account: accountOf(c.Account),
		Product: OrderRef(c.Product), Marketplace: OrderRef(c.Marketplace), Connection: connectionOf(c.Connection),
	}
	o.Items = []OrderItem{}
	o.Item = func(mpn string) OrderItem { return itemOf(&connect.Item{MPN: mpn}) }
	o.Config = valueIn(c.Configuration.Params)
	o.Tier1, o.Tier2 = accountOf(r.Tiers.Tier1), accountOf(r.Tiers.Tier2)
	o.Environment = c.Connection.Type
}

func connectionOf(c connect.Connection) OrderConnection {
	return OrderConnection{ID: c.ID, Type: c.Type, Provider: OrderRef(c.Provider), Hub: OrderRef(c.Hub)}
}

func accountOf(a *connect.Account) OrderAccount {
	if a == nil {
		return OrderAccount{}
	}
	i, c := a.ContactInfo, a.ContactInfo.Contact
	return OrderAccount{
		ID: a.ID, ExternalID: a.ExternalID, ExternalUID: a.ExternalUID, Name: a.Name, TaxID: a.TaxID,
		Email: c.Email, FirstName: c.FirstName, LastName: c.LastName,
		Phone:        c.Phone.CountryCode + c.Phone.AreaCode + c.Phone.PhoneNumber,
		AddressLine1: i.AddressLine1, AddressLine2: i.AddressLine2, City: i.City, State: i.State,
		PostalCode: i.PostalCode, Country: strings.ToUpper(i.Country),
	}
}

func itemOf(i *connect.Item) OrderItem {
	o := OrderItem{
		ID: i.ID, GlobalID: i.GlobalID, MPN: i.MPN, Name: i.DisplayName, Change: string(i.Change()),
		Quantity: float(i.Quantity), OldQuantity: float(i.OldQuantity), Unlimited: i.Quantity.Unlimited,
		Limit: limitOf(i.Quantity), OldLimit: limitOf(i.OldQuantity),
		Unit: i.Type, Period: i.Period, ItemType: i.ItemType,
	}
	switch {
	case i.Quantity.Unlimited && i.OldQuantity.Unlimited:
	case i.Quantity.Unlimited:
		o.Delta = math.Inf(1)
	case i.OldQuantity.Unlimited:
		o.Delta = math.Inf(-1)
	default:
		o.Delta = i.Quantity.Value.Sub(i.OldQuantity.Value).InexactFloat64()
	}
	return o
}

func valueIn(params []connect.Param) func(string) string {
	return func(id string) string {
		for _, p := range params {
			if p.ID == id {
				return p.Value
			}
		}
		return ""
	}
}

func moment(t connect.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Format(time.RFC3339)
}

func decodeJSON(raw json.RawMessage) any {
	v, err := decodeAnswer(raw)
	if err != nil {
		return nil
	}
	return v
}
