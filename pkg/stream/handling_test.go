package stream

import (
	"context"
	"errors"
	"strconv"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
)

type testKey struct{}

func newDelivery() *delivery {
	d := &delivery{told: &Delivery{Attempt: 7}}
	d.base = context.WithValue(context.Background(), testKey{}, "of the subscription")
	return d
}

// Whoever asks for the end, before it or after, learns of it and why.
func TestHandling_Ends_TellsWhy(t *testing.T) {
	t.Parallel()
	for name, asks := range map[string]bool{"asked before": true, "asked after": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDelivery()
			child := context.Background()
			if asks {
				if d.Err() != nil || context.Cause(d) != nil {
					t.Errorf("ended before its end: %v", context.Cause(d))
				}
				ctx, cancel := context.WithTimeout(d, time.Hour)
				defer cancel()
				child = ctx
			}
			d.end(ErrLeaseLost)
			d.end(ErrDrainTimeout) // comes too late
			if !asks {
				ctx, cancel := context.WithCancel(d)
				defer cancel()
				child = ctx
			}
			<-child.Done()
			for _, ctx := range []context.Context{d, child} {
				if !errors.Is(ctx.Err(), context.Canceled) || !errors.Is(context.Cause(ctx), ErrLeaseLost) {
					t.Errorf("error = %v, cause = %v", ctx.Err(), context.Cause(ctx))
				}
				if DeliveryOf(ctx) != d.told || ctx.Value(testKey{}) != "of the subscription" {
					t.Error("values are lost")
				}
			}
		})
	}
}

// A message that came too late is not held: its place would be lost to the next.
func TestLeases_SentLongAgo_IsNotHeld(t *testing.T) {
	t.Parallel()
	now := time.Now()
	l, lost := leases{wait: time.Minute}, make(chan struct{}, 1)
	late, good := lease{lost: lost}, lease{lost: lost}
	if l.take(&late, arrival{msg: &nats.Msg{}, since: now.Add(-time.Minute)}) || len(l.held) != 0 {
		t.Error("what came too late is held")
	}
	if !l.take(&good, arrival{msg: &nats.Msg{}, since: now}) || len(l.held) != 1 {
		t.Error("what came in time is not held")
	}
	l.expire()
	if len(lost) != 0 {
		t.Error("a good lease is lost")
	}
	l.loseAll()
	if len(lost) != 1 || l.release(&good) {
		t.Error("a lease that was given up is held")
	}
}

// Messages and the ends of requests are counted as they come: one message of
// each request, and the word that no more of it will.
func TestIntake_MessageAndEndOfItsRequest_AreCountedInOrder(t *testing.T) {
	t.Parallel()
	const requests = 2000
	s := &subscription{
		arrived: make(chan arrival), untaken: make(chan struct{}), broken: make(chan error, 1),
		puller: puller{in: make(chan *nats.Msg, 2*requests)},
	}
	began := time.Now()
	for i := range requests {
		s.puller.asked = append(s.puller.asked, asking{at: began.Add(time.Duration(i)), left: 2})
		s.puller.credit += 2
		s.puller.in <- &nats.Msg{Reply: strconv.Itoa(i)}
		s.puller.in <- &nats.Msg{Header: nats.Header{"Status": {"408"}, hdrPending: {"1"}}}
	}
	s.workers.Go(s.intake)
	for i := range requests {
		a := <-s.arrived
		if got := a.since.Sub(began); got != time.Duration(i) || a.msg.Reply != strconv.Itoa(i) {
			t.Fatalf("message %s, the %dth to come, counts for request %d", a.msg.Reply, i, got)
		}
	}
	close(s.untaken)
	s.workers.Wait()
	if len(s.broken) != 0 {
		t.Errorf("binding is broken: %v", <-s.broken)
	}
}
