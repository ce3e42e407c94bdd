package gen

import (
	"strconv"
	"time"

	"github.com/headrace/headrace/pkg/fulfillment"
)

// example is an event as it could be on the wire.
type example struct {
	name string
	body fulfillment.EventBody
}

func (e example) key() fulfillment.Key {
	return fulfillment.Key{Type: e.body.Type, Product: e.body.ProductID, Asset: e.body.AssetID, Request: e.body.RequestID}
}

// header is what the message has besides its body.
func (e example) header() map[string]string {
	step := string(e.body.Event)
	if stopped(e.body.Event) {
		step += "/" + strconv.FormatUint(e.body.Letter, 10) // an episode may have more than one
	}
	h := fulfillment.Envelope{
		ID:   fulfillment.StepID(e.body.RequestID, e.body.Episode, step),
		Kind: string(e.body.Event), Schema: fulfillment.EventSchema(e.body.Event),
		Key: e.key(), Episode: e.body.Episode, Time: e.body.Time,
	}.Header()
	h[headerWatermill] = h[fulfillment.HeaderID]
	return h
}

// headerWatermill is the message id of watermill-nats' wire format.
const headerWatermill = "_watermill_message_uuid"

// examples show an event for a subscription and, where it is told of those, for a
// tier configuration; one shows what the setting for personal data lets in.
func examples(f fulfillment.Fact) []example {
	asset, tier := fulfillment.Purchase, fulfillment.TierSetup
	switch f.Event {
	case fulfillment.EventReplayed, fulfillment.EventFailed, fulfillment.EventDiscarded:
		asset = fulfillment.Change
	case fulfillment.EventDead:
		asset, tier = fulfillment.Resume, fulfillment.TierUpdate
	default: // a first order shows most
	}
	if f.Types != nil {
		asset, tier = f.Types[0], f.Types[len(f.Types)-1]
	}
	all := []example{{"subscription", subscriptionBody(f.Event, asset)}}
	if f.Of(tier) && tier.Tier() {
		all = append(all, example{"tier", tierBody(f.Event, tier)})
	}
	if f.Event == fulfillment.EventActivated {
		personal := subscriptionBody(f.Event, asset)
		personal.Customer, personal.Tier1, personal.Tier2 = customer(), reseller(), distributor()
		personal.Subscription.Items = append(personal.Subscription.Items, fulfillment.Item{
			ID: "PRD-415-208-731-0004", MPN: "WK-MAIL", Name: "Mail relay", Quantity: fulfillment.Unlimited, OldQuantity: "0",
		})
		personal.Subscription.Parameters = append(personal.Subscription.Parameters, fulfillment.Parameter{ID: "admin_email", Value: "i.lund@nordlys.example"})
		all = append(all, example{"personal", personal})
	}
	return all
}

// subscriptionBody is the event in the life of one subscription.
func subscriptionBody(e fulfillment.Event, t fulfillment.Type) fulfillment.EventBody {
	b := fulfillment.EventBody{
		RequestID: "PR-6180-2247-9035-001", AssetID: "AS-6180-2247-9035", ProductID: "PRD-415-208-731", Type: t,
		Customer: &fulfillment.Account{ID: "TA-2019-5540-8873", ExternalID: "C-20418"},
		Tier1:    &fulfillment.Account{ID: "TA-7741-0062-1893", ExternalID: "R-117"},
		Subscription: &fulfillment.Subscription{
			ID: "AS-6180-2247-9035", ExternalID: "SUB-88120", Status: subscriptionStatus(e, t),
			Marketplace: &fulfillment.Named{ID: "MP-51722", Name: "Nordhafen Marketplace"},
			Connection:  &fulfillment.Connection{ID: "CT-0412-7789", Type: "production"},
			Contract:    &fulfillment.Referred{ID: "CRD-30518-77204-61193"},
			Items: []fulfillment.Item{{
				ID: "PRD-415-208-731-0001", MPN: "WK-SEAT", Name: "Seat", Quantity: "25", OldQuantity: "0",
			}, {
				ID: "PRD-415-208-731-0002", MPN: "WK-TB", Name: "Terabyte", Quantity: "2.75", OldQuantity: "0",
			}},
			Parameters: []fulfillment.Parameter{{ID: "region", Value: "eu-north"}},
		},
	}
	if t != fulfillment.Purchase {
		b.RequestID = "PR-6180-2247-9035-002"
	}
	if known(e) || t != fulfillment.Purchase {
		b.Subscription.Tenant = "wk-40127"
		b.Subscription.Parameters = append(b.Subscription.Parameters, fulfillment.Parameter{ID: "subscription_id", Value: "wk-40127"})
	}
	return told(b, e, 1041)
}

