// Package traps holds the reasons why Headrace has its own Watermill subscriber
// and publisher, as tests: for each trap of the stock parts that touches us,
// one shows the stock part failing, and the same scenario passing with ours.
// It has no code but tests; the slow ones have the build tag traps
// (`make traps`).
//
// A stock half that stops failing fails the test, and says so: an upstream
// release has mended the trap, and the decision for our own subscriber
// (docs/decisions) is to be reopened.
//
// Stock is watermill v1.5 (Router, middleware) and watermill-nats v2.1, in the
// best configuration that the trap leaves.
//
//	      the stock part                              fails by
//	T1    pkg/nats Subscriber                         first replica to stop deletes the shared durable
//	T2    pkg/nats Subscriber without ManualAck       a failed message is acknowledged: lost
//	T3    pkg/jetstream Subscriber                    a repeated header kills the process
//	T4    pkg/jetstream Publisher                     publishes to the stream's name, not to the topic
//	T5    pkg/jetstream Subscriber                    prefetched messages expire in the client: duplicates
//	T6    both Subscribers                            no heartbeat: one message runs several times at once
//	T7    Router.Close with either                    in-flight handler cancelled, result and acknowledgement lost
//	T8    pkg/jetstream Subscriber, stopped           panics if messages wait: send on closed channel
//	T9    pkg/jetstream Subscriber                    deleted consumer: silent for ever
//	T10   PoisonQueue and TrackMsgId                  the dead letter is a duplicate of the message: lost
//	T11   pkg/nats Publisher with TrackMsgId          one id on two subjects: the second is dropped, untold
//	T12   default negative acknowledgement            no delay: thousands of tries a second
//	T13   NakDelay                                    what waits holds its slot: nothing else is delivered
//	T14   consumer BackOff                            ignored by a negative acknowledgement; replaces AckWait
//
// T13 and T14 are JetStream's: ours answers the one with schedules for long
// waits, the other with a delay in every negative acknowledgement and no
// BackOff in the topology.
//
// T15 (a resumed consumer delivers nothing to an idle pull client for up to
// 14 s) doesn't touch us: nothing pauses a consumer. Whoever begins to, pauses
// it until a time instead of resuming it, and adds the test.
//
// Aliased PublishOptions in the pkg/nats Publisher (message ids swapped between
// concurrent publishes) need a slice with spare capacity in its configuration;
// we don't publish with it.
package traps
