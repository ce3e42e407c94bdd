package stream_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/headrace/headrace/pkg/stream"
	"github.com/headrace/headrace/pkg/stream/streamtest"
	"github.com/nats-io/nats-server/v2/server"
)

func withUser(o *server.Options) { o.Username, o.Password = "head", "race" }

func TestConnect_WrongBroker_SaysWhy(t *testing.T) {
	t.Parallel()
	locked := streamtest.Server(t, withUser)
	plain := streamtest.Server(t, func(o *server.Options) { o.JetStream = false })
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() }) // accepts and says nothing
	for name, tc := range map[string]struct {
		opts stream.Options
		want error
	}{
		"nobody there":         {stream.Options{URL: "nats://127.0.0.1:1"}, stream.ErrUnreachable},
		"says nothing":         {stream.Options{URL: "nats://" + l.Addr().String(), ConnectTimeout: 300 * time.Millisecond}, stream.ErrUnreachable},
		"no password":          {stream.Options{URL: locked.URL()}, stream.ErrCredentials},
		"wrong password":       {stream.Options{URL: locked.URL(), User: "head", Password: "x"}, stream.ErrCredentials},
		"no creds file":        {stream.Options{URL: locked.URL(), CredsFile: "/nonexistent"}, stream.ErrCredentials},
		"no JetStream":         {stream.Options{URL: plain.URL()}, stream.ErrNoJetStream},
		"in process, wrong":    {stream.Options{InProcess: locked.NATS(), User: "head", Password: "x"}, stream.ErrCredentials},
		"in process, none":     {stream.Options{InProcess: locked.NATS()}, stream.ErrCredentials},
		"in process, no JS":    {stream.Options{InProcess: plain.NATS()}, stream.ErrNoJetStream},
		"several, none of use": {stream.Options{URL: "nats://127.0.0.1:1, nats://127.0.0.1:2"}, stream.ErrUnreachable},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			begin := time.Now()
			c, err := stream.Connect(t.Context(), tc.opts)
			if !errors.Is(err, tc.want) || c != nil {
				t.Errorf("Connect = %v, %v; want %v", c, err, tc.want)
			}
			if d := time.Since(begin); d > 30*time.Second {
				t.Errorf("took %s", d)
			}
		})
	}
}

func TestConnect_InProcessWithPassword_Works(t *testing.T) {
	t.Parallel()
	b := streamtest.Server(t, withUser)
	c, err := stream.Connect(t.Context(), stream.Options{InProcess: b.NATS(), User: "head", Password: "race"})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	apply(t, c, one())
	fill(t, c, 1)
	s := c.Status()
	if !s.Connected || s.ServerID != b.NATS().ID() {
		t.Errorf("Status = %+v", s)
	}
}

func TestConnect_ContextEnds_Returns(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, cancel)
	_, err = stream.Connect(ctx, stream.Options{URL: "nats://" + l.Addr().String(), ConnectTimeout: time.Second})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("Connect = %v", err)
	}
	_ = l.Close()
}

func TestConnect_PasswordInURL_IsNotInTheError(t *testing.T) {
	t.Parallel()
	_, err := stream.Connect(t.Context(), stream.Options{URL: "nats://user:hush@127.0.0.1:1"})
	if err == nil || strings.Contains(err.Error(), "hush") {
		t.Errorf("Connect = %v", err)
	}
}

func TestOptions_Faults_AllNamed(t *testing.T) {
	t.Parallel()
	err := stream.Options{CertFile: "c", Replicas: 7, RetryMin: 2, RetryMax: 1}.Validate()
	for _, want := range []string{"no broker", "KeyFile", "replicas", "RetryMax"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q not named in: %v", want, err)
		}
	}
}
