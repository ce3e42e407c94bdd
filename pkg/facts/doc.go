// Package facts tells others what has become true: it publishes the events of
// the catalogue, each once and in order, and decides what of a request may leave
// in one. It reads the last event of a request and appends the next; it keeps no
// state of its own.
package facts
