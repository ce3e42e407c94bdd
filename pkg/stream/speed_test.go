package stream_test

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/headrace/headrace/pkg/stream"
	"github.com/headrace/headrace/pkg/stream/streamtest"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// BenchmarkBus compares our layer with what nats.go does alone, in one run: the
// rows of a pair take turns, and the median of their ratios is reported. Run it
// with -benchtime 1x; each row measures as much as it needs.
//
//	go test -run '^$' -bench BenchmarkBus/publish -benchtime 1x ./pkg/stream
func BenchmarkBus(b *testing.B) {
	for _, p := range pairs() {
		b.Run(p.name, func(b *testing.B) {
			var ratios []float64
			var ours, theirs []float64
			for range rounds() {
				t := alone(b, p.theirs)
				o := alone(b, p.ours)
				ours, theirs = append(ours, o), append(theirs, t)
				ratios = append(ratios, o/t)
			}
			b.ReportMetric(median(ours), "ours")
			b.ReportMetric(median(theirs), "theirs")
			b.ReportMetric(median(ratios), "ratio")
			b.ReportMetric(0, "ns/op")
		})
	}
}

func rounds() int {
	n, err := strconv.Atoi(os.Getenv("BUS_ROUNDS"))
	if err != nil {
		return 5
	}
	return n
}

func median(of []float64) float64 {
	s := slices.Clone(of)
	slices.SortFunc(s, cmp.Compare[float64])
	return s[len(s)/2]
}

// alone measures with what others left behind out of the way.
func alone(b *testing.B, measure func(*testing.B) float64) (v float64) {
	runtime.GC()
	return measure(b)
}

type pair struct {
	name         string
	ours, theirs func(*testing.B) float64
}

func pairs() []pair {
	return []pair{
		{"publish", publishOurs(60_000), publishAsync(60_000)},
		{"publisher", publisherOurs(60_000), publishAsync(60_000)},
		{"subscriber", consumeOurs(60_000), consumeMessages(60_000)},
		{"router", consumeRouter(60_000), consumeMessages(60_000)},
		{"busy", busyRouter(8_000), func(*testing.B) float64 { return 48 / 0.020 }},
		{"hop50", hopOurs(3_000, 0.5), hopTheirs(3_000, 0.5)},
		{"hop99", hopOurs(3_000, 0.99), hopTheirs(3_000, 0.99)},
		{"always64", alwaysOurs(64, 6_000), alwaysTheirs(64, 3_000)},

		{"always1", alwaysOurs(1, 1_500), alwaysTheirs(1, 1_500)},
		{"always21", alwaysOurs(21, 3_000), alwaysTheirs(21, 3_000)},
		{"mixedsingle", mixed(3000, true, false, func(*stream.Options) {}), loop},
		{"mixedgroup", mixed(3000, true, false, group), loop},
		{"mixedchain", mixed(3000, true, true, group), loop},
		{"mixedlazy", mixed(3000, false, true, func(*stream.Options) {}), loop},
		{"replay", replayOurs(events()), replayTheirs(events())},
	}
}

func group(o *stream.Options) { o.GroupCommit = true }

func loop(*testing.B) float64 { return 63 / 0.060 }

func events() int {
	n, err := strconv.Atoi(os.Getenv("BUS_EVENTS"))
	if err != nil {
		return 200_000
	}
	return n
}

// raw is a connection of nats.go's alone to a broker in the process.
func raw(b *testing.B, broker *streamtest.Broker, opts ...jetstream.JetStreamOpt) jetstream.JetStream {
	b.Helper()
	nc, err := nats.Connect("", nats.InProcessServer(broker.NATS()))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(nc.Close)
	js, err := jetstream.New(nc, opts...)
	if err != nil {
		b.Fatal(err)
	}
	return js
}

// site is a broker with WORK and its worker, and a Client in its process.
func site(b *testing.B, always bool, change ...func(*stream.Options)) (*streamtest.Broker, *stream.Client, func()) {
	b.Helper()
	dir, err := os.MkdirTemp("", "bus")
	if err != nil {
		b.Fatal(err)
	}
	broker := streamtest.Server(b, func(o *server.Options) { o.SyncAlways, o.StoreDir = always, dir })
	c := connect(b, broker, append(change, func(o *stream.Options) { o.InProcess = broker.NATS() })...)
	apply(b, c, one())
	return broker, c, func() {
		c.Close()
		broker.Stop()
		_ = os.RemoveAll(dir)
	}
}

func perSecond(n int, began time.Time) float64 { return float64(n) / time.Since(began).Seconds() }

func publishOurs(n int) func(*testing.B) float64 {
	return func(b *testing.B) float64 {
		_, c, done := site(b, false)
		defer done()
		data := body()
		began := time.Now()
		each(b, 64, n, func(i int) error {
			_, err := c.Append(context.Background(), stream.Message{Subject: "work.x", ID: "x", Body: data})
			return err
		})
		return perSecond(n, began)
	}
}

