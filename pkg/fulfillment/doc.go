// Package fulfillment holds the words that every part of Headrace shares: the
// types of request, the subjects and streams they travel on, episodes, and the
// bodies of the messages. It performs no I/O and imports none of the packages
// that do.
package fulfillment
