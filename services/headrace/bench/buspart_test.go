package bench

import (
	"context"
	"fmt"
	"os/exec"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	natsd "github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/headrace/headrace/pkg/stream"
	"github.com/headrace/headrace/pkg/stream/streamtest"
)

const (
	workStream, workDurable = "WORK", "worker"

	bodySize = 5 << 10 // of a request
	loadSize = 120_000 // messages that are published or consumed
	hopSize  = 3000
	window   = 256
)

// site is a broker in this process with a stream and a durable, and who speaks
// to it: our layer, and nats.go alone.
type site struct {
	t      *testing.T
	broker *streamtest.Broker
	client *stream.Client
	js     jetstream.JetStream
	body   []byte
	leave  func()
}

func newSite(t *testing.T, s setting, always bool) *site {
	t.Helper()
	b := streamtest.Server(t, func(o *natsd.Options) { o.SyncAlways, o.StoreDir = always, s.dir })
	c, err := stream.Connect(t.Context(), stream.Options{InProcess: b.NATS(), GroupCommit: always})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Apply(t.Context(), stream.Topology{
		Streams:   []stream.Stream{{Name: workStream, Subjects: []string{"work.>"}}},
		Consumers: []stream.Consumer{{Stream: workStream, Durable: workDurable}},
	}); err != nil {
		t.Fatal(err)
	}
	nc, err := nats.Connect("", nats.InProcessServer(b.NATS()))
	if err != nil {
		t.Fatal(err)
	}
	js, err := jetstream.New(nc, jetstream.WithPublishAsyncMaxPending(window))
	if err != nil {
		t.Fatal(err)
	}
	return &site{t: t, broker: b, client: c, js: js, body: make([]byte, bodySize), leave: func() {
		c.Close()
		nc.Close()
		b.Stop()
	}}
}

// must ends nothing, so that it can be called by any goroutine.
func (s *site) must(err error) {
	if err != nil {
		s.t.Error(err)
	}
}

// ours is a message for our layer, and plain the same for nats.go.
func (s *site) ours(subject string) stream.Message {
	return stream.Message{Subject: subject, ID: "x", Body: s.body}
}

func (s *site) plain(subject string) *nats.Msg {
	return &nats.Msg{Subject: subject, Data: s.body, Header: nats.Header{"_watermill_message_uuid": {"x"}}}
}

// fill publishes, so that what is measured next does not pay for it.
func (s *site) fill(n int, message func(i int) *nats.Msg) {
	s.t.Helper()
	s.push(n, message)
	runtime.GC()
	s.must(exec.CommandContext(s.t.Context(), "sync").Run())
}

// push publishes as fast as nats.go does.
func (s *site) push(n int, message func(i int) *nats.Msg) {
	s.t.Helper()
	for i := range n {
		if _, err := s.js.PublishMsgAsync(message(i), jetstream.WithStallWait(patience)); err != nil {
			s.t.Fatal(err)
		}
	}
	<-s.js.PublishAsyncComplete()
}

func (s *site) load() { s.fill(loadSize, func(int) *nats.Msg { return s.plain("work.x") }) }

// acknowledged waits until the broker has every acknowledgement.
func (s *site) acknowledged() {
	for s.broker.Pending(workStream, workDurable) > 0 {
		<-time.After(time.Millisecond)
	}
}

// serve runs a handler until the function that it returns is called.
func (s *site) serve(concurrency int, h stream.Handler) (stop func()) {
	s.client.Handle(workDurable, concurrency, h)
	ctx, cancel := context.WithCancel(s.t.Context())
	done := make(chan error, 1)
	go func() { done <- s.client.Run(ctx) }()
	return func() {
		cancel()
		s.must(<-done)
	}
}

// messages hands out what nats.go's iterator yields, until stop.
func (s *site) messages() (work <-chan jetstream.Msg, stop func()) {
	s.t.Helper()
	cons, err := s.js.Consumer(s.t.Context(), workStream, workDurable)
	if err != nil {
		s.t.Fatal(err)
	}
	it, err := cons.Messages()
	if err != nil {
		s.t.Fatal(err)
	}
	out := make(chan jetstream.Msg)
	go func() {
		defer close(out)
		for {
			m, err := it.Next()
			if err != nil {
				return
			}
			out <- m
		}
	}()
	return out, it.Stop
}

// times calls do for 0 … n-1, by so many goroutines, and returns how often a
// second.
func times(workers, n int, do func(i int)) float64 {
	var next atomic.Int64
	var wg sync.WaitGroup
	began := time.Now()
	for range workers {
		wg.Go(func() {
			for i := int(next.Add(1)); i <= n; i = int(next.Add(1)) {
				do(i)
			}
		})
	}
	wg.Wait()
	return float64(n) / time.Since(began).Seconds()
}

func publishOurs(t *testing.T, set setting) readings {
	s := newSite(t, set, false)
	defer s.leave()
	return readings{"rate": times(64, loadSize, func(int) {
		_, err := s.client.Append(t.Context(), s.ours("work.x"))
		s.must(err)
	})}
}

func publishAsync(t *testing.T, set setting) readings {
	s := newSite(t, set, false)
	defer s.leave()
	return readings{"rate": times(1, 1, func(int) {
		s.push(loadSize, func(int) *nats.Msg { return s.plain("work.x") })
	}) * loadSize}
}

