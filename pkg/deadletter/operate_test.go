package deadletter_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/headrace/headrace/pkg/deadletter"
	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/pipelinetest"
	"github.com/headrace/headrace/pkg/stream"
)

var errKilled = errors.New("killed")

// killed is an operator whose process dies before its append number at, from 1.
type killed struct {
	*stream.Client
	at int
}

func (k *killed) Append(ctx context.Context, m stream.Message, opts ...stream.AppendOption) (uint64, error) {
	if k.at--; k.at <= 0 {
		return 0, errKilled
	}
	return k.Client.Append(ctx, m, opts...)
}

func trail(t *testing.T, c *stream.Client, f deadletter.AuditFilter) []deadletter.Record {
	t.Helper()
	records, err := deadletter.Audit(t.Context(), c, f)
	if err != nil {
		t.Fatal(err)
	}
	return records
}

// recorded counts what is stored as an audit record.
func recorded(t *testing.T, c *stream.Client) int {
	t.Helper()
	return pipelinetest.Count(t, c, fulfillment.StreamDead, fulfillment.RootDead+".audit.>")
}

// heldResult stores a result that the committer gave up, and returns its letter.
func heldResult(t *testing.T, c *stream.Client, params ...fulfillment.Param) deadletter.Entry {
	t.Helper()
	pipelinetest.Open(t, c, key(), []byte(secretive))
	body, err := json.Marshal(fulfillment.Result{
		RequestID: "PR-1", AssetID: "AS-1", ProductID: "PRD-1", Type: fulfillment.Purchase, Episode: 1,
		Decision: fulfillment.Approve, Params: params,
	})
	if err != nil {
		t.Fatal(err)
	}
	seq := pipelinetest.Append(t, c, stream.Message{
		Subject: key().Subject(fulfillment.RootResults), Header: map[string]string{fulfillment.HeaderEpisode: "1"}, Body: body,
	})
	return bury(t, c, pipelinetest.Deliver(t, c, fulfillment.StreamResults, seq, 1))
}

func TestSend_KilledBeforeTheRecord_TheNextOneWritesItWithTheName(t *testing.T) {
	t.Parallel()
	for name, letter := range map[string]func(*testing.T, *stream.Client) deadletter.Entry{
		"request": held,
		"result":  func(t *testing.T, c *stream.Client) deadletter.Entry { return heldResult(t, c) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := pipelinetest.Client(t)
			e := letter(t, c)
			ann := deadletter.Redrive{By: "ann", Outcome: deadletter.OutcomeDone, Set: []fulfillment.Param{{ID: "subscription_id"}}}
			if err := deadletter.Send(t.Context(), &killed{c, 2}, e, ann); !errors.Is(err, errKilled) {
				t.Fatal(err)
			}
			if n := recorded(t, c); n != 0 || len(list(t, c, deadletter.Filter{})) != 0 {
				t.Errorf("%d records, letters %+v; want none of either", n, list(t, c, deadletter.Filter{}))
			}
			if got := trail(t, c, deadletter.AuditFilter{}); len(got) != 1 || got[0].By != "ann" || got[0].ID != e.ID {
				t.Errorf("the trail misses what was done: %+v", got)
			}
			for range 2 {
				if err := deadletter.Send(t.Context(), c, e, deadletter.Redrive{By: "bob"}); !errors.Is(err, deadletter.ErrSettled) {
					t.Errorf("again: %v, want ErrSettled", err)
				}
			}
			got := trail(t, c, deadletter.AuditFilter{})
			if len(got) != 1 || recorded(t, c) != 1 || got[0].By != "ann" || got[0].Outcome != "done" || len(got[0].Set) != 1 || got[0].Deed != fulfillment.DeedRedriven {
				t.Errorf("%d records: %+v", recorded(t, c), got)
			}
		})
	}
}

func TestSend_KilledBeforeTheDeed_LeavesNoRecordAndCanBeRepeated(t *testing.T) {
	t.Parallel()
	c := pipelinetest.Client(t)
	e := held(t, c)
	if err := deadletter.Send(t.Context(), &killed{c, 1}, e, deadletter.Redrive{By: "ann"}); !errors.Is(err, errKilled) {
		t.Fatal(err)
	}
	if n := len(list(t, c, deadletter.Filter{})); n != 1 || len(trail(t, c, deadletter.AuditFilter{})) != 0 {
		t.Errorf("%d letters, trail %+v", n, trail(t, c, deadletter.AuditFilter{}))
	}
	if err := deadletter.Send(t.Context(), c, e, deadletter.Redrive{By: "bob"}); err != nil {
		t.Error(err)
	}
}