// tierBody is the event in the life of one tier configuration.
func tierBody(e fulfillment.Event, t fulfillment.Type) fulfillment.EventBody {
	status := "processing"
	if known(e) || t != fulfillment.TierSetup {
		status = "active"
	}
	return told(fulfillment.EventBody{
		RequestID: "TCR-7741-0062-1893-001", AssetID: "TC-7741-0062-1893", ProductID: "PRD-415-208-731", Type: t,
		Configuration: &fulfillment.Configuration{
			ID: "TC-7741-0062-1893", Status: status, TierLevel: 1,
			Account:     &fulfillment.Account{ID: "TA-7741-0062-1893", ExternalID: "R-117"},
			Marketplace: &fulfillment.Named{ID: "MP-51722", Name: "Nordhafen Marketplace"},
			Connection:  &fulfillment.Connection{ID: "CT-0412-7789", Type: "production"},
			Contract:    &fulfillment.Referred{ID: "CRD-30518-77204-61193"},
			Parameters:  []fulfillment.Parameter{{ID: "support_level", Value: "gold"}},
		},
	}, e, 1040)
}

// told adds what the event itself says.
func told(b fulfillment.EventBody, e fulfillment.Event, episode uint64) fulfillment.EventBody {
	b.Event, b.Episode, b.Status = e, episode, "pending"
	b.Time = time.Date(2026, time.April, 14, 8, 24, 3, 316_000_000, time.UTC)
	if known(e) {
		b.Status = "approved"
	}
	switch e {
	case fulfillment.EventProvisioned:
		b.Status = "pending"
	case fulfillment.EventFailed:
		b.Status, b.Reason = "failed", "2.75 terabytes are not sold in eu-north"
	case fulfillment.EventInquiring:
		b.Status, b.Reason = "inquiring", "the administrator's address does not take mail"
	case fulfillment.EventLeft:
		b.Status = "scheduled"
	case fulfillment.EventDiscarded:
		b.Reason = "finished by hand"
	case fulfillment.EventHeld:
		b.Stage, b.Letter, b.Reason = fulfillment.StageHold, 17, "the tenant has another product's plan"
	case fulfillment.EventDead:
		b.Stage, b.Letter, b.Reason = fulfillment.StageProcess, 18, "the vendor's answer was not understood, eight times"
	default: // there is no more to say
	}
	return b
}

// known reports whether the vendor has done its part by then.
func known(e fulfillment.Event) bool {
	switch e {
	case fulfillment.EventReceived, fulfillment.EventAnswered, fulfillment.EventHeld, fulfillment.EventDead, fulfillment.EventFailed,
		fulfillment.EventInquiring, fulfillment.EventLeft, fulfillment.EventDiscarded:
		return false
	default:
		return true
	}
}

func subscriptionStatus(e fulfillment.Event, t fulfillment.Type) string {
	switch {
	case e == fulfillment.EventSuspended:
		return "suspended"
	case e == fulfillment.EventTerminated:
		return "terminated"
	case t == fulfillment.Resume && !known(e):
		return "suspended"
	case t == fulfillment.Purchase && (!known(e) || e == fulfillment.EventProvisioned):
		return "processing"
	}
	return "active"
}

func customer() *fulfillment.Account {
	return &fulfillment.Account{
		ID: "TA-2019-5540-8873", ExternalID: "C-20418", Name: "Nordlys Keramik", TaxID: "DK-30417755",
		Contact: &fulfillment.Contact{FirstName: "Inga", LastName: "Lund", Email: "i.lund@nordlys.example", Phone: "+45 33 550142"},
		Address: &fulfillment.Address{Line1: "Havnegade 12", Line2: "2. sal", City: "Aarhus", State: "Midtjylland", PostalCode: "8000", Country: "dk"},
	}
}

func reseller() *fulfillment.Account {
	return &fulfillment.Account{ID: "TA-7741-0062-1893", ExternalID: "R-117", Name: "Weichsel Handel GmbH"}
}

func distributor() *fulfillment.Account {
	return &fulfillment.Account{ID: "TA-5508-1172-4460", ExternalID: "D-004", Name: "Sundgren Distribution"}
}
