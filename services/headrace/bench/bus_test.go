package bench

import "testing"

// bus are the experiments that compare pkg/stream, part by part, with nats.go:
// messages of 5 KB, streams on disk, the server in the process of both.
func bus() []experiment {
	const onNats = "nats.go"
	return []experiment{
		{
			name: "bus-publish", contenders: []contender{{"ours", publishOurs}, {"nats", publishAsync}},
			rows: []row{{
				measured: "publish, 64 at once", against: onNats + ", asynchronous, window 256",
				ours: "ours/rate", theirs: "nats/rate", bar: 0.9, unit: "/s",
			}},
		},
		{
			name: "bus-consume", contenders: []contender{
				{"subscriber", consumeSubscriber}, {"router", consumeRouter}, {"nats", consumeMessages},
				{"least", consumeLeast}, {"leastrouter", consumeLeastRouter},
			},
			rows: []row{
				{
					measured: "consume, handle, acknowledge, 64 at once, Subscriber", against: onNats + " Messages, 64 workers",
					ours: "subscriber/rate", theirs: "nats/rate", bar: 0.95, unit: "/s",
				},
				{
					measured: "consume, handle, acknowledge, 64 at once, Router", against: onNats + " Messages, 64 workers",
					ours: "router/rate", theirs: "nats/rate", bar: 0.85, unit: "/s",
				},
				{
					measured: "consume, handle, acknowledge, 64 at once, Subscriber", against: "the least Subscriber",
					ours: "subscriber/rate", theirs: "least/rate", unit: "/s",
				},
				{
					measured: "consume, handle, acknowledge, 64 at once, Router", against: "the least Subscriber, Router",
					ours: "router/rate", theirs: "leastrouter/rate", unit: "/s",
				},
			},
		},
		{
			name: "bus-busy", contenders: []contender{{"router", busy}, {"clock", func(*testing.T, setting) readings { return readings{"rate": 48 / 0.020} }}},
			rows: []row{{
				measured: "a backlog, a handler of 20 ms, 48 at once", against: "48 / 20 ms",
				ours: "router/rate", theirs: "clock/rate", bar: 0.95, unit: "/s",
			}},
		},
		{
			name: "bus-hop", contenders: []contender{{"ours", hopOurs}, {"nats", hopMessages}},
			rows: []row{
				{
					measured: "one hop, publish to handler, unloaded, p50", against: onNats,
					ours: "ours/p50", theirs: "nats/p50", bar: 1.1, atMost: true, unit: "µs",
				},
				{
					measured: "one hop, publish to handler, unloaded, p99", against: onNats,
					ours: "ours/p99", theirs: "nats/p99", bar: 1.5, atMost: true, unit: "µs",
				},
			},
		},
		{
			name: "bus-always", contenders: []contender{
				{"ours64", alwaysOurs(64, 6000)}, {"nats64", alwaysPlain(64, 3000)},
				{"ours1", alwaysOurs(1, 1500)}, {"nats1", alwaysPlain(1, 1500)},
			},
			rows: []row{
				{
					measured: "results, sync always, 64 handlers", against: onNats + ", plain, 64 goroutines",
					ours: "ours64/rate", theirs: "nats64/rate", bar: 3, unit: "/s",
				},
				{
					measured: "results, sync always, one handler", against: onNats + ", plain, one goroutine",
					ours: "ours1/rate", theirs: "nats1/rate", bar: 0.95, unit: "/s",
				},
			},
		},
		{
			name: "bus-replay", contenders: []contender{{"stored", replay}},
			rows: []row{{
				measured: "replay of 1,000,000 stored events", against: onNats + ", ordered consumer",
				ours: "stored/ours", theirs: "stored/nats", bar: 0.9, unit: "/s",
			}},
		},
	}
}
