package bench

import (
	"testing"
	"time"
)

// endToEnd are the experiments in which whole purchases are carried out.
func endToEnd() []experiment {
	far := func(sync string) scene { return scene{requests: 6000, latency: 20 * time.Millisecond, sync: sync} }
	return []experiment{
		{
			name: "20ms-1s", contenders: far("1s").contenders(),
			rows: []row{{
				measured: "purchases, upstreams that take 20 ms, sync 1s", against: "the loop",
				ours: "headrace/steady", theirs: "loop/steady", bar: 0.97, unit: "/s",
			}},
		},
	}
}

func (sc scene) contenders() []contender {
	return []contender{
		{"loop", func(t *testing.T, s setting) readings { return sc.theLoop(t, s) }},
		{"headrace", func(t *testing.T, s setting) readings { return sc.headrace(t, s) }},
	}
}
