package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/headrace/headrace/pkg/stream/streamtest"
)

// tools are the programs that a cluster needs, built once and beside the binary:
// nats-server of the module that we embed, and the maker of keys.
var tools = sync.OnceValues(func() (string, error) {
	name, err := binary()
	if err != nil {
		return "", err
	}
	dir := filepath.Dir(name)
	for tool, pkg := range map[string]string{
		"nats-server": "github.com/nats-io/nats-server/v2", "keys": "github.com/headrace/headrace/deployments/keys",
	} {
		if out, err := exec.Command("go", "build", raceFlag, "-o", filepath.Join(dir, tool), pkg).CombinedOutput(); err != nil {
			return "", fmt.Errorf("build %s: %w: %s", pkg, err, out)
		}
	}
	return dir, nil
})

// nodes are three NATS servers as deployments/nats-cluster.conf has them, each a
// process, with lines between them that can be held up.
type nodes struct {
	t    *testing.T
	tool string
	keys string // what deployments/keys made
	all  [3]*node
}

// node is one of them.
type node struct {
	t       *testing.T
	name    string
	cmd     *exec.Cmd
	dir     string
	client  string
	monitor string
	args    []string
	tool    string
	// lines are those by which this node reaches the others, and they it.
	lines []*streamtest.Proxy
	gone  chan struct{} // closed when its process has ended
}

func newNodes(t *testing.T) *nodes {
	t.Helper()
	dir, err := tools()
	if err != nil {
		t.Fatal(err)
	}
	n := &nodes{t: t, tool: dir, keys: filepath.Join(t.TempDir(), "keys")}
	if out, err := exec.Command(filepath.Join(dir, "keys"), "-dir", n.keys, "-hosts", "127.0.0.1").CombinedOutput(); err != nil {
		t.Fatalf("make keys: %v: %s", err, out)
	}
	var cluster [3]string
	for i := range n.all {
		cluster[i] = freeAddr(t)
		n.all[i] = &node{
			t: t, name: fmt.Sprintf("nats-%d", i+1), dir: t.TempDir(), tool: filepath.Join(dir, "nats-server"),
			client: freeAddr(t), monitor: freeAddr(t),
		}
	}
	routes := make([][]string, len(n.all))
	for i, from := range n.all {
		for j, to := range n.all {
			if i == j {
				continue
			}
			line := streamtest.To(t, cluster[j])
			from.lines, to.lines = append(from.lines, line), append(to.lines, line)
			routes[i] = append(routes[i], "nats://"+line.Addr())
		}
	}
	for i, m := range n.all {
		m.prepare(n.keys, cluster[i], routes[i])
		m.start()
		t.Cleanup(m.end)
	}
	n.until("the cluster is ready", func() bool { return n.healthy() })
	return n
}

func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// prepare lays out the node's directory. What differs from the shipped
// configuration is where it listens and keeps its data.
func (m *node) prepare(keys, cluster string, routes []string) {
	m.t.Helper()
	conf, err := os.ReadFile("../../../deployments/nats-cluster.conf")
	if err != nil {
		m.t.Fatal(err)
	}
	conf = bytes.ReplaceAll(conf, []byte("store_dir: /data"), []byte("store_dir: data"))
	// And it demands a client's certificate, so that those are seen to work, too.
	conf = bytes.Replace(conf, []byte("ca_file: keys/ca.pem\n"), []byte("ca_file: keys/ca.pem\n  verify: true\n"), 1)
	if err := os.WriteFile(filepath.Join(m.dir, "nats.conf"), conf, 0o600); err != nil {
		m.t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(keys, "node"), filepath.Join(m.dir, "keys")); err != nil {
		m.t.Fatal(err)
	}
	port := func(addr string) string { _, p, _ := net.SplitHostPort(addr); return p }
	m.args = []string{
		"--config", "nats.conf", "--addr", "127.0.0.1", "--port", port(m.client), "--http_port", port(m.monitor),
		"--cluster", "nats://" + cluster, "--routes", strings.Join(routes, ","),
		// The others know it by their lines alone.
		"--cluster_advertise", "127.0.0.1:1", "--log", "nats.log",
	}
}

