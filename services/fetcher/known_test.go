package fetcher_test

import (
	"context"
	"fmt"
	"iter"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/headrace/headrace/pkg/connect"
	"github.com/headrace/headrace/pkg/deadletter"
	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/pipelinetest"
	"github.com/headrace/headrace/pkg/stream"
	"github.com/headrace/headrace/services/fetcher"
)

// counter counts what the broker is asked for.
type counter struct {
	*stream.Client

	none error // what None fails with

	mu    sync.Mutex // guards what follows
	cost  cost
	nones int // questions of None
}

type cost struct{ Questions, Appends, Headers, Bytes int }

func (c *counter) add(questions, appends, headers, bytes int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cost.Questions += questions
	c.cost.Appends += appends
	c.cost.Headers += headers
	c.cost.Bytes += bytes
}

func (c *counter) take() cost {
	c.mu.Lock()
	defer c.mu.Unlock()
	was := c.cost
	c.cost = cost{}
	return was
}

func (c *counter) Append(ctx context.Context, m stream.Message, opts ...stream.AppendOption) (uint64, error) {
	c.add(0, 1, 0, len(m.Body))
	return c.Client.Append(ctx, m, opts...)
}

func (c *counter) Last(ctx context.Context, name, filter string) (*stream.Stored, error) {
	m, err := c.Client.Last(ctx, name, filter)
	if c.add(1, 0, 0, 0); err == nil {
		c.add(0, 0, 0, len(m.Body))
	}
	return m, err
}

func (c *counter) None(ctx context.Context, name string, filters []string) (bool, error) {
	c.add(1, 0, 0, 0)
	c.mu.Lock()
	c.nones++
	c.mu.Unlock()
	if c.none != nil {
		return false, c.none
	}
	return c.Client.None(ctx, name, filters)
}

func (c *counter) StreamState(ctx context.Context, name string) (stream.StreamState, error) {
	c.add(1, 0, 0, 0)
	return c.Client.StreamState(ctx, name)
}

func (c *counter) Read(ctx context.Context, name, filter string, from uint64) iter.Seq2[*stream.Stored, error] {
	return c.counted(c.Client.Read(ctx, name, filter, from))
}

func (c *counter) ReadHeaders(ctx context.Context, name, filter string, from uint64) iter.Seq2[*stream.Stored, error] {
	return c.counted(c.Client.ReadHeaders(ctx, name, filter, from))
}

func (c *counter) counted(seq iter.Seq2[*stream.Stored, error]) iter.Seq2[*stream.Stored, error] {
	return func(yield func(*stream.Stored, error) bool) {
		c.add(1, 0, 0, 0)
		for m, err := range seq {
			if err == nil {
				c.add(0, 0, 1, len(m.Body))
			}
			if !yield(m, err) {
				return
			}
		}
	}
}

// count has the bench's fetcher read and write through a counter, on a clock of
// the test's own.
func (b *bench) count() (*counter, func(time.Duration)) {
	c := &counter{Client: b.client}
	now := time.Now()
	cfg := b.Config
	cfg.Log, cfg.Dead, cfg.Facts = c, deadletter.NewWriter(c, nil), nil
	b.Fetcher = fetcher.New(cfg)
	b.SetNow(func() time.Time { return now })
	return c, func(d time.Duration) { now = now.Add(d) }
}

func manyRows(from, to int) []connect.Row {
	rows := make([]connect.Row, 0, to-from)
	for i := from; i < to; i++ {
		k := fulfillment.Key{Type: fulfillment.Change, Product: "PRD-1", Asset: fmt.Sprintf("AS-%d", i), Request: fmt.Sprintf("PR-%d", i)}
		rows = append(rows, row(k, at(1).Add(time.Duration(i)*time.Second)))
	}
	return rows
}

