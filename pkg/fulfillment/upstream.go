package fulfillment

import "time"

// UpstreamKind says what an upstream is.
type UpstreamKind string

// The kinds of upstreams.
const (
	UpstreamConnect UpstreamKind = "connect"
	UpstreamVendor  UpstreamKind = "vendor"
)

// UpstreamState says how an upstream stands for all processes.
type UpstreamState string

// The states of an upstream. It takes calls in the first two.
const (
	UpstreamOpen    UpstreamState = "open"
	UpstreamFailing UpstreamState = "failing" // some calls in a row failed
	UpstreamPaused  UpstreamState = "paused"  // nobody calls it
	UpstreamProbing UpstreamState = "probing" // one call, in one process, finds out
)

// Closed reports whether calls are not made.
func (s UpstreamState) Closed() bool { return s == UpstreamPaused || s == UpstreamProbing }

// Upstream is the body of a message in StreamUpstreams: how Connect, or one
// vendor endpoint with its credentials, stands. The stream keeps the last one
// of each.
type Upstream struct {
	ID    string        `json:"id"` // the subject's last token; no secret goes into it
	Name  string        `json:"name"`
	Kind  UpstreamKind  `json:"kind"`
	State UpstreamState `json:"state"`
	// Products that it serves; none is all.
	Products []string `json:"products,omitempty"`
	// PauseMS is for how long, from when the message is stored on, nobody calls
	// (paused), or nobody but the process By (probing).
	PauseMS int64 `json:"pause_ms,omitempty"`
	// Asked says that the upstream itself asked for the pause.
	Asked bool `json:"asked,omitempty"`
	// Pauses counts those since it last worked; Tried are the requests with which
	// it was probed in vain, hashed.
	Pauses int      `json:"pauses,omitempty"`
	Tried  []string `json:"tried,omitempty"`
	// Status is the HTTP status of the last failure, 0 for no answer; Reason says
	// it in words.
	Status int    `json:"status,omitempty"`
	Reason string `json:"reason,omitempty"`
	// Since is when the trouble began or, of one that is open, ended.
	Since time.Time `json:"since"`
	By    string    `json:"by"` // the process that says so
	Time  time.Time `json:"time"`
}

// UpstreamSubject is fulfillment.upstreams.<id>.
func UpstreamSubject(id string) string { return RootUpstreams + "." + EscapeToken(id) }