func TestDiscard_KilledBeforeTheRecord_TheNextOneWritesItWithoutAName(t *testing.T) {
	t.Parallel()
	c := pipelinetest.Client(t)
	e := held(t, c)
	if err := deadletter.Discard(t.Context(), &killed{c, 2}, e, "by hand", "ann"); !errors.Is(err, errKilled) {
		t.Fatal(err)
	}
	for range 2 {
		if err := deadletter.Discard(t.Context(), c, e, "again", "bob"); !errors.Is(err, deadletter.ErrSettled) {
			t.Errorf("again: %v, want ErrSettled", err)
		}
	}
	got := trail(t, c, deadletter.AuditFilter{Request: "PR-1"})
	if len(got) != 1 || recorded(t, c) != 1 || got[0].By != "an operator" || got[0].Note != "by hand" || got[0].Deed != fulfillment.DeedDiscarded {
		t.Errorf("%d records: %+v", recorded(t, c), got)
	}
}

func TestOperators_AtOnce_OneActsAndOneRecordTellsWho(t *testing.T) {
	t.Parallel()
	send := func(c *stream.Client, e deadletter.Entry, by string) error {
		return deadletter.Send(context.Background(), c, e, deadletter.Redrive{By: by})
	}
	discard := func(c *stream.Client, e deadletter.Entry, by string) error {
		return deadletter.Discard(context.Background(), c, e, "", by)
	}
	for name, tt := range map[string]struct {
		letter func(*testing.T, *stream.Client) deadletter.Entry
		do     func(*stream.Client, deadletter.Entry, string) error
		stream string
		filter string
		want   int // messages after
	}{
		"redrive a request": {held, send, fulfillment.StreamRequests, "", 2},
		"redrive a result": {func(t *testing.T, c *stream.Client) deadletter.Entry { return heldResult(t, c) }, send,
			fulfillment.StreamResults, "", 2},
		"discard": {held, discard, fulfillment.StreamEvents, fulfillment.RootEvents + ".*.discarded.>", 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := pipelinetest.Client(t)
			e := tt.letter(t, c)
			var wg sync.WaitGroup
			var mu sync.Mutex
			var winners []string
			for _, by := range []string{"ann", "bob", "cleo", "dan", "eve", "finn", "gus", "hal"} {
				wg.Go(func() {
					err := tt.do(c, e, by)
					mu.Lock()
					defer mu.Unlock()
					if err == nil {
						winners = append(winners, by)
					} else if !errors.Is(err, deadletter.ErrSettled) {
						t.Errorf("%s: %v", by, err)
					}
				})
			}
			wg.Wait()
			got := trail(t, c, deadletter.AuditFilter{})
			if len(winners) != 1 || len(got) != 1 || recorded(t, c) != 1 || got[0].By != winners[0] {
				t.Errorf("winners %v, %d records, trail %+v", winners, recorded(t, c), got)
			}
			if n := pipelinetest.Count(t, c, tt.stream, tt.filter); n != tt.want {
				t.Errorf("%d messages in %s, want %d", n, tt.stream, tt.want)
			}
		})
	}
}

