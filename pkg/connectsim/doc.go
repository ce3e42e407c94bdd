// Package connectsim simulates the CloudBlue Connect REST API in memory: the
// parts that a vendor's fulfillment software meets, with Connect's states, its
// errors, its paging and its query language. It opens no socket and writes no
// file; whoever uses it serves its Handler.
//
// Tests and the demo reach behind the API: they add requests, answer
// inquiries, act as a person in the portal, and read what became of all that.
//
// What Connect's documentation leaves open is a switch in Options, with the
// likeliest behaviour as its default.
package connectsim
