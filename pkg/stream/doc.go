// Package stream is the one package that knows NATS and Watermill. It appends
// to JetStream streams, reads them, and hands the messages of a declared
// durable consumer to handlers, through Watermill's Router.
//
// Streams and durables are declared in a Topology and made by Client.Apply;
// subscribing never creates or deletes one. Delivery is at least once: whatever
// a Handler does must be safe to do again.
//
// No type of NATS's or Watermill's is needed to use a Client; Publisher and
// Subscriber are Watermill's interfaces over the same connection.
package stream
