// Package simfault lets a simulated HTTP API fail on demand and tells what it was asked.
//
// A [Layer] wraps a simulator's handler and adds a few endpoints of its own, which need no key:
//
//	PUT    /_sim/faults   replace the faults by a JSON array of them (or one object); answers 200 and what is now in force
//	GET    /_sim/faults   the faults in force; times and skip are what is left of them, so the answer can be PUT again
//	DELETE /_sim/faults   no faults any more; 204
//	GET    /_sim/calls    the calls that were answered or dropped, oldest first; ?since=2026-01-31T12:00:00Z leaves out
//	                      those that began before that moment (RFC 3339, fractions allowed)
//	POST   /_sim/reset    forget faults and calls and take the simulator back to its start; 204
//
// Any other path below /_sim/ goes to the wrapped handler, unrecorded and without faults.
//
// # Faults
//
// A fault is an object. It matches calls by
//
//	method       "POST"; empty or "*" is any
//	path         empty is any; "/tenant" is a prefix; "/tenant$" is that very path; with a "*" or "?" it is a glob for the
//	             whole path: "?" is one character and "*" any number of them within a segment, "**" any number over
//	             several ("/tenant/*/disable", "**/approve"). Escapes in a path are resolved before it is matched.
//	skip         so many matching calls pass first, untouched
//	times        it strikes so often, then it is gone; 0 or absent is for ever
//	probability  0..1, the share of the matching calls that it strikes; absent is 1
//
// and has at least one of these effects
//
//	latency      "20ms", a Go duration: the call waits so long. A client that gives up meanwhile has caused nothing.
//	jitter       "10ms", with latency: up to so much longer, evenly spread
//	status       200..599: the answer is this status, and the call has no effect
//	body         with status: any JSON value, sent as application/json; a string is sent bare, as text/plain.
//	             Absent, it is {"message": ..., "errors": [...]} with the status in words
//	retry_after  with status: the Retry-After header, seconds (2 or "2") or an HTTP date
//	drop         "before": the connection is closed without an answer and without an effect;
//	             "after": the call takes effect, then the connection is closed without an answer
//	effect       true: the call takes effect, then comes the latency, then status or, without one, the true answer.
//	             It is the proxy that answers 504 too early, and the answer that comes when nobody listens any more.
//
// status and drop exclude each other. Faults are tried in their order and the first that strikes is the only one. A field
// that is not known or a value that makes no sense is refused with 400 and a message that names it; then nothing changes.
//
// # Calls
//
// A call is {"time", "method", "path", "query", "status", "duration_ms", "fault", "idempotency_key"}: time is when it began,
// status is 0 where the connection was dropped or the client left, fault says in words what struck, and query, fault and
// idempotency_key are there only if they are not empty. The newest 100,000 calls are kept.
package simfault
