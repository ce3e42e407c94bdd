package fetcher_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/headrace/headrace/pkg/connect"
	"github.com/headrace/headrace/pkg/deadletter"
	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/pipelinetest"
	"github.com/headrace/headrace/pkg/stream"
	"github.com/headrace/headrace/pkg/stream/streamtest"
	"github.com/headrace/headrace/services/fetcher"
)

// bench is a fetcher over a real broker, with the lists that the test says.
type bench struct {
	*fetcher.Fetcher
	client *stream.Client
	rows   []connect.Row
	tiers  []connect.Row
	mu     sync.Mutex // guards states
	states map[string]map[string]int
	status string // of every request that Connect is asked for
	// listing is called while Connect is being read.
	listing func()
	// asking is called while Connect is asked for a status.
	asking func()
}

func (b *bench) PollDone(time.Time, error) {}
func (b *bench) SetRequests(m map[string]map[string]int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.states = m
}
func (b *bench) SetOldest(map[string]time.Time) {}

func newBench(t *testing.T) *bench {
	t.Helper()
	return newBenchOn(t, streamtest.Server(t))
}

func newBenchOn(t *testing.T, broker *streamtest.Broker) *bench {
	t.Helper()
	b := &bench{client: pipelinetest.ClientOf(t, broker), listing: func() {}, asking: func() {}, status: "approved"}
	b.Fetcher = fetcher.New(fetcher.Config{
		Log: b.client, Dead: deadletter.NewWriter(b.client, nil), Metrics: b, Logger: pipelinetest.Logger(), Concurrency: 8,
		Requests: func(_ context.Context, q connect.RequestQuery, take connect.Take) error {
			b.listing()
			return give(b.rows, q, take)
		},
		Status: func(context.Context, fulfillment.Key) (string, error) {
			b.asking()
			return b.status, nil
		},
		TierRequests: func(_ context.Context, q connect.RequestQuery, take connect.Take) error {
			return give(b.tiers, q, take)
		},
		Consumer: b.client.ConsumerState,
	})
	return b
}

