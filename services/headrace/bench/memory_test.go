package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/headrace/headrace/pkg/fulfillment"
)

// memory is the experiment of a backlog that nothing comes of: the vendor is
// down.
func memory() []experiment {
	return []experiment{{
		name: "memory", once: true, contenders: []contender{{"waiting", waiting}},
		rows: []row{
			{
				measured: "resident memory, " + fmt.Sprint(backlog()) + " requests waiting", against: "nats-server alone with the same streams",
				ours: "waiting/headrace", theirs: "waiting/alone", bar: 1.3, atMost: true, unit: "MB",
			},
			{
				measured: "resident memory, " + fmt.Sprint(backlog()) + " requests waiting, at most: the first poll asks about each",
				against:  "nats-server alone with the same streams", ours: "waiting/peak", theirs: "waiting/alone", unit: "MB",
			},
		},
	}}
}

// backlog is how many requests wait: a million, or BENCH_BACKLOG.
func backlog() int {
	if n, err := strconv.Atoi(os.Getenv("BENCH_BACKLOG")); err == nil && n > 0 {
		return n
	}
	return 1_000_000
}

// waiting fills streams with what a million pending requests leave there, and
// looks at who serves them: the server alone, and then Headrace, for which they
// are pending in Connect, too.
func waiting(t *testing.T, s setting) readings {
	t.Helper()
	data := s.dir + "/data"
	env := map[string]string{"BENCH_DATA": data, "BENCH_REQUESTS": fmt.Sprint(backlog())}
	began := time.Now()
	for _, kind := range []string{fulfillment.StreamRequests, fulfillment.StreamEvents} {
		env["BENCH_STREAM"] = kind
		fill := role(t, setting{dir: s.dir}, "fill", env)
		fill.says(t, "filled")
		fill.end()
	}
	t.Logf("filled after %s", time.Since(began).Round(time.Second))

	alone := role(t, setting{dir: s.dir}, "server", env)
	alone.says(t, "serves")
	server := calm(t, alone)
	alone.end()

	up := startUpstreams(t, s, backlog(), 0, "BENCH_VENDOR=down")
	defer up.kill()
	began = time.Now()
	p := startHeadrace(t, s, up, map[string]string{"HEADRACE_DATA_DIR": data})
	defer p.kill()
	// The first poll asks about each request, and for two minutes the broker keeps
	// what it looked up for that. From the second on they are like each other.
	for poll := 1; poll <= 2; poll++ {
		for p.logged(t, `"poll done"`) < poll {
			if time.Since(began) > 20*time.Minute {
				t.Fatalf("poll %d was not over after %s\n%s", poll, time.Since(began), p.tail())
			}
			<-time.After(time.Second)
		}
		t.Logf("poll %d was over after %s, with %.0f MB at most so far", poll, time.Since(began).Round(time.Second), memoryOf(t, p, "VmHWM"))
	}
	got := readings{"alone": server, "headrace": calm(t, p), "peak": memoryOf(t, p, "VmHWM")}
	p.end()
	return got
}

// says waits until the process says so.
func (p *process) says(t *testing.T, what string) {
	t.Helper()
	line, err := p.out.ReadString('\n')
	if err != nil || strings.TrimSpace(line) != what {
		t.Fatalf("%q instead of %q: %v\n%s", line, what, err, p.tail())
	}
}

// logged is how often the process's log has the text.
func (p *process) logged(t *testing.T, text string) int {
	t.Helper()
	log, err := os.ReadFile(p.log)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Count(string(log), text)
}

// calm is the resident memory once it does not move any more, in MB: what a
// process gives back when it has nothing to do it gives back by then.
func calm(t *testing.T, p *process) float64 {
	t.Helper()
	const still, most = 15, 60 // seconds
	last, quiet := 0.0, 0
	for range most {
		<-time.After(time.Second)
		now := memoryOf(t, p, "VmRSS")
		if quiet++; now < 0.98*last || now > 1.02*last {
			last, quiet = now, 0
		}
		if quiet >= still {
			break
		}
	}
	return last
}

