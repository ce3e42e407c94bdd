// Package broker runs a NATS server with JetStream inside the process, so that
// `headrace up` needs nothing beside itself. It knows the server alone: streams,
// consumers and messages belong to package stream, which connects through
// [Broker.InProcessConn].
//
// # What it keeps in the data directory
//
//	broker.lock   locked for as long as a server serves the directory; its
//	              content names the owner (pid, host, start)
//	broker.json   address and credential of the running server, mode 0600;
//	              the operator's commands find the broker by it (ReadAccess)
//	listen.json   credentials of the users "services" and "reader", mode 0600;
//	              only with Options.Listen
//	jetstream/    the streams
//
// One process owns a directory. The NATS server itself doesn't notice a second
// one on the same store, and both would acknowledge; hence the lock, which the
// kernel drops with the process, however it ends. It is advisory: the directory
// belongs on a local file system, not on a network share.
//
// # Who gets in
//
// There is one client listener. Without Options.Listen it is a free port of
// 127.0.0.1, and the only user is the owner, with a random credential that
// changes at every start and is readable by the directory's owner alone. With
// Options.Listen the listener is at that address instead, and admits two users
// more, whose generated passwords survive restarts. "services" is for processes
// elsewhere (`headrace run` with HEADRACE_NATS_URL): whoever has it can read
// and write every stream. "reader" is for other teams: it is in an account of
// its own, ReadersAccount, in which there is a mirror of the events and nothing
// else, and may read that (ReaderPermissions). The mirror is made by whoever
// knows streams, as the user of Broker.Mirror. The listener has no TLS: on an address that isn't
// loopback the traffic, credential included, is readable on the way, and Start
// logs a warning. For more than a trusted network run a NATS server of its own
// and set HEADRACE_NATS_URL.
package broker