// give hands over the rows that q selects, in pages that overlap.
func give(rows []connect.Row, q connect.RequestQuery, take connect.Take) error {
	const size = 10
	rows = slices.DeleteFunc(slices.Clone(rows), func(r connect.Row) bool {
		return len(q.Assets) > 0 && !slices.Contains(q.Assets, r.AssetID)
	})
	for end := len(rows); end > 0; end -= size {
		if err := take(slices.Clone(rows[max(0, end-size-1):end]), len(rows)); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) poll(t *testing.T) fetcher.Poll {
	t.Helper()
	p, err := b.Poll(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// close publishes the event that closes the episode of the asset's head.
func (b *bench) close(t *testing.T, k fulfillment.Key, e fulfillment.Event) {
	t.Helper()
	head := pipelinetest.Last(t, b.client, fulfillment.StreamRequests, fulfillment.HeadFilter(k.Asset))
	body, err := json.Marshal(fulfillment.EventBody{
		RequestID: k.Request, AssetID: k.Asset, ProductID: k.Product, Type: k.Type, Event: e,
		Episode: fulfillment.Episode(head.Header, head.Sequence),
	})
	if err != nil {
		t.Fatal(err)
	}
	pipelinetest.Append(t, b.client, stream.Message{Subject: k.EventSubject(e), Body: body})
}

func (b *bench) published(t *testing.T) int {
	t.Helper()
	return pipelinetest.Count(t, b.client, fulfillment.StreamRequests, "")
}

func row(k fulfillment.Key, created time.Time) connect.Row {
	return connect.Row{
		Raw: json.RawMessage(fmt.Sprintf(`{"id":%q}`, k.Request)), ID: k.Request, Type: string(k.Type),
		Status: "pending", AssetID: k.Asset, ProductID: k.Product, Created: created,
	}
}

func at(minute int) time.Time { return time.Date(2026, 3, 2, 9, minute, 0, 0, time.UTC) }

func purchase() fulfillment.Key { return pipelinetest.Key(fulfillment.Purchase, "PR-1") }

func TestPoll_SameRowAgain_IsPublishedOnce(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.rows = []connect.Row{row(purchase(), at(1))}
	first, second := b.poll(t), b.poll(t)
	if first.Published != 1 || second.Published != 0 || b.published(t) != 1 {
		t.Errorf("published %d, then %d; %d stored", first.Published, second.Published, b.published(t))
	}
	m := pipelinetest.Last(t, b.client, fulfillment.StreamRequests, purchase().Subject(fulfillment.RootRequests))
	if string(m.Body) != `{"id":"PR-1"}` || m.Header["ce-type"] != "fulfillment.purchase.requested.v1" {
		t.Errorf("stored %s with %v", m.Body, m.Header)
	}
}

func TestPoll_ManyFetchersAtOnce_PublishOnce(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for i := range 40 {
		k := fulfillment.Key{Type: fulfillment.Change, Product: "PRD-1", Asset: fmt.Sprintf("AS-%d", i), Request: fmt.Sprintf("PR-%d", i)}
		b.rows = append(b.rows, row(k, at(1)))
	}
	errs := make(chan error)
	for range 4 {
		f := fetcher.New(b.Config)
		go func() {
			_, err := f.Poll(t.Context())
			errs <- err
		}()
	}
	for range 4 {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	if n := b.published(t); n != 40 {
		t.Errorf("%d published, want 40", n)
	}
}

func TestPoll_OldestOfAnAsset_ComesFirst(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	later := pipelinetest.Key(fulfillment.Change, "PR-2")
	b.rows = []connect.Row{row(later, at(2)), row(purchase(), at(1))}
	b.poll(t)
	if b.poll(t); b.published(t) != 1 || pipelinetest.Last(t, b.client, fulfillment.StreamRequests, purchase().Subject(fulfillment.RootRequests)) == nil {
		t.Fatalf("%d published, want the older one alone", b.published(t))
	}
	b.close(t, purchase(), fulfillment.EventApproved)
	b.rows = b.rows[:1]
	if b.poll(t); b.published(t) != 2 {
		t.Errorf("%d published, want the later one too, as the older is closed", b.published(t))
	}
}

func TestPoll_Closed_OpensAgainByWhatClosedIt(t *testing.T) {
	t.Parallel()
	for event, opens := range map[fulfillment.Event]bool{
		fulfillment.EventApproved: false, fulfillment.EventFailed: false, fulfillment.EventDiscarded: false,
		fulfillment.EventInquiring: true, fulfillment.EventLeft: true,
	} {
		t.Run(string(event), func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			b.rows = []connect.Row{row(purchase(), at(1))}
			b.poll(t)
			b.close(t, purchase(), event)
			want := 1
			if opens {
				want = 2
			}
			if b.poll(t); b.published(t) != want {
				t.Errorf("%d published, want %d", b.published(t), want)
			}
		})
	}
}

func TestPoll_ClosedWhileListing_WaitsForTheNextPoll(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.rows = []connect.Row{row(purchase(), at(1))}
	b.poll(t)
	// The row was read before the event: it may be older than the closing.
	b.listing = func() { b.close(t, purchase(), fulfillment.EventInquiring); b.listing = func() {} }
	if p := b.poll(t); p.Published != 0 {
		t.Fatal("a row that may be older than the closing opened an episode")
	}
	if p := b.poll(t); p.Published != 1 {
		t.Error("a row younger than the closing opened none")
	}
}

func TestPoll_Discarded_HoldsUpNoOther(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.rows = []connect.Row{row(purchase(), at(1))}
	b.poll(t)
	b.close(t, purchase(), fulfillment.EventDiscarded)
	b.rows = append(b.rows, row(pipelinetest.Key(fulfillment.Adjustment, "PR-2"), at(2)))
	b.poll(t)
	if b.poll(t); b.published(t) != 2 {
		t.Errorf("%d published, want the adjustment too and the discarded one not again", b.published(t))
	}
}

func TestPoll_DeadOrHeld_StaysWithTheOperator(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.rows = []connect.Row{row(purchase(), at(1))}
	b.poll(t)
	d := pipelinetest.Deliver(t, b.client, fulfillment.StreamRequests, 1, 1)
	if err := deadletter.NewWriter(b.client, nil).Write(t.Context(), deadletter.OfDelivery(d, fulfillment.StageHold, "why")); err != nil {
		t.Fatal(err)
	}
	if b.poll(t); b.published(t) != 1 || b.states["purchase"]["held"] != 1 {
		t.Errorf("%d published, states %v; want it held", b.published(t), b.states)
	}
}

func TestPoll_TierRequests_AreQueuedUnderTheirOwnTypes(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	k := fulfillment.Key{Type: "setup", Product: "PRD-1", Asset: "TC-1", Request: "TCR-1"}
	b.tiers = []connect.Row{row(k, at(1))}
	b.poll(t)
	k.Type = fulfillment.TierSetup
	if pipelinetest.Last(t, b.client, fulfillment.StreamRequests, k.Subject(fulfillment.RootRequests)) == nil {
		t.Error("the tier request is not in the stream")
	}
}

func TestPoll_UnreadableRows_AreInDeadOnceAndStopNothing(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.rows = []connect.Row{
		{Raw: json.RawMessage(`"what"`), Err: fmt.Errorf("not an object")},
		{Raw: json.RawMessage(`{"id":"PR-9"}`), ID: "PR-9"},
		row(purchase(), at(1)),
	}
	for range 3 {
		b.poll(t)
	}
	letters, err := deadletter.List(t.Context(), b.client, deadletter.Filter{})
	if err != nil || len(letters) != 2 || b.published(t) != 1 {
		t.Errorf("err %v, %d letters, %d published; want 2 and 1", err, len(letters), b.published(t))
	}
}

func TestUnclaimed_KnownTypes_Wait_OthersAreDeadOnce(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for subject, stage := range map[string]fulfillment.Stage{
		"fulfillment.requests.renew.PRD-1.AS-1.PR-1":      "",
		"fulfillment.requests.purchase.garbled":           "", // its service judges it
		"fulfillment.requests.teleport.PRD-1.AS-2.PR-2":   fulfillment.StageType,
		"fulfillment.requests.up%2Ddate.PRD-1.AS-3.PR-3":  fulfillment.StageType,
		"fulfillment.requests.cancel":                     fulfillment.StageDecode,
		"fulfillment.schedules.cancel.PRD-1.AS-5.PR-5":    fulfillment.StageDecode,
		"fulfillment.retries.telepathy.PRD-1.AS-4.PR-4.x": fulfillment.StageDecode,
	} {
		seq := pipelinetest.Append(t, b.client, stream.Message{Subject: subject, Body: []byte("body of " + subject)})
		for attempt := range 2 {
			d := pipelinetest.Deliver(t, b.client, fulfillment.StreamRequests, seq, attempt+1)
			d.Body = nil // the consumer leaves bodies out
			if err := b.Unclaimed(t.Context(), d); err != nil {
				t.Fatal(err)
			}
		}
		found := b.letters(t, subject)
		switch {
		case stage == "" && len(found) != 0:
			t.Errorf("%s: %d letters, want none", subject, len(found))
		case stage != "" && (len(found) != 1 || found[0].Stage != stage):
			t.Errorf("%s: letters %+v, want one of stage %s", subject, found, stage)
		}
	}
}

func (b *bench) letters(t *testing.T, subject string) (found []deadletter.Entry) {
	t.Helper()
	all, err := deadletter.List(t.Context(), b.client, deadletter.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range all {
		if e.Subject == subject {
			found = append(found, e)
		}
	}
	return found
}

func TestUnclaimed_UnknownType_IsQuotedAsConnectSentIt(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	k := pipelinetest.Key("Tele.port!", "PR-1")
	b.rows = []connect.Row{row(k, at(1))}
	b.poll(t)
	if err := b.Unclaimed(t.Context(), pipelinetest.Deliver(t, b.client, fulfillment.StreamRequests, 1, 1)); err != nil {
		t.Fatal(err)
	}
	letters := b.letters(t, k.Subject(fulfillment.RootRequests))
	if len(letters) != 1 || letters[0].Reason != `no service takes requests of type "Tele.port!"` || letters[0].Type != "Tele.port!" {
		t.Errorf("letters %+v", letters)
	}
}

func TestPoll_FinishedByAPerson_IsHandedToTheCommitter(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.rows = []connect.Row{row(purchase(), at(1))}
	b.poll(t)
	d := pipelinetest.Deliver(t, b.client, fulfillment.StreamRequests, 1, 1)
	if err := deadletter.NewWriter(b.client, nil).Write(t.Context(), deadletter.OfDelivery(d, fulfillment.StageHold, "why")); err != nil {
		t.Fatal(err)
	}
	results := func() int { return pipelinetest.Count(t, b.client, fulfillment.StreamResults, "") }
	b.status = "pending"
	b.rows = nil // as a list does that lags behind
	if b.poll(t); results() != 0 {
		t.Fatal("a request that is pending was given up")
	}
	b.status = "approved"
	for range 2 {
		b.poll(t)
	}
	r := pipelinetest.Body[fulfillment.Result](t, b.client, fulfillment.StreamResults, purchase().Subject(fulfillment.RootResults))
	if results() != 1 || r.Decision != fulfillment.Recheck || r.Episode != 1 {
		t.Errorf("%d results, the last %+v; want one recheck", results(), r)
	}
}

// Held for longer than requests are kept, or when their stream was lost: the
// committer would refuse its result again and again, and no operator could act.
func TestPoll_HeldResultWithoutItsRequest_StaysWithTheOperator(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	const gone = 7 // the episode
	body, err := json.Marshal(fulfillment.Result{
		RequestID: "PR-1", AssetID: "AS-1", ProductID: "PRD-1", Type: fulfillment.Purchase, Episode: gone, Decision: fulfillment.Approve,
	})
	if err != nil {
		t.Fatal(err)
	}
	seq := pipelinetest.Append(t, b.client, stream.Message{
		Subject: purchase().Subject(fulfillment.RootResults), Body: body, Header: map[string]string{fulfillment.HeaderEpisode: "7"},
	})
	letter := deadletter.OfDelivery(pipelinetest.Deliver(t, b.client, fulfillment.StreamResults, seq, 1), fulfillment.StageHold, "why")
	if err := deadletter.NewWriter(b.client, nil).Write(t.Context(), letter); err != nil {
		t.Fatal(err)
	}
	b.rows = []connect.Row{row(purchase(), at(1))}
	for range 2 {
		b.poll(t)
		if b.states["purchase"]["held"] != 1 || b.published(t) != 1 {
			t.Errorf("states %v, %d messages; want it held, in one", b.states, b.published(t))
		}
	}
	e, err := deadletter.Get(t.Context(), b.client, "PR-1")
	if err != nil {
		t.Fatal(err)
	}
	if err := deadletter.Send(t.Context(), b.client, e, deadletter.Redrive{By: "ops"}); err != nil {
		t.Errorf("an operator can't redrive it: %v", err)
	}
	if n := pipelinetest.Count(t, b.client, fulfillment.StreamResults, ""); n != 2 {
		t.Errorf("%d results, want the one and what was redriven", n)
	}
}

func TestPoll_DecidedWhileAsking_AddsNoResult(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.rows = []connect.Row{row(purchase(), at(1))}
	b.poll(t)
	b.rows = []connect.Row{row(pipelinetest.Key(fulfillment.Change, "PR-2"), at(2))}
	b.asking = func() { // another fetcher, or the service, is faster
		pipelinetest.Append(t, b.client, stream.Message{Subject: purchase().Subject(fulfillment.RootResults), Body: []byte("{}")})
	}
	b.poll(t)
	if n := pipelinetest.Count(t, b.client, fulfillment.StreamResults, ""); n != 1 {
		t.Errorf("%d results, want the one that was stored meanwhile", n)
	}
}

func TestPoll_HeadFinishedByAPerson_FreesItsAsset(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.rows = []connect.Row{row(purchase(), at(1))}
	b.poll(t)
	b.rows = []connect.Row{row(pipelinetest.Key(fulfillment.Change, "PR-2"), at(2))}
	b.poll(t)
	r := pipelinetest.Body[fulfillment.Result](t, b.client, fulfillment.StreamResults, purchase().Subject(fulfillment.RootResults))
	if r.Decision != fulfillment.Recheck || b.published(t) != 1 {
		t.Errorf("result %+v, %d published; want a recheck first", r, b.published(t))
	}
	b.close(t, purchase(), fulfillment.EventApproved)
	if b.poll(t); b.published(t) != 2 {
		t.Errorf("%d published, want the change too", b.published(t))
	}
}

func TestPoll_HeadFinishedInTheMiddleOfACall_AssetIsNotFreedYet(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.rows = []connect.Row{row(purchase(), at(1))}
	b.poll(t)
	b.Consumer = func(context.Context, string) (stream.ConsumerState, error) {
		return stream.ConsumerState{Delivered: 1, InHand: 1}, nil
	}
	b.rows = []connect.Row{row(pipelinetest.Key(fulfillment.Change, "PR-2"), at(2))}
	b.poll(t)
	if n := pipelinetest.Count(t, b.client, fulfillment.StreamResults, ""); n != 0 || b.published(t) != 1 {
		t.Errorf("%d results, %d published; want the call waited for", n, b.published(t))
	}
}

// A schedule that outlives its episode would fire, and be the asset's head in
// the place of the request that is open by then.
func TestPoll_ClosedWhileScheduled_TakesTheScheduleAway(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.rows = []connect.Row{row(purchase(), at(1))}
	b.poll(t)
	scheduled := purchase().Subject(fulfillment.RootSchedules)
	pipelinetest.Append(t, b.client, stream.Message{Subject: scheduled, Header: map[string]string{fulfillment.HeaderEpisode: "1"}},
		stream.ScheduleAt(time.Now().Add(time.Hour), purchase().Subject(fulfillment.RootRetries)))
	b.close(t, purchase(), fulfillment.EventApproved)
	change := pipelinetest.Key(fulfillment.Change, "PR-2")
	b.rows = []connect.Row{row(change, at(2))}
	b.poll(t)
	pipelinetest.Until(t, "the schedule is gone", func() bool {
		return pipelinetest.Last(t, b.client, fulfillment.StreamRequests, scheduled) == nil
	})
	head := pipelinetest.Last(t, b.client, fulfillment.StreamRequests, fulfillment.HeadFilter("AS-1"))
	if want := change.Subject(fulfillment.RootRequests); head.Subject != want {
		t.Errorf("the head is %s, want %s", head.Subject, want)
	}
}

func TestPoll_PendingAgainAfterApproval_ConnectIsAsked(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.rows = []connect.Row{row(purchase(), at(1))}
	b.poll(t)
	b.close(t, purchase(), fulfillment.EventApproved)
	if b.poll(t); b.published(t) != 1 {
		t.Fatal("a list that lags behind opened an episode")
	}
	b.status = "pending"
	if b.poll(t); b.published(t) != 2 {
		t.Error("a request that is pending again is not processed")
	}
}

func TestWatch_TierDone_WakesTheFetcher(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.Follow = b.client.FollowHeaders
	b.Interval = time.Hour
	polls := make(chan fetcher.Poll, 8)
	b.Polled = func(p fetcher.Poll, _ error) { polls <- p }
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{}, 2)
	for _, run := range []func(context.Context) error{b.Run, b.Watch} {
		go func() { _ = run(ctx); ended <- struct{}{} }()
	}
	<-polls // the one at start
	k := fulfillment.Key{Type: fulfillment.TierSetup, Product: "PRD-1", Asset: "TC-1", Request: "TCR-1"}
	pipelinetest.Until(t, "an approved tier wakes the fetcher", func() bool {
		pipelinetest.Append(t, b.client, stream.Message{Subject: k.EventSubject(fulfillment.EventApproved), Body: []byte(`{}`)})
		select {
		case <-polls:
			return true
		default:
			return false
		}
	})
	stop()
	<-ended
	<-ended
}

func TestPoll_HeadIsAReplayOfAnApprovedRequest_IsLeftToIt(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	k := pipelinetest.Key(fulfillment.Purchase, "PR-1")
	pipelinetest.Append(t, b.client, stream.Message{
		Subject: k.Subject(fulfillment.RootRequests), Header: map[string]string{fulfillment.HeaderReplay: "1"}, Body: []byte("{}"),
	})
	b.rows = []connect.Row{row(pipelinetest.Key(fulfillment.Adjustment, "PR-2"), at(1))}
	for _, c := range []struct {
		status   string
		rechecks int
	}{{"approved", 0}, {"failed", 1}} {
		b.status = c.status
		b.poll(t)
		if n := pipelinetest.Count(t, b.client, fulfillment.StreamResults, ""); n != c.rechecks || b.published(t) != 1 {
			t.Errorf("%s: %d messages and %d rechecks, not %d", c.status, b.published(t), n, c.rechecks)
		}
	}
}