func publisherOurs(n int) func(*testing.B) float64 {
	return func(b *testing.B) float64 {
		_, c, done := site(b, false)
		defer done()
		data := body()
		pub := stream.NewPublisher(c)
		began := time.Now()
		each(b, 64, n, func(i int) error { return pub.Publish("work.x", message.NewMessage("x", data)) })
		return perSecond(n, began)
	}
}

func each(b *testing.B, workers, n int, do func(i int) error) {
	var next atomic.Int64
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for {
				i := int(next.Add(1))
				if i > n {
					return
				}
				if err := do(i); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}

func publishAsync(n int) func(*testing.B) float64 {
	return func(b *testing.B) float64 {
		broker, _, done := site(b, false)
		defer done()
		js := raw(b, broker, jetstream.WithPublishAsyncMaxPending(256))
		began := time.Now()
		load(b, js, n)
		return perSecond(n, began)
	}
}

func load(b *testing.B, js jetstream.JetStream, n int) {
	b.Helper()
	data := body()
	for range n {
		m := &nats.Msg{Subject: "work.x", Data: data, Header: nats.Header{"_watermill_message_uuid": {"x"}}}
		if _, err := js.PublishMsgAsync(m, jetstream.WithStallWait(time.Minute)); err != nil {
			b.Fatal(err)
		}
	}
	<-js.PublishAsyncComplete()
}

func loaded(b *testing.B, n int) (*streamtest.Broker, *stream.Client, func()) {
	broker, c, done := site(b, false)
	load(b, raw(b, broker, jetstream.WithPublishAsyncMaxPending(256)), n)
	return broker, c, done
}

func consumeOurs(n int) func(*testing.B) float64 {
	return func(b *testing.B) float64 {
		broker, c, done := loaded(b, n)
		defer done()
		sub := stream.NewSubscriber(c, stream.SubscriberConfig{Concurrency: 64})
		began := time.Now()
		ch, err := sub.Subscribe(context.Background(), "worker")
		if err != nil {
			b.Fatal(err)
		}
		var seen atomic.Int64
		all := make(chan struct{})
		for range 64 {
			go func() {
				for m := range ch {
					m.Ack()
					if seen.Add(1) == int64(n) {
						close(all)
					}
				}
			}()
		}
		<-all
		acked(broker)
		rate := perSecond(n, began)
		_ = sub.Close()
		return rate
	}
}

// acked waits until the broker has every acknowledgement.
func acked(broker *streamtest.Broker) {
	js := broker.JetStream()
	for {
		c, err := js.Consumer(context.Background(), "WORK", "worker")
		if err == nil && c.CachedInfo().NumAckPending == 0 {
			return
		}
		time.Sleep(time.Millisecond)
	}
}

func consumeRouter(n int) func(*testing.B) float64 {
	return func(b *testing.B) float64 {
		broker, c, done := loaded(b, n)
		defer done()
		var seen atomic.Int64
		all := make(chan struct{})
		c.Handle("worker", 64, func(context.Context, *stream.Delivery) error {
			if seen.Add(1) == int64(n) {
				close(all)
			}
			return nil
		})
		began := time.Now()
		stop := start(b, c)
		<-all
		acked(broker)
		rate := perSecond(n, began)
		_ = stop()
		return rate
	}
}

func busyRouter(n int) func(*testing.B) float64 {
	return func(b *testing.B) float64 {
		_, c, done := loaded(b, n)
		defer done()
		var seen atomic.Int64
		var first time.Time
		all := make(chan struct{})
		const from = 480 // the start is not what is measured
		c.Handle("worker", 48, func(context.Context, *stream.Delivery) error {
			time.Sleep(20 * time.Millisecond)
			switch seen.Add(1) {
			case from:
				first = time.Now()
			case int64(n):
				close(all)
			}
			return nil
		})
		stop := start(b, c)
		<-all
		rate := perSecond(n-from, first)
		_ = stop()
		return rate
	}
}

func consumeMessages(n int) func(*testing.B) float64 {
	return func(b *testing.B) float64 {
		broker, _, done := loaded(b, n)
		defer done()
		js := raw(b, broker)
		began := time.Now()
		cons, err := js.Consumer(context.Background(), "WORK", "worker")
		if err != nil {
			b.Fatal(err)
		}
		it, err := cons.Messages()
		if err != nil {
			b.Fatal(err)
		}
		work := make(chan jetstream.Msg)
		var seen atomic.Int64
		all := make(chan struct{})
		for range 64 {
			go func() {
				for m := range work {
					_ = m.Ack()
					if seen.Add(1) == int64(n) {
						close(all)
					}
				}
			}()
		}
		for range n {
			m, err := it.Next()
			if err != nil {
				b.Fatal(err)
			}
			work <- m
		}
		close(work)
		<-all
		acked(broker)
		rate := perSecond(n, began)
		it.Stop()
		return rate
	}
}

// hopOurs is the time from a publish to its handler, in µs.
func hopOurs(n int, q float64) func(*testing.B) float64 {
	return func(b *testing.B) float64 {
		_, c, done := site(b, false)
		defer done()
		at := make(chan time.Time, 1)
		c.Handle("worker", 64, func(context.Context, *stream.Delivery) error {
			at <- time.Now()
			return nil
		})
		stop := start(b, c)
		data := body()
		took := hops(n, at, func() {
			if _, err := c.Append(context.Background(), stream.Message{Subject: "work.x", ID: "x", Body: data}); err != nil {
				b.Error(err)
			}
		})
		_ = stop()
		return quantile(took, q)
	}
}

func hops(n int, at <-chan time.Time, publish func()) []time.Duration {
	took := make([]time.Duration, 0, n)
	for i := range n + 200 {
		began := time.Now()
		publish()
		d := (<-at).Sub(began)
		if i >= 200 {
			took = append(took, d)
		}
		time.Sleep(200 * time.Microsecond) // unloaded: the acknowledgement is over
	}
	return took
}

func quantile(took []time.Duration, q float64) float64 {
	slices.Sort(took)
	return float64(took[int(q*float64(len(took)-1))].Nanoseconds()) / 1000
}

func hopTheirs(n int, q float64) func(*testing.B) float64 {
	return func(b *testing.B) float64 {
		broker, _, done := site(b, false)
		defer done()
		js := raw(b, broker)
		cons, err := js.Consumer(context.Background(), "WORK", "worker")
		if err != nil {
			b.Fatal(err)
		}
		it, err := cons.Messages()
		if err != nil {
			b.Fatal(err)
		}
		work := make(chan jetstream.Msg)
		at := make(chan time.Time, 1)
		for range 64 {
			go func() {
				for m := range work {
					at <- time.Now()
					_ = m.Ack()
				}
			}()
		}
		go func() {
			defer close(work)
			for {
				m, err := it.Next()
				if err != nil {
					return
				}
				work <- m
			}
		}()
		data := body()
		took := hops(n, at, func() {
			m := &nats.Msg{Subject: "work.x", Data: data, Header: nats.Header{"_watermill_message_uuid": {"x"}}}
			if _, err := js.PublishMsg(context.Background(), m); err != nil {
				b.Error(err)
			}
		})
		it.Stop()
		return quantile(took, q)
	}
}

func alwaysOurs(writers, n int) func(*testing.B) float64 {
	return func(b *testing.B) float64 {
		_, c, done := site(b, true, func(o *stream.Options) { o.GroupCommit = true })
		defer done()
		data := body()
		began := time.Now()
		each(b, writers, n, func(i int) error {
			subject := fmt.Sprintf("work.%d", i)
			_, err := c.Append(context.Background(), stream.Message{Subject: subject, ID: "x", Body: data}, stream.ExpectLast(subject, 0))
			return err
		})
		return perSecond(n, began)
	}
}

func alwaysTheirs(writers, n int) func(*testing.B) float64 {
	return func(b *testing.B) float64 {
		broker, _, done := site(b, true)
		defer done()
		js := raw(b, broker)
		data := body()
		began := time.Now()
		each(b, writers, n, func(i int) error {
			m := &nats.Msg{Subject: fmt.Sprintf("work.%d", i), Data: data, Header: nats.Header{"_watermill_message_uuid": {"x"}}}
			_, err := js.PublishMsg(context.Background(), m, jetstream.WithExpectLastSequencePerSubject(0))
			return err
		})
		return perSecond(n, began)
	}
}

// stored is a broker with n events of 1.5 KB, made once.
var stored struct {
	broker *streamtest.Broker
	client *stream.Client
}

func history(b *testing.B, n int) (*streamtest.Broker, *stream.Client) {
	if stored.broker != nil {
		return stored.broker, stored.client
	}
	broker, c, _ := site(b, false)
	js := raw(b, broker, jetstream.WithPublishAsyncMaxPending(1024))
	data := make([]byte, 1500)
	for i := range n {
		m := &nats.Msg{Subject: fmt.Sprintf("work.purchase.%d", i%1000), Data: data, Header: nats.Header{}}
		m.Header["_watermill_message_uuid"] = []string{strconv.Itoa(i)}
		for _, k := range []string{"ce-id", "ce-type", "ce-source", "ce-specversion", "ce-time", "ce-subject", "ce-dataschema", "ce-datacontenttype", "hr-episode", "hr-attempt"} {
			m.Header[k] = []string{"2026-11-22T17:00:00.000000000Z"}
		}
		if _, err := js.PublishMsgAsync(m, jetstream.WithStallWait(time.Minute)); err != nil {
			b.Fatal(err)
		}
	}
	<-js.PublishAsyncComplete()
	stored.broker, stored.client = broker, c
	return broker, c
}

func replayOurs(n int) func(*testing.B) float64 {
	return func(b *testing.B) float64 {
		_, c := history(b, n)
		began := time.Now()
		seen := 0
		for s, err := range c.Read(context.Background(), "WORK", "", 1) {
			if err != nil {
				b.Fatal(err)
			}
			if s.Header["ce-id"] != "" {
				seen++
			}
		}
		if seen != n {
			b.Fatalf("read %d of %d", seen, n)
		}
		return perSecond(n, began)
	}
}

func replayTheirs(n int) func(*testing.B) float64 {
	return func(b *testing.B) float64 {
		broker, _ := history(b, n)
		js := raw(b, broker)
		began := time.Now()
		cons, err := js.OrderedConsumer(context.Background(), "WORK", jetstream.OrderedConsumerConfig{})
		if err != nil {
			b.Fatal(err)
		}
		it, err := cons.Messages()
		if err != nil {
			b.Fatal(err)
		}
		seen := 0
		for range n {
			m, err := it.Next()
			if err != nil {
				b.Fatal(err)
			}
			if m.Headers().Get("ce-id") != "" {
				seen++
			}
		}
		rate := perSecond(n, began)
		it.Stop()
		return rate
	}
}

// mixed is what a purchase writes, by as many handlers as write it: 21 that store
// an intent, call the vendor and store a result, 42 that call Connect twice and
// tell three events, and a fetcher. A call takes 20 ms.
func mixed(n int, always, chained bool, change func(*stream.Options)) func(*testing.B) float64 {
	return func(b *testing.B) float64 {
		_, c, done := site(b, always, change)
		defer done()
		apply(b, c, stream.Topology{Streams: []stream.Stream{
			{Name: "REQ", Subjects: []string{"req.>"}}, {Name: "RES", Subjects: []string{"res.>"}}, {Name: "EVT", Subjects: []string{"evt.>"}},
		}})
		ctx := context.Background()
		put := func(subject string, size int) {
			if _, err := c.Append(ctx, stream.Message{Subject: subject, ID: "x", Body: make([]byte, size)}, stream.ExpectLast(subject, 0)); err != nil {
				b.Error(err)
			}
		}
		requests, results := make(chan int, 100), make(chan int, n)
		var fetched, typed, committed sync.WaitGroup
		var next, told atomic.Int64
		var first time.Time
		var rate float64
		for range 8 {
			fetched.Go(func() {
				for i := int(next.Add(1)); i <= n; i = int(next.Add(1)) {
					put(fmt.Sprintf("req.%d", i), 5500)
					put(fmt.Sprintf("evt.%d.received", i), 1700)
					requests <- i
				}
			})
		}
		for range 21 {
			typed.Go(func() {
				for i := range requests {
					put(fmt.Sprintf("res.intent.%d", i), 900)
					time.Sleep(20 * time.Millisecond)
					put(fmt.Sprintf("res.result.%d", i), 1100)
					results <- i
				}
			})
		}
		for range 42 {
			committed.Go(func() {
				for i := range results {
					time.Sleep(20 * time.Millisecond)
					time.Sleep(20 * time.Millisecond)
					filter := fmt.Sprintf("evt.%d.*", i)
					last, err := c.Last(ctx, "EVT", filter)
					if err != nil {
						b.Error(err)
						return
					}
					var ms []stream.Message
					for _, e := range []string{"provisioned", "activated", "approved"} {
						ms = append(ms, stream.Message{Subject: fmt.Sprintf("evt.%d.%s", i, e), ID: "x", Body: make([]byte, 1700)})
					}
					tell(b, c, filter, last.Sequence, ms, chained)
					switch told.Add(1) {
					case 200:
						first = time.Now()
					case int64(n):
						rate = perSecond(n-200, first)
					}
				}
			})
		}
		fetched.Wait()
		close(requests)
		typed.Wait()
		close(results)
		committed.Wait()
		return rate
	}
}

func tell(b *testing.B, c *stream.Client, filter string, last uint64, ms []stream.Message, chained bool) {
	if chained {
		if _, err := c.AppendChain(context.Background(), filter, last, ms...); err != nil {
			b.Error(err)
		}
		return
	}
	for _, m := range ms {
		seq, err := c.Append(context.Background(), m, stream.ExpectLast(filter, last))
		if err != nil {
			b.Error(err)
		}
		last = seq
	}
}
