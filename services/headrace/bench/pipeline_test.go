package bench

import (
	"fmt"
	"os/exec"
	"testing"
	"time"

	"github.com/headrace/headrace/pkg/broker"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// The calls of a purchase, and who makes them.
const (
	purchaseWorkers  = 21
	committerWorkers = 42
	loopWorkers      = purchaseWorkers + committerWorkers
	calls            = 3
)

// scene is what purchases are carried out in.
type scene struct {
	requests int
	latency  time.Duration // of both upstreams
	sync     string        // HEADRACE_SYNC
}

// measured runs one who carries out all that is pending, from the first list of
// requests to the last approval. With a data directory it also waits for the
// last event, and counts what is stored.
func (sc scene) measured(t *testing.T, s setting, launch func(up *upstreams) *process, data string) readings {
	t.Helper()
	up := startUpstreams(t, s, sc.requests, sc.latency)
	defer up.kill()
	p := launch(up)
	defer p.kill()
	listed := up.steer(t, "listed", p)
	before := used(t, p)
	done := up.steer(t, fmt.Sprintf("approved?n=%d", sc.requests), p)
	stored := 0.0
	if data != "" {
		stored = settled(t, data, sc.requests)
	}
	spent := used(t, p) - before
	p.end()
	if done.Doubled > 0 || done.Refused > 0 {
		t.Errorf("%d tenants were made twice, %d calls refused", done.Doubled, done.Refused)
	}
	n := float64(sc.requests)
	return readings{
		"steady": done.Steady,                                                    // requests a second, the middle eight tenths of them
		"whole":  n / done.Last.Sub(listed.Listed).Seconds(),                     // from the first list on
		"cpu":    float64(spent) / float64(time.Millisecond) / n,                 // ms a request
		"vendor": float64(done.Vendor) / n, "connect": float64(done.Connect) / n, // calls a request
		"stored": stored / n, // messages a request
	}
}

func used(t *testing.T, p *process) time.Duration {
	t.Helper()
	d, err := processorTime(p.cmd.Process.Pid)
	if err != nil {
		t.Fatalf("%v\n%s", err, p.tail())
	}
	return d
}

// settled waits until every request has its last event, and returns how many
// messages the streams hold.
func settled(t *testing.T, data string, requests int) float64 {
	t.Helper()
	access, err := broker.ReadAccess(data)
	if err != nil {
		t.Fatal(err)
	}
	nc, err := nats.Connect(access.URL, nats.UserInfo(access.User, access.Password))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(patience)
	for {
		events, err := js.Stream(t.Context(), "FULFILLMENT_EVENTS")
		if err != nil {
			t.Fatal(err)
		}
		info, err := events.Info(t.Context(), jetstream.WithSubjectFilter("fulfillment.events.purchase.approved.>"))
		if err != nil {
			t.Fatal(err)
		}
		if len(info.State.Subjects) >= requests {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d of %d requests have their last event", len(info.State.Subjects), requests)
		}
		<-time.After(50 * time.Millisecond)
	}
	var sum float64
	for _, name := range []string{"FULFILLMENT_REQUESTS", "FULFILLMENT_RESULTS", "FULFILLMENT_EVENTS", "FULFILLMENT_DEAD"} {
		s, err := js.Stream(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		sum += float64(s.CachedInfo().State.Msgs)
		t.Logf("%s: %d messages, %d bytes a request", name, s.CachedInfo().State.Msgs, s.CachedInfo().State.Bytes/uint64(requests))
	}
	return sum
}

// theLoop fails the test unless the loop is what it is to be: within a tenth of
// what its workers can reach.
func (sc scene) theLoop(t *testing.T, s setting) readings {
	t.Helper()
	got := sc.measured(t, s, func(up *upstreams) *process {
		return role(t, s, "loop", map[string]string{
			"BENCH_UPSTREAM": up.url, "BENCH_WORKERS": fmt.Sprint(loopWorkers), "BENCH_PROFILE": s.profile,
		})
	}, "")
	if sc.latency > 0 {
		limit := loopWorkers / (calls * sc.latency.Seconds())
		if got["steady"] < 0.9*limit {
			t.Fatalf("this run does not count: the loop itself reaches %.0f of %.0f requests/s; is the machine busy?", got["steady"], limit)
		}
	}
	return got
}

// bare runs the pipeline on nats.go alone.
func (sc scene) bare(t *testing.T, s setting) readings {
	t.Helper()
	data := s.dir + "/data"
	return sc.measured(t, s, func(up *upstreams) *process {
		return role(t, s, "bare", map[string]string{
			"BENCH_UPSTREAM": up.url, "BENCH_DATA": data, "BENCH_SYNC": sc.sync, "BENCH_PROFILE": s.profile,
		})
	}, data)
}

// headrace runs Headrace as it is shipped, but for the numbers of workers and
// when it syncs.
func (sc scene) headrace(t *testing.T, s setting) readings {
	t.Helper()
	data := s.dir + "/data"
	return sc.measured(t, s, func(up *upstreams) *process {
		return startHeadrace(t, s, up, map[string]string{
			"HEADRACE_DATA_DIR": data, "HEADRACE_SYNC": sc.sync,
			"HEADRACE_CONCURRENCY_PURCHASE": fmt.Sprint(purchaseWorkers), "HEADRACE_CONCURRENCY_COMMITTER": fmt.Sprint(committerWorkers),
		})
	}, data)
}

// startHeadrace starts headrace up against the upstreams, with further settings.
func startHeadrace(t *testing.T, s setting, up *upstreams, settings map[string]string) *process {
	t.Helper()
	env := map[string]string{
		"HEADRACE_CONNECT_ENDPOINT": up.url + apiBase, "HEADRACE_CONNECT_API_KEY": "ApiKey " + apiKey,
		"HEADRACE_VENDOR_ENDPOINT": up.url, "HEADRACE_HTTP_ADDR": "127.0.0.1:0",
	}
	for k, v := range settings {
		env[k] = v
	}
	if s.inside || s.profile != "" {
		env["BENCH_PROFILE"] = s.profile
		return role(t, s, "headrace", env)
	}
	name, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	return start(t, s.dir, exec.Command(name, "up"), env)
}