// memoryOf is a field of a process's status, in MB.
func memoryOf(t *testing.T, p *process, field string) float64 {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		t.Fatalf("%v\n%s", err, p.tail())
	}
	_, rest, _ := strings.Cut(string(text), field+":")
	number, _, _ := strings.Cut(strings.TrimSpace(rest), " ")
	kb, err := strconv.ParseFloat(number, 64)
	if err != nil {
		t.Fatal(err)
	}
	return kb / 1024
}

// server is the process of a broker with Headrace's streams and nothing else.
func server() error {
	ctx := context.Background()
	b, err := serveBroker(ctx, os.Getenv("BENCH_DATA"), "always")
	if err != nil {
		return err
	}
	fmt.Println("serves")
	_, _ = io.Copy(io.Discard, os.Stdin)
	return b.Shutdown(ctx)
}

// fill is the process that stores what one stream has of each pending request.
// Requests come first: then the number of each episode is known.
func fill() error {
	ctx := context.Background()
	requests, err := strconv.Atoi(os.Getenv("BENCH_REQUESTS"))
	if err != nil {
		return err
	}
	b, err := serveBroker(ctx, os.Getenv("BENCH_DATA"), "10s")
	if err != nil {
		return err
	}
	nc, err := nats.Connect("", nats.InProcessServer(b), nats.UserInfo(b.User(), b.Password()))
	if err != nil {
		return err
	}
	defer nc.Close()
	js, err := jetstream.New(nc, jetstream.WithPublishAsyncMaxPending(4096))
	if err != nil {
		return err
	}
	bodies, err := record()
	if err != nil {
		return err
	}
	of := backlogged{bodies.pending, os.Getenv("BENCH_STREAM")}
	var last jetstream.PubAckFuture
	for n := range requests {
		m, err := of.message(n)
		if err != nil {
			return err
		}
		if last, err = js.PublishMsgAsync(m, jetstream.WithStallWait(time.Minute)); err != nil {
			return err
		}
	}
	<-js.PublishAsyncComplete()
	select {
	case err := <-last.Err():
		return err
	case ack := <-last.Ok():
		if ack.Sequence != uint64(requests) {
			return fmt.Errorf("%s has %d messages", of.stream, ack.Sequence)
		}
	}
	fmt.Println("filled")
	_, _ = io.Copy(io.Discard, os.Stdin)
	return b.Shutdown(ctx)
}

// backlogged makes the messages of requests that are pending: the request, or
// the event that it was received.
type backlogged struct {
	row    template
	stream string
}

func (b backlogged) message(n int) (*nats.Msg, error) {
	body := b.row.of(n)
	key := fulfillment.Key{Type: fulfillment.Purchase, Product: "PRD-620-114-337", Asset: "AS-" + digits(n), Request: "PR-" + digits(n) + "-001"}
	about := fulfillment.Envelope{
		ID: fulfillment.StepID(key.Request, 0, "requested"), Kind: "requested", Schema: fulfillment.SchemaRequest, Key: key, Attempt: 1, Time: time.Now(),
	}
	m := &nats.Msg{Subject: key.Subject(fulfillment.RootRequests), Data: body, Header: nats.Header{}}
	if b.stream == fulfillment.StreamEvents {
		var o order
		if err := json.Unmarshal(body, &o); err != nil {
			return nil, err
		}
		e, err := json.Marshal(o.event(fulfillment.EventReceived, uint64(n+1), ""))
		if err != nil {
			return nil, err
		}
		m.Subject, m.Data = key.EventSubject(fulfillment.EventReceived), e
		about = o.about(fulfillment.EventReceived, uint64(n+1))
	}
	for name, value := range about.Header() {
		m.Header[name] = []string{value}
	}
	return m, nil
}
