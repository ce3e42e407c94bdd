package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/headrace/headrace/pkg/connectsim"
	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/pipelinetest"
	"github.com/headrace/headrace/pkg/stream"
	"github.com/headrace/headrace/pkg/vendorsim"
)

// clustered is a site whose processes use three nodes, and customers who order
// all the time.
type clustered struct {
	*site
	nodes *nodes
	all   []*process

	mu       sync.Mutex
	chains   []*chain
	closed   bool
	approved []time.Time
	wg       sync.WaitGroup
	done     chan struct{}
}

// chain is one subscription: its requests, one after the other.
type chain struct {
	asset    string
	requests []string
}

func steps() []string { return []string{"purchase", "change", "suspend", "resume", "cancel"} }

// together is how many subscriptions are worked on at once.
const together = 24

func newClustered(t *testing.T) *clustered {
	t.Helper()
	// Orders wait for the vendor by way of schedules; where pauses are measured they
	// do not, as those would be among them.
	vendor := vendorsim.Options{Work: 20 * time.Millisecond, Async: lasting(time.Second, 0)}
	c := &clustered{
		site:  newSite(t, connectsim.Options{Empty: true}, vendor),
		nodes: newNodes(t), done: make(chan struct{}),
	}
	front := httptest.NewServer(http.HandlerFunc(c.watch))
	t.Cleanup(front.Close)
	client := filepath.Join(c.nodes.keys, "client")
	for k, v := range map[string]string{
		"HEADRACE_CONNECT_ENDPOINT":      front.URL + connectsim.BasePath,
		"HEADRACE_CONNECT_POLL_INTERVAL": "250ms",
		"HEADRACE_NATS_URL":              c.nodes.urls(),
		"HEADRACE_NATS_CREDS":            filepath.Join(client, "services.creds"),
		"HEADRACE_NATS_CA":               filepath.Join(client, "ca.pem"),
		"HEADRACE_NATS_CERT":             filepath.Join(client, "client.pem"),
		"HEADRACE_NATS_KEY":              filepath.Join(client, "client-key.pem"),
	} {
		c.env[k] = v
	}
	for range 2 {
		c.all = append(c.all, c.start("run", "fetcher", "committer"), c.start("run", "purchase", "change", "cancel", "suspend", "resume"))
	}
	c.wg.Go(c.drive)
	t.Cleanup(func() { close(c.done); c.wg.Wait() })
	c.nodes.until("work is under way", func() bool { return c.ready() && c.count() > 30 })
	return c
}

// watch notes when Connect approved.
func (c *clustered) watch(w http.ResponseWriter, r *http.Request) {
	rec := &statusRecorder{ResponseWriter: w}
	c.connect.Handler().ServeHTTP(rec, r)
	if strings.HasSuffix(r.URL.Path, "/approve") && rec.status < 300 {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.approved = append(c.approved, time.Now())
	}
}

type statusRecorder struct {
	http.ResponseWriter
	status int
}

func (r *statusRecorder) WriteHeader(status int) {
	r.status = status
	r.ResponseWriter.WriteHeader(status)
}

// drive orders until the end.
func (c *clustered) drive() {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-c.done:
			return
		case <-tick.C:
		}
		statuses := c.connect.Statuses()
		c.mu.Lock()
		busy := 0
		for _, ch := range c.chains {
			last := ch.requests[len(ch.requests)-1]
			switch {
			case statuses[last] != "approved":
				busy++
			case len(ch.requests) < len(steps()):
				busy++
				ch.requests = append(ch.requests, c.connect.AddRequest(order(steps()[len(ch.requests)], ch.asset)))
			}
		}
		for ; busy < together && !c.closed; busy++ {
			id := c.connect.AddRequest(order("purchase", ""))
			made, _ := c.connect.Request(id)
			c.chains = append(c.chains, &chain{asset: made.AssetID, requests: []string{id}})
		}
		c.mu.Unlock()
	}
}

// order is what a customer orders.
func order(kind, asset string) connectsim.NewRequest {
	quantity := "5"
	if kind == "change" {
		quantity = "7"
	}
	return connectsim.NewRequest{
		Type: kind, AssetID: asset, Lines: []connectsim.Line{{Item: "MW-SEAT", Quantity: quantity}},
		Params: map[string]string{"admin_email": "office@example.com", "company_phone": "+31305550142"},
	}
}

// count is how many requests were approved.
func (c *clustered) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.approved)
}

// ready reports whether all nodes and all processes are.
func (c *clustered) ready() bool { return c.nodes.healthy() && each(c.all, http.StatusOK) }

// fault is one thing that happens to the cluster.
type fault struct {
	name string
	// strike does it; what it returns mends it.
	strike func(c *clustered) (mend func())
	lasts  time.Duration
}