func TestPlan_TellsWhatWouldBeDone_AndChangesNothing(t *testing.T) {
	t.Parallel()
	c := pipelinetest.Client(t)
	e := held(t, c)
	does, err := deadletter.PlanSend(t.Context(), c, e, deadletter.Redrive{Outcome: deadletter.OutcomeDone})
	if err != nil || !strings.Contains(does, "without a vendor call") {
		t.Errorf("%q, %v", does, err)
	}
	if does, err = deadletter.PlanDiscard(t.Context(), c, e); err != nil || !strings.Contains(does, "PR-1") {
		t.Errorf("%q, %v", does, err)
	}
	if _, err = deadletter.PlanSend(t.Context(), c, e, deadletter.Redrive{Body: []byte(`{"id":"PR-2"}`)}); !errors.Is(err, deadletter.ErrBody) {
		t.Errorf("another's body: %v, want ErrBody", err)
	}
	if n := pipelinetest.Count(t, c, fulfillment.StreamRequests, ""); n != 1 || recorded(t, c) != 0 || len(list(t, c, deadletter.Filter{})) != 1 {
		t.Errorf("%d requests, %d records", n, recorded(t, c))
	}
	if err := deadletter.Send(t.Context(), c, e, deadletter.Redrive{}); err != nil {
		t.Fatal(err)
	}
	for name, plan := range map[string]func() (string, error){
		"redrive": func() (string, error) { return deadletter.PlanSend(t.Context(), c, e, deadletter.Redrive{}) },
		"discard": func() (string, error) { return deadletter.PlanDiscard(t.Context(), c, e) },
	} {
		if _, err := plan(); !errors.Is(err, deadletter.ErrSettled) {
			t.Errorf("%s after all is done: %v, want ErrSettled", name, err)
		}
	}
}

func TestList_TimeAndReason(t *testing.T) {
	t.Parallel()
	c := pipelinetest.Client(t)
	before := time.Now()
	held(t, c)
	after := time.Now()
	for want, filters := range map[int][]deadletter.Filter{
		1: {{Since: before}, {Until: after}, {Reason: "WH"}, {Request: "PR-1", Since: before, Until: after}},
		0: {{Since: after}, {Until: before}, {Reason: "why not"}},
	} {
		for _, f := range filters {
			if got := list(t, c, f); len(got) != want {
				t.Errorf("%+v: %d letters, want %d", f, len(got), want)
			}
		}
	}
}

func TestAudit_RecordsOfBefore_AreRead(t *testing.T) {
	t.Parallel()
	c := pipelinetest.Client(t)
	e := held(t, c)
	body, err := json.Marshal(fulfillment.Letter{
		RequestID: "PR-1", AssetID: "AS-1", ProductID: "PRD-1", Type: fulfillment.Purchase, Stage: fulfillment.StageAudit,
		Reason: "dead letter 1 (hold) was redriven by ann", Stream: fulfillment.StreamDead, Sequence: 1, Time: time.Now(),
	})
	if err != nil {
		t.Fatal(err)
	}
	pipelinetest.Append(t, c, stream.Message{Subject: key().DeadSubject(fulfillment.StageAudit), Body: body})
	got := trail(t, c, deadletter.AuditFilter{Asset: "AS-1"})
	if len(got) != 1 || got[0].By != "ann" || got[0].Deed != "redriven" || got[0].ID != e.ID || got[0].Stage != fulfillment.StageHold {
		t.Errorf("trail: %+v", got)
	}
	if n := len(list(t, c, deadletter.Filter{Request: "PR-1"})); n != 0 {
		t.Errorf("%d letters listed", n)
	}
}

func TestOperators_WhoFindADeedWithoutItsRecord_WriteItOnce(t *testing.T) {
	t.Parallel()
	c := pipelinetest.Client(t)
	e := held(t, c)
	if err := deadletter.Send(t.Context(), &killed{c, 2}, e, deadletter.Redrive{By: "ann"}); !errors.Is(err, errKilled) {
		t.Fatal(err)
	}
	// All of them have looked for the record before the first one writes it.
	var looked, wrote sync.WaitGroup
	const many = 8
	looked.Add(many)
	for range many {
		wrote.Go(func() {
			late := &late{Client: c, all: &looked}
			if err := deadletter.Send(t.Context(), late, e, deadletter.Redrive{By: "bob"}); !errors.Is(err, deadletter.ErrSettled) {
				t.Error(err)
			}
		})
	}
	wrote.Wait()
	if n, got := recorded(t, c), trail(t, c, deadletter.AuditFilter{}); n != 1 || got[0].By != "ann" {
		t.Errorf("%d records, trail %+v", n, got)
	}
}

// late appends only when all of them are about to.
type late struct {
	*stream.Client
	all  *sync.WaitGroup
	once sync.Once
}

func (l *late) Append(ctx context.Context, m stream.Message, opts ...stream.AppendOption) (uint64, error) {
	l.once.Do(l.all.Done)
	l.all.Wait()
	return l.Client.Append(ctx, m, opts...)
}
