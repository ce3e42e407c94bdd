package fulfillment

// Event names what is now true of a request.
type Event string

// The events that close an episode. They are named by what Connect says after
// the committer acted, not by what was decided.
const (
	EventApproved  Event = "approved"
	EventFailed    Event = "failed"
	EventInquiring Event = "inquiring"
	// EventLeft closes an episode whose request was found in another state of
	// Connect's (scheduled, revoked, draft, …) or gone. Should the request be
	// pending later, that is a new episode.
	EventLeft Event = "left"
	// EventDiscarded closes an episode that an operator left to a person. The
	// request may still be pending in Connect; it is not opened again.
	EventDiscarded Event = "discarded"
	// EventReplayed closes an episode in which an approved request was carried
	// out at the vendor again: a fact of its own, not a second approval.
	EventReplayed Event = "replayed"
)

// The events within an episode. They close nothing.
const (
	EventReceived    Event = "received"    // a request was taken in
	EventAnswered    Event = "answered"    // a request that was inquiring is pending again
	EventProvisioned Event = "provisioned" // the vendor has done its part
	EventHeld        Event = "held"        // a person must decide
	EventDead        Event = "dead"        // it can't go on; an operator must look
)

// The events of a subscription or a tier configuration, by the type of the
// request that was approved. Each comes before EventApproved of the same
// episode.
const (
	EventActivated   Event = "activated"
	EventChanged     Event = "changed"
	EventSuspended   Event = "suspended"
	EventResumed     Event = "resumed"
	EventTerminated  Event = "terminated"
	EventAdjusted    Event = "adjusted"
	EventRenewed     Event = "renewed"
	EventTransferred Event = "transferred"
)

// Closes reports whether e closes an episode.
func (e Event) Closes() bool {
	switch e {
	case EventApproved, EventFailed, EventInquiring, EventLeft, EventDiscarded, EventReplayed:
		return true
	case EventReceived, EventAnswered, EventProvisioned, EventHeld, EventDead,
		EventActivated, EventChanged, EventSuspended, EventResumed, EventTerminated,
		EventAdjusted, EventRenewed, EventTransferred:
	}
	return false
}

// known reports whether the catalogue has e. Facts is that catalogue, and too much
// to be made for each event.
func (e Event) known() bool {
	switch e {
	case EventApproved, EventFailed, EventInquiring, EventLeft, EventDiscarded, EventReplayed,
		EventReceived, EventAnswered, EventProvisioned, EventHeld, EventDead,
		EventActivated, EventChanged, EventSuspended, EventResumed, EventTerminated,
		EventAdjusted, EventRenewed, EventTransferred:
		return true
	}
	return false
}

// Stage says where a request stopped, as the second part of a dead letter's
// subject.
type Stage string

// The stages of a dead letter.
const (
	StageDecode Stage = "decode" // the message can't be read
	StageType   Stage = "type"   // no service takes its type
	StageHold   Stage = "hold"   // a person must decide
	// StageProcess and StageCommit hold what was tried as often as something not
	// understood may be tried, by a type service and by the committer.
	StageProcess Stage = "process"
	StageCommit  Stage = "commit"
	// StageAudit is what an operator did to a dead letter. It is none itself.
	StageAudit Stage = "audit"
)