// outage is what came of a fault.
type outage struct {
	fault
	gap  time.Duration // the longest time without an approval, from the fault until all was ready
	back time.Duration // from the mending until all was ready
}

// undergo has the fault happen and waits until all is as before.
func (c *clustered) undergo(f fault) outage {
	c.t.Helper()
	began := time.Now()
	mend := f.strike(c)
	c.pass(f.lasts)
	mend()
	mended := time.Now()
	c.nodes.until("all is ready after "+f.name, c.ready)
	back := time.Since(mended)
	before := c.count()
	c.nodes.until("work goes on after "+f.name, func() bool { return c.count() > before+30 })
	o := outage{fault: f, back: back, gap: c.longest(began)}
	c.t.Logf("%-55s longest pause %6s, all ready %6s after it was mended, %d approved", o.name,
		o.gap.Round(100*time.Millisecond), o.back.Round(100*time.Millisecond), c.count())
	return o
}

// longest is the longest time without an approval since from.
func (c *clustered) longest(from time.Time) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	gap, last := time.Duration(0), from
	for _, at := range c.approved {
		if at.After(from) {
			gap, last = max(gap, at.Sub(last)), at
		}
	}
	return gap
}

// killed is a node that is gone like one without power, and comes back.
func killed(which func(c *clustered) *node) func(c *clustered) func() {
	return func(c *clustered) func() {
		m := which(c)
		m.end()
		return m.start
	}
}

func leaderOf(what string) func(c *clustered) *node {
	return func(c *clustered) *node { return c.nodes.leading(what) }
}

// rolling restarts one node after the other, as the how-to says.
func rolling(s syscall.Signal) func(c *clustered) func() {
	return func(c *clustered) func() {
		for _, m := range c.nodes.all {
			m.signal(s)
			<-m.gone
			m.start()
			c.nodes.until(m.name+" is back", c.nodes.healthy)
		}
		return func() {}
	}
}

func faults() []fault {
	const long = 40 * time.Second
	first := func(c *clustered) *node { return c.nodes.all[0] }
	return []fault{
		{"nothing", func(*clustered) func() { return func() {} }, 10 * time.Second},
		{"each node restarted in turn: SIGTERM", rolling(syscall.SIGTERM), 0},
		{"each node restarted in turn: lame duck, SIGUSR2", rolling(syscall.SIGUSR2), 0},
		{"leader of `FULFILLMENT_REQUESTS` killed, and back", killed(leaderOf(fulfillment.StreamRequests)), 15 * time.Second},
		{"leader of `FULFILLMENT_RESULTS` killed, and back", killed(leaderOf(fulfillment.StreamResults)), 15 * time.Second},
		{"leader of `FULFILLMENT_EVENTS` killed, and back", killed(leaderOf(fulfillment.StreamEvents)), 15 * time.Second},
		{"leader of the consumer `purchase` killed, and back", killed(leaderOf("purchase")), 15 * time.Second},
		{"leader of the consumer `committer` killed, and back", killed(leaderOf("committer")), 15 * time.Second},
		{"leader of the cluster killed, and back", killed(leaderOf("meta")), 15 * time.Second},
		{"a node killed, and back", killed(first), long},
		{"a node asleep: SIGSTOP", func(c *clustered) func() {
			m := c.nodes.leading(fulfillment.StreamRequests)
			m.signal(syscall.SIGSTOP)
			return func() { m.signal(syscall.SIGCONT) }
		}, long},
		{"a node cut off from the others", func(c *clustered) func() {
			m := c.nodes.leading(fulfillment.StreamRequests)
			m.cut(true)
			return func() { m.cut(false) }
		}, long},
		{"two nodes killed, and back", func(c *clustered) func() {
			for _, m := range c.nodes.all[:2] {
				m.end()
			}
			return func() {
				for _, m := range c.nodes.all[:2] {
					m.start()
				}
			}
		}, 20 * time.Second},
	}
}

func TestCluster_NodesFail_NothingIsLostOrDoneTwice(t *testing.T) {
	t.Parallel()
	c := newClustered(t)
	some := []fault{{"leader of `FULFILLMENT_REQUESTS` killed, and back", killed(leaderOf(fulfillment.StreamRequests)), 3 * time.Second}}
	if lasting(0, 1) > 0 {
		some = faults()
	}
	var all []outage
	for _, f := range some {
		all = append(all, c.undergo(f))
	}
	c.audit()
	if os.Getenv("CLUSTER_DOCS") != "" && !t.Failed() {
		if err := c.publish(all); err != nil {
			t.Error(err)
		}
	}
}

