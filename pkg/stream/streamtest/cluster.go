package streamtest

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// Cluster starts three brokers that replicate to each other.
func Cluster(t testing.TB) []*Broker {
	t.Helper()
	const size = 3
	all, lines := make([]*Broker, size), make([][]*Proxy, size)
	ports, routes := make([]int, size), make([][]string, size)
	for i := range ports {
		ports[i] = freePort(t)
	}
	for i := range ports {
		for j, port := range ports {
			if i == j {
				continue
			}
			line := To(t, fmt.Sprintf("127.0.0.1:%d", port))
			lines[i], lines[j] = append(lines[i], line), append(lines[j], line)
			routes[i] = append(routes[i], line.URL())
		}
	}
	for i := range all {
		b := &Broker{t: t, lines: lines[i], opts: server.Options{
			ServerName: fmt.Sprintf("n%d", i), Host: "127.0.0.1", Port: freePort(t), NoSigs: true, NoLog: true,
			JetStream: true, StoreDir: t.TempDir(), Routes: server.RoutesFromStr(strings.Join(routes[i], ",")),
			// The others know it by their lines alone.
			Cluster: server.ClusterOpts{Name: "test", Host: "127.0.0.1", Port: ports[i], Advertise: "127.0.0.1:1"},
		}}
		b.Start()
		t.Cleanup(b.Stop)
		all[i] = b
	}
	deadline := time.Now().Add(30 * time.Second)
	for !ready(all) {
		if time.Now().After(deadline) {
			t.Fatal("cluster is not ready after 30 s")
		}
		time.Sleep(20 * time.Millisecond)
	}
	return all
}

// CutOff holds up the lines between a broker of a Cluster and the others, or lets
// them go on.
func (b *Broker) CutOff(on bool) {
	for _, l := range b.lines {
		l.Stall(on)
	}
}

// ready: one leads, and every server is known to it.
func ready(all []*Broker) bool {
	for _, b := range all {
		if b.srv.JetStreamIsLeader() {
			return len(b.srv.JetStreamClusterPeers()) == len(all) && b.srv.NumRoutes() > 0
		}
	}
	return false
}

func freePort(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("find a port: %v", err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}
