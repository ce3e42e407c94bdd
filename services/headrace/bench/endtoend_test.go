package bench

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

// endToEnd are the experiments in which whole purchases are carried out.
func endToEnd() []experiment {
	far, near := 20*time.Millisecond, time.Duration(0)
	return []experiment{
		{
			name: "20ms-1s", contenders: scene{requests: 8000, latency: far, sync: "1s"}.contenders(),
			rows: []row{
				{measured: "purchases, upstreams of 20 ms, sync 1s", against: theLoop, ours: "headrace/steady", theirs: "loop/steady", bar: 0.97, unit: "/s"},
				{measured: "purchases, upstreams of 20 ms, sync 1s", against: onBare, ours: "headrace/steady", theirs: "bare/steady", unit: "/s"},
			},
		},
		{
			name: "20ms-always", contenders: scene{requests: 4000, latency: far, sync: "always"}.contenders(),
			rows: []row{
				{measured: "purchases, upstreams of 20 ms, sync always", against: theLoop, ours: "headrace/steady", theirs: "loop/steady", bar: 0.9, unit: "/s"},
				{measured: "purchases, upstreams of 20 ms, sync always", against: onBare, ours: "headrace/steady", theirs: "bare/steady", bar: 0.95, unit: "/s"},
			},
		},
		{
			name: "0ms-1s", contenders: scene{requests: 8000, latency: near, sync: "1s"}.contenders(),
			rows: []row{
				{measured: "purchases, upstreams of 0 ms, sync 1s", against: onBare, ours: "headrace/whole", theirs: "bare/whole", bar: 0.85, unit: "/s"},
				{measured: "purchases, upstreams of 0 ms, sync 1s", against: theLoop, ours: "headrace/whole", theirs: "loop/whole", unit: "/s"},
				{
					measured: "processor time of a purchase, 0 ms, sync 1s", against: onBare,
					ours: "headrace/cpu", theirs: "bare/cpu", bar: 1.25, atMost: true, unit: "ms",
				},
			},
		},
		{
			name: "0ms-always", contenders: scene{requests: 3000, latency: near, sync: "always"}.contenders(),
			rows: []row{
				{measured: "purchases, upstreams of 0 ms, sync always", against: onBare, ours: "headrace/whole", theirs: "bare/whole", bar: 0.85, unit: "/s"},
				{measured: "purchases, upstreams of 0 ms, sync always", against: theLoop, ours: "headrace/whole", theirs: "loop/whole", unit: "/s"},
			},
		},
		{
			name: "latency", contenders: []contender{{"headrace", latency}},
			rows: []row{
				{measured: "from listed as pending to approved, p99, unloaded, 0 ms, sync always", against: nobody, ours: "headrace/p99", bar: 25, atMost: true, unit: "ms"},
				{measured: "from listed as pending to approved, p50, unloaded, 0 ms, sync always", against: nobody, ours: "headrace/p50", unit: "ms"},
			},
		},
	}
}

// The rivals, in the table's words.
const (
	theLoop = "the loop"
	onBare  = "bare nats.go"
	nobody  = "–"
)

func (sc scene) contenders() []contender {
	return []contender{{"loop", sc.theLoop}, {"bare", sc.bare}, {"headrace", sc.headrace}}
}

// latency orders purchases one by one, and the next when one is over.
func latency(t *testing.T, s setting) readings {
	const orders, warm = 220, 20
	up := startUpstreams(t, s, 0, 0)
	defer up.kill()
	p := startHeadrace(t, s, up, map[string]string{
		"HEADRACE_DATA_DIR": s.dir + "/data", "HEADRACE_CONNECT_POLL_INTERVAL": "20ms",
	})
	defer p.kill()
	up.steer(t, "listed", p)
	var last tally
	for n := range orders {
		up.steer(t, "order?n=1", p)
		last = up.steer(t, fmt.Sprintf("approved?n=%d", n+1), p)
		<-time.After(30 * time.Millisecond) // until its events are told, too
	}
	p.end()
	all := last.Latencies[warm:]
	return readings{"p50": quantile(all, 0.5), "p99": quantile(all, 0.99), "most": slices.Max(all)}
}
