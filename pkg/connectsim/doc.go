// Package connectsim simulates the CloudBlue Connect REST API in memory: the
// parts that a vendor's fulfillment software meets, with Connect's states, its
// errors, its paging and its query language. It opens no socket and writes no
// file; whoever uses it serves its Handler.
//
// Tests and the demo reach behind the API: they add requests, answer
// inquiries, act as a person in the portal, and read what became of all that.
//
// Its Handler serves, beside the API, what steers it, without a key:
//
//	/_sim/faults, /_sim/calls, /_sim/reset   see package simfault
//	POST /_sim/forms/{request}               {"<parameter id>": "<value>"}: the customer answers an inquiry; the
//	                                         request's params_form_url leads here
//	POST /_sim/requests/{request}/status     {"status": "approved"}: a person acts in the portal
//	POST /_sim/rows                          the body, be it JSON or not, becomes a row of the list of requests; 204
//	GET  /_sim/counts                        how many requests and tier requests there are by type and status
//
// What Connect's documentation leaves open is a switch in Options, with the
// likeliest behaviour as its default.
package connectsim
