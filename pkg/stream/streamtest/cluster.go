package streamtest

import (
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// Cluster starts three brokers that replicate to each other.
func Cluster(t testing.TB) []*Broker {
	t.Helper()
	const size = 3
	routes := ""
	ports := make([]int, size)
	for i := range ports {
		ports[i] = freePort(t)
		routes += fmt.Sprintf(",nats://127.0.0.1:%d", ports[i])
	}
	all := make([]*Broker, size)
	for i := range all {
		b := &Broker{t: t, opts: server.Options{
			ServerName: fmt.Sprintf("n%d", i), Host: "127.0.0.1", Port: freePort(t), NoSigs: true, NoLog: true,
			JetStream: true, StoreDir: t.TempDir(), Routes: server.RoutesFromStr(routes[1:]),
			Cluster: server.ClusterOpts{Name: "test", Host: "127.0.0.1", Port: ports[i]},
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
