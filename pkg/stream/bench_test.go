package stream_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/headrace/headrace/pkg/stream"
	"github.com/headrace/headrace/pkg/stream/streamtest"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go/jetstream"
)

// Bodies of 5 KB are the size of a fulfillment request.
func body() []byte { return make([]byte, 5<<10) }

func BenchmarkAppend(b *testing.B) {
	for _, bc := range []struct {
		name string
		sync bool
		opts func(*stream.Options)
	}{
		{"lazy", false, nil},
		{"always", true, nil},
		{"always_group", true, func(o *stream.Options) { o.GroupCommit = true }},
	} {
		for _, writers := range []int{1, 16, 64} {
			b.Run(fmt.Sprintf("%s/%d", bc.name, writers), func(b *testing.B) {
				broker := streamtest.Server(b, func(o *server.Options) { o.SyncAlways = bc.sync })
				c := connect(b, broker, func(o *stream.Options) {
					o.InProcess = broker.NATS()
					if bc.opts != nil {
						bc.opts(o)
					}
				})
				apply(b, c, one())
				appendAll(b, c, writers)
			})
		}
	}
}

func appendAll(b *testing.B, c *stream.Client, writers int) {
	var next atomic.Int64
	data := body()
	done := make(chan error, writers)
	b.ResetTimer()
	for range writers {
		go func() {
			var err error
			for err == nil {
				i := next.Add(1)
				if i > int64(b.N) {
					break
				}
				subject := fmt.Sprintf("work.%d", i)
				_, err = c.Append(context.Background(), stream.Message{Subject: subject, ID: "x", Body: data}, stream.ExpectLast(subject, 0))
			}
			done <- err
		}()
	}
	for range writers {
		if err := <-done; err != nil {
			b.Error(err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "msgs/s")
}

func BenchmarkHandle(b *testing.B) {
	for _, bc := range []struct {
		slots int
		takes time.Duration
	}{{1, 0}, {64, 0}, {48, 20 * time.Millisecond}} {
		b.Run(fmt.Sprintf("%d/%s", bc.slots, bc.takes), func(b *testing.B) {
			broker := streamtest.Server(b)
			c := connect(b, broker, func(o *stream.Options) { o.InProcess = broker.NATS() })
			apply(b, c, one())
			js := broker.JetStream()
			data := body()
			for range b.N {
				if _, err := js.PublishAsync("work.x", data, jetstream.WithStallWait(time.Minute)); err != nil {
					b.Fatal(err)
				}
			}
			<-js.PublishAsyncComplete()
			var seen atomic.Int64
			all := make(chan struct{})
			c.Handle("worker", bc.slots, func(context.Context, *stream.Delivery) error {
				if bc.takes > 0 {
					time.Sleep(bc.takes) // the vendor
				}
				if seen.Add(1) == int64(b.N) {
					close(all)
				}
				return nil
			})
			b.ResetTimer()
			start(b, c)
			<-all
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "msgs/s")
		})
	}
}