func TestPoll_ManyPending_CostsTheBrokerWhatIsNew(t *testing.T) {
	t.Parallel()
	pending, fresh := 500, 10
	if os.Getenv("HEADRACE_TEST_LONG") != "" {
		pending = 10_000
	}
	b := newBench(t)
	c, pass := b.count()
	b.rows = manyRows(0, pending-fresh)
	poll := func(what string, published int) cost {
		t.Helper()
		pass(time.Minute)
		if p := b.poll(t); p.Listed != len(b.rows) || p.Published != published || b.states["change"]["queued"] != len(b.rows) {
			t.Fatalf("%s: %+v with states %v, want %d published", what, p, b.states, published)
		}
		got := c.take()
		t.Logf("%s: %+v", what, got)
		return got
	}
	poll("all are new", pending-fresh)
	for range 3 {
		poll("all were new", 0)
	}
	if idle := poll("nothing is new", 0); idle.Questions > 6 || idle.Headers+idle.Appends+idle.Bytes > 0 {
		t.Errorf("a poll with nothing new cost %+v", idle)
	}
	b.rows = manyRows(0, pending)
	for i, most := range []int{60, 50, 50} { // opened, looked at, and once more in case a replica lagged
		published := 0
		if i == 0 {
			published = fresh
		}
		if got := poll(fmt.Sprintf("%d new, poll %d", fresh, i), published); got.Questions > most || got.Headers > 4*fresh || got.Appends > 2*fresh {
			t.Errorf("poll %d with %d new of %d pending cost %+v", i, fresh, pending, got)
		}
	}
	if idle := poll("nothing is new again", 0); idle.Questions > 6 {
		t.Errorf("a poll with nothing new cost %+v", idle)
	}
}

// What there was no room for is asked for by its assets, and is opened as well.
func TestPoll_NoRoomForRows_OpensTheOldestOfEachAsset(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.SetRoom(40)
	b.rows = manyRows(0, 130)
	older := pipelinetest.Key(fulfillment.Purchase, "PR-older")
	older.Asset = "AS-129"
	b.rows = append(b.rows, row(older, at(0)), connect.Row{Raw: []byte(`"what"`), Err: fmt.Errorf("not an object")})
	if p := b.poll(t); p.Published != 130 || p.Dead != 1 || p.Listed != 132 {
		t.Errorf("poll %+v", p)
	}
	if m := pipelinetest.Last(t, b.client, fulfillment.StreamRequests, fulfillment.HeadFilter("AS-129")); m == nil || m.Subject != older.Subject(fulfillment.RootRequests) {
		t.Errorf("the head of AS-129 is %v", m)
	}
	if p := b.poll(t); p.Published != 0 {
		t.Errorf("published %d again", p.Published)
	}
}

// Whatever happens between two polls, a fetcher that remembers says and does what
// one does that was just started.
func TestPoll_AnyHistory_AgreesWithAFetcherJustStarted(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	n := 0
	rapid.Check(t, func(rt *rapid.T) {
		n++
		b.rows = nil
		h := &life{t: t, rt: rt, b: b, round: n}
		old := fetcher.New(b.Config)
		now := time.Now()
		old.SetNow(func() time.Time { return now })
		for range rapid.IntRange(2, 4).Draw(rt, "polls") {
			for range rapid.IntRange(0, 3).Draw(rt, "changes") {
				h.change()
			}
			now = now.Add(time.Duration(rapid.IntRange(0, 20).Draw(rt, "seconds")) * time.Second)
			if _, err := old.Poll(t.Context()); err != nil {
				rt.Fatal(err)
			}
			said := b.states
			just := fetcher.New(b.Config)
			p, err := just.Poll(t.Context())
			if err != nil {
				rt.Fatal(err)
			}
			if p.Published != 0 {
				rt.Fatalf("one that was just started published %d more", p.Published)
			}
			if diff := cmp.Diff(b.states, said); diff != "" {
				rt.Fatal("says otherwise than one that was just started: ", diff)
			}
		}
	})
}

