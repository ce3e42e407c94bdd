// Package failpoint names the moments at which the death of a process could lose
// something or do it twice, and lets a harness have the process die exactly
// there. Without the build tag failpoints all of it compiles to nothing.
//
// With the tag, FAILPOINTS arms points: "point=action@n" for the n-th
// time that the process comes there, "point=action%p" for each time with
// probability p, several separated by commas. The action kill is a SIGKILL that
// the process sends to itself, stop a SIGSTOP: then somebody else must continue
// it. Before either, one line on stderr says what struck where and whom (see
// Struck). FAILPOINTS_OFF switches protections off, by which the harness
// proves that it would notice, and FAILPOINTS_ACK_WAIT shortens the ack wait.
package failpoint

import "strings"

// Point is a moment between two steps of which only the first is done.
type Point string

// The points, in the order of the flow. What has happened is in the name.
const (
	Listed          Point = "listed"           // a request by the fetcher, and not published
	Requested       Point = "requested"        // published by the fetcher, which has not noted so
	Delivered       Point = "delivered"        // to a type's service, which has done nothing
	IntentStored    Point = "intent-stored"    // and POST /tenant not sent
	LookedUp        Point = "looked-up"        // the tenant at the vendor, and nothing stored
	CallSent        Point = "call-sent"        // to the vendor, and not answered
	CallAnswered    Point = "call-answered"    // by the vendor, and no result published
	ResultPublished Point = "result-published" // and the request not acknowledged
	ScheduleStored  Point = "schedule-stored"  // and the request not acknowledged
	LetterStored    Point = "letter-stored"    // in DEAD, and its event not published
	DeadWritten     Point = "dead-written"     // and the original not acknowledged
	ResultDelivered Point = "result-delivered" // to the committer, which has done nothing
	ParamsSaved     Point = "params-saved"     // in Connect, and the request not approved
	Approved        Point = "approved"         // in Connect, and the event not published
	FactTold        Point = "fact-told"        // as an event, and the next of the same episode is not
	EventPublished  Point = "event-published"  // and the result not acknowledged
	AckDue          Point = "ack-due"          // all is done but the acknowledgement
)

// Points are all points, in the order of the flow.
func Points() []Point {
	return []Point{
		Listed, Requested, Delivered, IntentStored, LookedUp, CallSent, CallAnswered, ResultPublished, ScheduleStored,
		LetterStored, DeadWritten, ResultDelivered, ParamsSaved, Approved, FactTold, EventPublished, AckDue,
	}
}

// Mutant is a protection that can be switched off.
type Mutant string

// The mutants, named after what is off.
const (
	NoHead    Mutant = "head"    // an append opens or repeats work whatever the asset's head is
	NoClaim   Mutant = "claim"   // a delivery is carried out although it is not the head, or decided already
	NoIntent  Mutant = "intent"  // an open intent is taken for none
	NoKey     Mutant = "key"     // each attempt calls the vendor with a key of its own
	NoFence   Mutant = "fence"   // a result is published whatever was published meanwhile
	NoRead    Mutant = "read"    // the committer believes that what it commits is pending
	NoEvent   Mutant = "event"   // an event is published whatever was published before
	EarlyAck  Mutant = "early"   // what is delivered is acknowledged before it is handled
	NoLease   Mutant = "lease"   // a message is taken for one's own however long ago it came
	NoLetters Mutant = "letters" // a dead letter is written whether or not it is there
)

// Actions of an armed point.
const (
	Kill = "kill"
	Stop = "stop"
)

// struck begins the line that is written before an action.
const struck = "failpoint struck:"

// Struck reads the line that is written before an action: the point, the action, and the request that the
// process was at.
func Struck(line string) (p Point, action, request string, ok bool) {
	rest, found := strings.CutPrefix(strings.TrimSpace(line), struck+" ")
	fields := strings.Fields(rest)
	if !found || len(fields) < 2 {
		return "", "", "", false
	}
	if len(fields) > 2 {
		request = fields[2]
	}
	return Point(fields[0]), fields[1], request, true
}
