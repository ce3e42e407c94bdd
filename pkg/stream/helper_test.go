package stream_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/headrace/headrace/pkg/stream"
	"github.com/headrace/headrace/pkg/stream/streamtest"
)

const patience = 3 * time.Minute

// connect returns a Client of the broker that is closed at the test's end.
func connect(t testing.TB, b *streamtest.Broker, change ...func(*stream.Options)) *stream.Client {
	t.Helper()
	opts := stream.Options{URL: b.URL(), RetryMin: 10 * time.Millisecond, RetryMax: 20 * time.Millisecond}
	for _, f := range change {
		f(&opts)
	}
	c, err := stream.Connect(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// one is a stream WORK over work.> with a durable worker over all of it.
func one(change ...func(*stream.Consumer)) stream.Topology {
	d := stream.Consumer{Stream: "WORK", Durable: "worker", Filters: []string{"work.>"}, AckWait: 5 * time.Second}
	for _, f := range change {
		f(&d)
	}
	return stream.Topology{
		Streams:   []stream.Stream{{Name: "WORK", Subjects: []string{"work.>", "later.>"}, Schedules: true}},
		Consumers: []stream.Consumer{d},
	}
}

func apply(t testing.TB, c *stream.Client, top stream.Topology) {
	t.Helper()
	if err := c.Apply(t.Context(), top); err != nil {
		t.Fatal(err)
	}
}

// fill appends work.0 … work.n-1.
func fill(t testing.TB, c *stream.Client, n int) {
	t.Helper()
	for i := range n {
		if _, err := c.Append(t.Context(), stream.Message{Subject: fmt.Sprintf("work.%d", i), ID: fmt.Sprint(i)}); err != nil {
			t.Fatal(err)
		}
	}
}

// start runs c and returns a function that stops it and gives Run's error.
func start(t testing.TB, c *stream.Client) (stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	var err error
	stopped := false
	stop = func() error {
		if !stopped {
			stopped = true
			cancel()
			select {
			case err = <-done:
			case <-time.After(patience):
				t.Error("Run did not return")
			}
		}
		return err
	}
	t.Cleanup(func() { _ = stop() })
	return stop
}

// until polls ok until it is true.
func until(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("waited %s in vain: %s", patience, what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// within receives from ch or fails.
func within[T any](t testing.TB, what string, ch <-chan T) T {
	t.Helper()
	select {
	case v := <-ch:
		return v
	case <-time.After(patience):
		t.Fatalf("waited %s in vain: %s", patience, what)
		panic("unreachable")
	}
}