// life is what happens to two assets.
type life struct {
	t     *testing.T
	rt    *rapid.T
	b     *bench
	round int
	made  int
}

func (h *life) change() {
	asset := fmt.Sprintf("AS-%d-%d", h.round, rapid.IntRange(0, 1).Draw(h.rt, "asset"))
	head := pipelinetest.Last(h.t, h.b.client, fulfillment.StreamRequests, fulfillment.HeadFilter(asset))
	switch what := rapid.IntRange(0, 7).Draw(h.rt, "change"); {
	case what <= 1 || head == nil:
		h.made++
		k := fulfillment.Key{Type: fulfillment.Change, Product: "PRD-1", Asset: asset, Request: fmt.Sprintf("PR-%d-%d", h.round, h.made)}
		if rapid.Bool().Draw(h.rt, "kind") {
			k.Type = fulfillment.Purchase
		}
		h.b.rows = append(h.b.rows, row(k, at(1).Add(time.Duration(h.made)*time.Second)))
	case what == 2:
		if i := rapid.IntRange(-1, len(h.b.rows)-1).Draw(h.rt, "gone"); i >= 0 {
			h.b.rows = append(h.b.rows[:i:i], h.b.rows[i+1:]...)
		}
	default:
		h.happens(what, head)
	}
}

// happens lets something happen to the request that has the asset.
func (h *life) happens(what int, head *stream.Stored) {
	_, k, err := fulfillment.ParseSubject(head.Subject)
	if err != nil {
		h.rt.Fatal(err)
	}
	switch what {
	case 3:
		h.b.close(h.t, k, rapid.SampledFrom([]fulfillment.Event{
			fulfillment.EventApproved, fulfillment.EventInquiring, fulfillment.EventDiscarded, fulfillment.EventLeft,
		}).Draw(h.rt, "event"))
	case 4:
		pipelinetest.Append(h.t, h.b.client, stream.Message{
			Subject: k.Subject(fulfillment.RootRetries), Body: head.Body,
			Header: map[string]string{fulfillment.HeaderEpisode: fmt.Sprint(fulfillment.Episode(head.Header, head.Sequence))},
		})
	case 5:
		d := pipelinetest.Deliver(h.t, h.b.client, fulfillment.StreamRequests, head.Sequence, 1)
		if err := deadletter.NewWriter(h.b.client, nil).Write(h.t.Context(), deadletter.OfDelivery(d, fulfillment.StageHold, "why")); err != nil {
			h.rt.Fatal(err)
		}
	case 6:
		pipelinetest.Append(h.t, h.b.client, stream.Message{Subject: k.Subject(fulfillment.RootResults), Body: fmt.Appendf(nil,
			`{"request_id":%q,"asset_id":%q,"product_id":%q,"type":%q,"decision":"approve","episode":%d}`,
			k.Request, k.Asset, k.Product, k.Type, fulfillment.Episode(head.Header, head.Sequence))})
	case 7:
		pipelinetest.Append(h.t, h.b.client, stream.Message{Subject: k.EventSubject("noticed"), Body: []byte(`{}`)})
	}
}

// What comes of one poll lies in the streams as in the list: the next look at all
// of it reads each block of the broker's once.
func TestPoll_OfOneAge_KeepsTheListsOrder(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	cfg := b.Config
	cfg.Concurrency = 1
	b.Fetcher = fetcher.New(cfg)
	b.rows = manyRows(0, 9)
	var want, got []string
	for i := range b.rows {
		b.rows[i].Created = at(1)
		want = append(want, b.rows[i].AssetID)
	}
	b.poll(t)
	for m, err := range b.client.Read(t.Context(), fulfillment.StreamRequests, "", 1) {
		if err != nil {
			t.Fatal(err)
		}
		_, key, err := fulfillment.ParseSubject(m.Subject)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, key.Asset)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