func (m *node) start() {
	m.t.Helper()
	m.cmd = exec.Command(m.tool, m.args...)
	m.cmd.Dir = m.dir
	m.cmd.Env = []string{"NATS_NODE=" + m.name}
	if err := m.cmd.Start(); err != nil {
		m.t.Fatal(err)
	}
	gone := make(chan struct{})
	m.gone = gone
	go func(cmd *exec.Cmd) {
		_ = cmd.Wait()
		close(gone)
	}(m.cmd)
}

func (m *node) signal(s syscall.Signal) { _ = m.cmd.Process.Signal(s) }

// end ends the node as a power cut would, and waits until it is gone.
func (m *node) end() {
	m.signal(syscall.SIGKILL)
	<-m.gone
}

// cut holds the node's lines to the others up, or lets them go on.
func (m *node) cut(on bool) {
	for _, l := range m.lines {
		l.Stall(on)
	}
}

// ask reads a page of the node's monitoring.
func (m *node) ask(path string, into any) bool {
	client := http.Client{Timeout: 5 * time.Second}
	resp, err := client.Get("http://" + m.monitor + path)
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	return resp.StatusCode == http.StatusOK && json.NewDecoder(resp.Body).Decode(into) == nil
}

// group is how a node sees a stream or a consumer.
type group struct {
	Leader   string `json:"leader"`
	Replicas []struct {
		Current bool `json:"current"`
		Offline bool `json:"offline"`
	} `json:"replicas"`
}

// state is what a node knows of our streams.
type state struct {
	Meta     group `json:"meta_cluster"`
	Accounts []struct {
		Streams []struct {
			Name      string `json:"name"`
			Cluster   group  `json:"cluster"`
			Consumers []struct {
				Name    string `json:"name"`
				Cluster group  `json:"cluster"`
			} `json:"consumer_detail"`
		} `json:"stream_detail"`
	} `json:"account_details"`
}

// leaders are the nodes that lead, by the names of streams and consumers, and
// "meta". A group of which replicas are behind or away is not among them.
func (m *node) leaders() map[string]string {
	var s state
	if !m.ask("/jsz?accounts=true&streams=true&consumers=true", &s) {
		return nil
	}
	all := map[string]string{"meta": s.Meta.Leader}
	note := func(name string, g group) {
		all[name] = g.Leader
		for _, r := range g.Replicas {
			if g.Leader == m.name && (!r.Current || r.Offline) {
				all[name] = ""
			}
		}
	}
	for _, a := range s.Accounts {
		for _, st := range a.Streams {
			note(st.Name, st.Cluster)
			for _, c := range st.Consumers {
				note(c.Name, c.Cluster)
			}
		}
	}
	return all
}

// healthy reports whether every node says that it is, and is in step.
func (n *nodes) healthy() bool {
	for _, m := range n.all {
		var health struct{ Status string }
		if !m.ask("/healthz", &health) || health.Status != "ok" {
			return false
		}
		leaders := m.leaders()
		if leaders == nil {
			return false
		}
		for _, l := range leaders {
			if l == "" {
				return false
			}
		}
	}
	return true
}

// leading is the node that leads what is named; fails if none does.
func (n *nodes) leading(what string) *node {
	n.t.Helper()
	var found *node
	n.until(what+" has a leader", func() bool {
		for _, m := range n.all {
			if m.leaders()[what] == m.name {
				found = m
				return true
			}
		}
		return false
	})
	return found
}

func (n *nodes) until(what string, reached func() bool) {
	n.t.Helper()
	deadline := time.Now().Add(patience)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !reached() {
		if time.Now().After(deadline) {
			for _, m := range n.all {
				n.t.Logf("%s: %v\n%s", m.name, m.leaders(), tail(m.log()))
			}
			n.t.Fatalf("not reached: %s", what)
		}
		<-tick.C
	}
}

func (m *node) log() string {
	text, _ := os.ReadFile(filepath.Join(m.dir, "nats.log"))
	return string(text)
}

// urls are all nodes, for HEADRACE_NATS_URL.
func (n *nodes) urls() string {
	var all []string
	for _, m := range n.all {
		all = append(all, "tls://"+m.client)
	}
	return strings.Join(all, ",")
}