// count returns a function that is to be called for each message, and a channel
// that is closed with the last.
func count(n int) (one func(), all <-chan struct{}) {
	var seen atomic.Int64
	done := make(chan struct{})
	return func() {
		if seen.Add(1) == int64(n) {
			close(done)
		}
	}, done
}

func (s *site) consumed(began time.Time, all <-chan struct{}) readings {
	<-all
	s.acknowledged()
	return readings{"rate": loadSize / time.Since(began).Seconds()}
}

func consumeSubscriber(t *testing.T, set setting) readings {
	s := newSite(t, set, false)
	defer s.leave()
	s.load()
	sub := stream.NewSubscriber(s.client, stream.SubscriberConfig{Concurrency: 64})
	one, all := count(loadSize)
	began := time.Now()
	ch, err := sub.Subscribe(t.Context(), workDurable)
	if err != nil {
		t.Fatal(err)
	}
	acknowledge(ch, one)
	got := s.consumed(began, all)
	s.must(sub.Close())
	return got
}

// acknowledge has 64 goroutines read and acknowledge.
func acknowledge(ch <-chan *message.Message, one func()) {
	for range 64 {
		go func() {
			for m := range ch {
				m.Ack()
				one()
			}
		}()
	}
}

func consumeRouter(t *testing.T, set setting) readings {
	s := newSite(t, set, false)
	defer s.leave()
	s.load()
	one, all := count(loadSize)
	began := time.Now()
	stop := s.serve(64, func(context.Context, *stream.Delivery) error { one(); return nil })
	defer stop()
	return s.consumed(began, all)
}

func consumeMessages(t *testing.T, set setting) readings {
	s := newSite(t, set, false)
	defer s.leave()
	s.load()
	one, all := count(loadSize)
	began := time.Now()
	work, stop := s.messages()
	defer stop()
	for range 64 {
		go func() {
			for m := range work {
				s.must(m.Ack())
				one()
			}
		}()
	}
	return s.consumed(began, all)
}

// busy leaves out the start, and its end, when no backlog is left.
func busy(t *testing.T, set setting) readings {
	const from, to, all = 500, 8500, 10_000
	s := newSite(t, set, false)
	defer s.leave()
	s.fill(all, func(int) *nats.Msg { return s.plain("work.x") })
	var seen atomic.Int64
	first, last := make(chan time.Time, 1), make(chan time.Time, 1)
	stop := s.serve(48, func(context.Context, *stream.Delivery) error {
		<-time.After(20 * time.Millisecond)
		switch seen.Add(1) {
		case from:
			first <- time.Now()
		case to:
			last <- time.Now()
		}
		return nil
	})
	defer stop()
	began := <-first
	return readings{"rate": (to - from) / (<-last).Sub(began).Seconds()}
}

// hops publishes one after the other and tells how long each took to its
// handler.
func hops(at <-chan time.Time, publish func()) readings {
	const warm = 200
	var took []float64
	for i := range hopSize + warm {
		began := time.Now()
		publish()
		d := (<-at).Sub(began)
		if i >= warm {
			took = append(took, float64(d.Nanoseconds())/1000)
		}
		<-time.After(200 * time.Microsecond) // until it is acknowledged, and all is quiet
	}
	return readings{"p50": quantile(took, 0.5), "p99": quantile(took, 0.99)}
}

func hopOurs(t *testing.T, set setting) readings {
	s := newSite(t, set, false)
	defer s.leave()
	at := make(chan time.Time, 1)
	stop := s.serve(64, func(context.Context, *stream.Delivery) error { at <- time.Now(); return nil })
	defer stop()
	return hops(at, func() {
		_, err := s.client.Append(t.Context(), s.ours("work.x"))
		s.must(err)
	})
}

func hopMessages(t *testing.T, set setting) readings {
	s := newSite(t, set, false)
	defer s.leave()
	at := make(chan time.Time, 1)
	work, stop := s.messages()
	defer stop()
	for range 64 {
		go func() {
			for m := range work {
				at <- time.Now()
				s.must(m.Ack())
			}
		}()
	}
	return hops(at, func() {
		_, err := s.js.PublishMsg(t.Context(), s.plain("work.x"))
		s.must(err)
	})
}

// alwaysOurs stores what a handler stores: each only if its subject has nothing.
func alwaysOurs(workers, n int) func(*testing.T, setting) readings {
	return func(t *testing.T, set setting) readings {
		s := newSite(t, set, true)
		defer s.leave()
		return readings{"rate": times(workers, n, func(i int) {
			m := s.ours(fmt.Sprintf("work.%d", i))
			_, err := s.client.Append(t.Context(), m, stream.ExpectLast(m.Subject, 0))
			s.must(err)
		})}
	}
}

func alwaysPlain(workers, n int) func(*testing.T, setting) readings {
	return func(t *testing.T, set setting) readings {
		s := newSite(t, set, true)
		defer s.leave()
		return readings{"rate": times(workers, n, func(i int) {
			_, err := s.js.PublishMsg(t.Context(), s.plain(fmt.Sprintf("work.%d", i)), jetstream.WithExpectLastSequencePerSubject(0))
			s.must(err)
		})}
	}
}
