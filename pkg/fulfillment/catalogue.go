package fulfillment

import "slices"

// Fact is one entry of the catalogue of events: what others may build on.
type Fact struct {
	Event Event
	// Types are those of the requests that it is told of; nil is all.
	Types []Type
	// Closes says that it ends an episode; it is the last event of one.
	Closes bool
	// Subscription says that it is about the subscription, or the tier
	// configuration, and not about the request alone.
	Subscription bool
	// When is one sentence: when it happens.
	When string
	// Promise is one sentence: what a reader may rely on.
	Promise string
}

// Of reports whether the fact is told of requests of type t.
func (f Fact) Of(t Type) bool { return f.Types == nil || slices.Contains(f.Types, t) }

// The promises: once for an episode, or for each letter of one.
const (
	oncePerEpisode = "At most one for each episode of a request, in order with the request's other events."
	oncePerLetter  = "Exactly one for each dead letter of an open episode, in order with the request's other events."
	lastOfEpisode  = "Exactly one for each episode that ends so, and the last event of that episode."
	beforeApproved = "Exactly one for each approved request, directly before its event approved, and in the order in which the subscription's requests were approved."
)

// Facts is the catalogue: every event that is published, in the order in which
// a request meets them. Schemas, the AsyncAPI document and the documentation say
// the same.
func Facts() []Fact {
	return []Fact{
		{
			Event: EventReceived, Promise: oncePerEpisode,
			When: "A request that is pending in Connect was taken in, for the first time or after it had left.",
		},
		{
			Event: EventAnswered, Promise: oncePerEpisode,
			When: "A request that waited for its customer is pending in Connect again.",
		},
		{
			Event: EventHeld, Promise: oncePerLetter,
			When: "A request waits for a person, who must decide how it goes on.",
		},
		{
			Event: EventDead, Promise: oncePerLetter,
			When: "A request cannot go on, and an operator must look at it.",
		},
		{
			Event: EventProvisioned, Promise: oncePerEpisode,
			When: "The vendor has done its part of a request, and Connect is to be told.",
		},
		subscriptionFact(EventActivated, "A subscription's purchase, or a tier configuration's setup, was approved.", Purchase, TierSetup),
		subscriptionFact(EventChanged, "A change of a subscription, or an update of a tier configuration, was approved.", Change, TierUpdate),
		subscriptionFact(EventSuspended, "A subscription was suspended.", Suspend),
		subscriptionFact(EventResumed, "A suspended subscription was resumed.", Resume),
		subscriptionFact(EventTerminated, "A subscription was cancelled, and is over.", Cancel),
		subscriptionFact(EventAdjusted, "Parameters of a subscription or of a tier configuration were adjusted.", Adjustment, TierAdjustment),
		subscriptionFact(EventRenewed, "A subscription was renewed.", Renew),
		subscriptionFact(EventTransferred, "A subscription was transferred.", Transfer),
		closingFact(EventApproved, "Connect has the request approved."),
		closingFact(EventFailed, "Connect has the request failed, which is final."),
		closingFact(EventInquiring, "Connect has the request waiting for its customer."),
		closingFact(EventLeft, "Connect has the request in another state, or does not know it, or has it pending again after it was found otherwise."),
		closingFact(EventDiscarded, "An operator left the request to a person, and Headrace does nothing more about it."),
		closingFact(EventReplayed, "A request that had been approved was carried out at the vendor again."),
	}
}

func subscriptionFact(e Event, when string, types ...Type) Fact {
	return Fact{Event: e, Types: types, Subscription: true, When: when, Promise: beforeApproved}
}

func closingFact(e Event, when string) Fact {
	return Fact{Event: e, Closes: true, When: when, Promise: lastOfEpisode}
}

// SubscriptionEvent is what becomes of the subscription, or of the tier
// configuration, when a request of type t is approved; "" for a type that is
// not known.
func SubscriptionEvent(t Type) Event {
	switch t {
	case Purchase, TierSetup:
		return EventActivated
	case Change, TierUpdate:
		return EventChanged
	case Suspend:
		return EventSuspended
	case Resume:
		return EventResumed
	case Cancel:
		return EventTerminated
	case Adjustment, TierAdjustment:
		return EventAdjusted
	case Renew:
		return EventRenewed
	case Transfer:
		return EventTransferred
	}
	return ""
}
