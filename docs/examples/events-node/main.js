// Prints Headrace's events with the official NATS client for Node. It reads the
// broker's address, with credential, from NATS_URL and ends with Ctrl-C; the
// next start goes on where it was.
import { AckPolicy, jetstream, jetstreamManager } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";

const STREAM = "FULFILLMENT_EVENTS";
// The name of your consumer, and what its replies begin with: as whoever runs
// the broker gave them to you.
const DURABLE = process.env.NATS_DURABLE ?? "events-node-printer";
const INBOX = process.env.NATS_INBOX ?? "_INBOX";

// The client takes no credential out of an address.
const url = new URL(process.env.NATS_URL ?? "nats://127.0.0.1:4222");
const nc = await connect({
  name: DURABLE,
  servers: url.host,
  user: url.username ? decodeURIComponent(url.username) : undefined,
  pass: url.password ? decodeURIComponent(url.password) : undefined,
  inboxPrefix: INBOX,
  maxReconnectAttempts: -1, // for ever
});
(async () => {
  for await (const s of nc.status()) {
    if (s.type === "disconnect" || s.type === "reconnect") console.error(`broker: ${s.type}`);
  }
})();

// It remembers the position. The same call at each start changes nothing.
const jsm = await jetstreamManager(nc);
await jsm.consumers.add(STREAM, {
  durable_name: DURABLE,
  filter_subject: "fulfillment.events.>",
  ack_policy: AckPolicy.Explicit,
});
const consumer = await jetstream(nc).consumers.get(STREAM, DURABLE);
const messages = await consumer.consume({ max_messages: 16 });
for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => messages.stop());

// Delivery is at least once: the ce-id tells repeats. A program that does more
// than print keeps it where its work is kept, in the same transaction.
const seen = new Set();
const remembered = 10_000;

for await (const m of messages) {
  const id = m.headers?.get("ce-id") ?? "";
  // A later version of an event would come beside this one, for who knows it.
  if (!m.headers?.get("ce-type").endsWith(".v1") || seen.has(id)) {
    m.ack();
    continue;
  }
  let e;
  try {
    e = m.json();
  } catch (err) {
    console.error(`passed over ${m.subject}: ${err.message}`);
    m.term();
    continue;
  }
  console.log(`${e.time}  ${e.request_id} ${e.type} ${e.event} ${e.reason} (${id})`);
  seen.add(id);
  if (seen.size > remembered) seen.delete(seen.values().next().value);
  m.ack();
}
await nc.drain();
