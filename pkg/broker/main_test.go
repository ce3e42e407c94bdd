package broker_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/goleak"

	"github.com/headrace/headrace/pkg/broker"
)

const (
	childDir  = "BROKER_TEST_CHILD_DIR"
	childRole = "BROKER_TEST_CHILD_ROLE"
	deadline  = 2 * time.Minute
)

// TestMain is also the main of the child processes that own a directory, or try
// to.
func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		os.Exit(child(dir, os.Getenv(childRole)))
	}
	goleak.VerifyTestMain(m,
		// The server waits for the answer that its mirror needs for some seconds after
		// it was shut down.
		goleak.IgnoreTopFunction("github.com/nats-io/nats-server/v2/server.(*stream).setupMirrorConsumer.func3"))
}

// child serves dir and publishes, printing each acknowledged sequence, until it
// is killed; or, as "try", says how starting went.
func child(dir, role string) int {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	b, err := broker.Start(ctx, broker.Options{Dir: dir})
	if err != nil {
		fmt.Println("refused:", err)
		return 3
	}
	if role == "try" {
		fmt.Println("started")
		return 0
	}
	nc, err := nats.Connect("", nats.InProcessServer(b), nats.UserInfo(b.User(), b.Password()))
	if err != nil {
		fmt.Println("connect:", err)
		return 1
	}
	js, err := jetstream.New(nc)
	if err != nil {
		fmt.Println("jetstream:", err)
		return 1
	}
	if _, err := js.CreateOrUpdateStream(ctx, streamConfig()); err != nil {
		fmt.Println("stream:", err)
		return 1
	}
	for ctx.Err() == nil {
		ack, err := js.Publish(ctx, "t.a", []byte("x"))
		if err != nil {
			fmt.Println("publish:", err)
			return 1
		}
		fmt.Println("acked", ack.Sequence)
	}
	return 0
}

func streamConfig() jetstream.StreamConfig {
	return jetstream.StreamConfig{Name: "T", Subjects: []string{"t.>"}}
}

// spawn runs this test binary as a child on dir and returns it with the lines
// that it prints.
func spawn(t *testing.T, dir, role string) (*exec.Cmd, *bufio.Scanner) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childDir+"="+dir, childRole+"="+role)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return cmd, bufio.NewScanner(out)
}

// acked reads the child's lines until it has acknowledged n messages.
func acked(t *testing.T, lines *bufio.Scanner, n uint64) uint64 {
	t.Helper()
	for lines.Scan() {
		var seq uint64
		if _, err := fmt.Sscanf(lines.Text(), "acked %d", &seq); err != nil {
			t.Fatalf("child says %q", lines.Text())
		}
		if seq >= n {
			return seq
		}
	}
	t.Fatalf("child ended before %d acknowledgements: %v", n, lines.Err())
	return 0
}

func start(t *testing.T, o broker.Options) *broker.Broker {
	t.Helper()
	b, err := broker.Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { shutdown(t, b) })
	return b
}

func shutdown(t *testing.T, b *broker.Broker) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	if err := b.Shutdown(ctx); err != nil {
		t.Errorf("Shutdown: %v", err)
	}
}

func connect(t *testing.T, url string, opts ...nats.Option) *nats.Conn {
	t.Helper()
	nc, err := nats.Connect(url, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	return nc
}

func wantText(t *testing.T, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Fatal("no error")
	}
	for _, p := range parts {
		if !strings.Contains(err.Error(), p) {
			t.Errorf("error %q doesn't say %q", err, p)
		}
	}
}
