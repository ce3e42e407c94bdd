// Package connect is a client of the CloudBlue Connect REST API, as a vendor's
// middleware needs it: lists that lose no row while requests leave the filter,
// tolerant decoding, and actions that are verified before they are sent again.
// It knows nothing of streams, episodes or the vendor.
//
// Every call takes a context and fails with an *APIError where Connect
// answered, a *TransportError where it did not, or a *StateError where Connect
// has the request in a state that the action can't leave. The API key is never
// logged and appears in no error.
package connect
