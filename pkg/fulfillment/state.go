package fulfillment

// State says where a request is, in one word.
type State string

// The states of a request. The first four and StateHeld and StateDead are those
// of a request that is pending in Connect.
const (
	StateQueued     State = "queued"     // waits for its type's service
	StateDeciding   State = "deciding"   // in the hands of the service, or to be tried again shortly
	StateWaiting    State = "waiting"    // scheduled for later
	StateCommitting State = "committing" // decided; the committer reports to Connect
	StateApproved   State = "approved"
	StateFailed     State = "failed"
	StateInquiring  State = "inquiring"
	StateHeld       State = "held" // a person must decide
	StateDead       State = "dead" // can't go on; an operator must look
	StateLeft       State = "left" // Connect has it in a state that is not ours
)

// StateOf is the state of a request whose episode e closed.
func StateOf(e Event) State {
	switch e {
	case EventApproved, EventReplayed:
		return StateApproved
	case EventFailed:
		return StateFailed
	case EventInquiring:
		return StateInquiring
	case EventLeft, EventDiscarded:
	case EventReceived, EventAnswered, EventProvisioned, EventHeld, EventDead, // these close nothing
		EventActivated, EventChanged, EventSuspended, EventResumed, EventTerminated,
		EventAdjusted, EventRenewed, EventTransferred:
	}
	return StateLeft
}