// publish puts the figures into the page, between two marks.
func (c *clustered) publish(all []outage) error {
	const page, begin, end = "../../../docs/explanation/scale.md", "<!-- figures: written by make cluster -->\n", "<!-- end of make cluster -->"
	text, err := os.ReadFile(page)
	if err != nil {
		return err
	}
	before, rest, found := strings.Cut(string(text), begin)
	_, after, ended := strings.Cut(rest, end)
	if !found || !ended {
		return errors.New(page + " has no place for figures")
	}
	var b strings.Builder
	fmt.Fprintf(&b, "`make cluster`, %s, %d cores, built with the race detector: %d requests of %d subscriptions, of which none was lost, done twice, overtaken or told twice.\n\n",
		time.Now().UTC().Format("2006-01-02"), runtime.NumCPU(), len(c.connect.Requests()), len(c.chains))
	b.WriteString("| what happens | for | longest time without an approval | all ready again after |\n|---|---|---|---|\n")
	for _, o := range all {
		lasts := "–"
		if o.lasts > 0 {
			lasts = o.lasts.String()
		}
		fmt.Fprintf(&b, "| %s | %s | %.1f s | %.1f s |\n", o.name, lasts, o.gap.Seconds(), o.back.Seconds())
	}
	return os.WriteFile(page, []byte(before+begin+"\n"+b.String()+"\n"+end+after), 0o644)
}

// audit waits until all is done, ends the processes and looks at the books.
func (c *clustered) audit() {
	c.t.Helper()
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.nodes.until("everything is approved", func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		statuses := c.connect.Statuses()
		return !slices.ContainsFunc(c.chains, func(ch *chain) bool {
			return len(ch.requests) < len(steps()) || statuses[ch.requests[len(ch.requests)-1]] != "approved"
		})
	})
	for _, p := range c.all {
		if status, took := p.stop(); status != 0 {
			c.t.Errorf("ended with status %d after %s", status, took)
		}
		for _, wrong := range []string{"dead letter, stage", "were deleted", "was deleted", "DATA RACE"} {
			if lines := linesWith(p.log.String(), wrong); lines != "" {
				c.t.Errorf("a process says:\n%s", lines)
			}
		}
	}
	c.once()
	if pairs := c.vendor.Overlaps(); len(pairs) > 0 {
		c.t.Errorf("operations overlap on one asset: %+v", pairs)
	}
	c.inOrder()
	c.told()
}

// inOrder fails unless the vendor carried each subscription's requests out in
// their order.
func (c *clustered) inOrder() {
	order := map[string][]string{}
	for _, op := range c.vendor.Operations() {
		order[op.ExternalID] = append(order[op.ExternalID], op.IdempotencyKey)
	}
	for _, ch := range c.chains {
		if !slices.Equal(order[ch.asset], ch.requests) {
			c.t.Errorf("%s was carried out as %v, not %v", ch.asset, order[ch.asset], ch.requests)
		}
	}
}

// told fails unless each fact was told once, in its order.
func (c *clustered) told() {
	c.t.Helper()
	client, err := stream.Connect(c.t.Context(), stream.Options{
		URL: c.nodes.urls(), CredsFile: filepath.Join(c.nodes.keys, "operator", "operator.creds"),
		CAFile: c.env["HEADRACE_NATS_CA"], CertFile: c.env["HEADRACE_NATS_CERT"], KeyFile: c.env["HEADRACE_NATS_KEY"],
	})
	if err != nil {
		c.t.Fatal(err)
	}
	defer client.Close()
	events := map[string][]fulfillment.EventBody{}
	for m, err := range client.Read(c.t.Context(), fulfillment.StreamEvents, fulfillment.RootEvents+".>", 1) {
		if err != nil {
			c.t.Fatal(err)
		}
		var e fulfillment.EventBody
		if err := json.Unmarshal(m.Body, &e); err != nil {
			c.t.Fatal(err)
		}
		events[e.RequestID] = append(events[e.RequestID], e)
	}
	for _, ch := range c.chains {
		for _, id := range ch.requests {
			for _, wrong := range pipelinetest.Disorder(events[id]) {
				c.t.Error(wrong)
			}
			count := map[string]int{}
			for _, e := range events[id] {
				count[string(e.Event)]++
			}
			of := ""
			if len(events[id]) > 0 {
				of = string(fulfillment.SubscriptionEvent(events[id][0].Type))
			}
			for _, e := range []string{string(fulfillment.EventReceived), string(fulfillment.EventProvisioned), of, string(fulfillment.EventApproved)} {
				if count[e] != 1 {
					c.t.Errorf("%s: event %q told %d times: %s", id, e, count[e], fmt.Sprint(count))
				}
			}
		}
	}
}
