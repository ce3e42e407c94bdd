package stream

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
)

// loop keeps the subscription bound until a stop.
func (s *subscription) loop(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		select {
		case <-s.stop:
			cancel()
		case <-ctx.Done():
		}
	}()
	status := s.client.nc.StatusChanged()
	defer s.client.nc.RemoveStatusListener(status)
	tick := time.NewTicker(lookupEvery)
	defer tick.Stop()
	s.bind(ctx)
	for {
		select {
		case <-ctx.Done():
			return
		case err := <-s.broken:
			s.unbind(err)
		case st, ok := <-status:
			if !ok || st == nats.CLOSED {
				s.unbind(ErrClosed)
				return
			}
			s.follow(ctx, st)
		case <-tick.C:
			if s.puller.lost() {
				s.unbind(fmt.Errorf("%w: no word from it for %s", errGone, pullLost))
			}
			if !s.puller.bound() {
				s.bind(ctx)
			}
			if s.slots != nil || s.cfg.Room != nil { // slots that are kept without use go back, whether bound or not; there may be room again
				s.broke(s.puller.more())
			}
		}
	}
}

// follow adapts to the connection: what it asked for before it broke is
// forgotten by the broker, or will come to nobody.
func (s *subscription) follow(ctx context.Context, st nats.Status) {
	switch {
	case st != nats.CONNECTED:
		if s.puller.bound() {
			s.unbind(ErrUnreachable)
		}
	case !s.puller.bound():
		s.bind(ctx)
	case s.puller.stale():
		s.unbind(errBinding)
		s.bind(ctx)
	}
}

// work carries what comes until the subscription drains.
func (s *subscription) work() {
	lost := make(chan struct{}, 1) // for one message after the other
	for a := range s.arrived {
		s.handle(a, lost)
		select {
		case <-lost: // in the moment in which it was done with
		default:
		}
	}
}

// intake counts what comes and hands it to the workers, until the subscription
// drains. There is one: counted in another order, the end of an old request would
// come before the messages that it brought, and they would pass for what was asked
// for just now.
func (s *subscription) intake() {
	defer close(s.arrived)
	for {
		select {
		case <-s.untaken:
			return
		case m := <-s.puller.in:
			if isStatus(m) {
				s.broke(s.puller.hear(m))
				continue
			}
			a, err := s.puller.take(m, time.Now())
			s.broke(err)
			select {
			case s.arrived <- a:
			case <-s.untaken:
				s.handle(a, nil) // gives it back
			}
		}
	}
}

// handle has a message that came carried out, or gives it back.
func (s *subscription) handle(a arrival, lost chan struct{}) {
	d := &delivery{from: s, msg: a.msg, lease: lease{lost: lost}}
	switch {
	case !s.leases.take(&d.lease, a):
		// It came too late: somebody else has it. Whatever the line did, asking
		// anew makes sure that we count from what the broker counts from.
		s.broke(errBinding)
	case !s.seat(d):
		s.refuse(d)
	default:
		s.carry(d)
		if !d.abandoned { // else the slot is in use still, as far as we know
			s.slots.give(d.slot)
		}
	}
	s.broke(s.puller.done())
}

// seat takes a slot for a message, where one is needed; false if it was lost since the
// message was asked for.
func (s *subscription) seat(d *delivery) bool {
	if s.slots == nil {
		return true
	}
	d.slot = s.slots.take()
	return d.slot != nil
}

// broke has the loop bind anew.
func (s *subscription) broke(why error) {
	if why == nil {
		return
	}
	select {
	case s.broken <- why:
	default: // it is about to
	}
}

// bind looks the consumer up and opens an inbox for it.
func (s *subscription) bind(ctx context.Context) {
	if !s.client.nc.IsConnected() {
		s.client.setBinding(s.durable, ErrUnreachable)
		return
	}
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	info, err := s.client.lookup(ctx, s.durable)
	if err == nil {
		s.leases.setWait(info.Config.AckWait)
		err = s.puller.bind(info)
	}
	if err != nil {
		if ctx.Err() == nil || errors.Is(ctx.Err(), context.DeadlineExceeded) {
			s.client.setBinding(s.durable, fmt.Errorf("look up consumer %s: %w", s.durable, err))
		}
		return
	}
	s.client.setBinding(s.durable, nil)
	s.broke(s.puller.more())
}

// unbind gives back what lies in the inbox and closes it.
func (s *subscription) unbind(why error) {
	s.giveBack()
	s.client.setBinding(s.durable, why)
}

// giveBack refuses what lies in the inbox and closes it. What lies there for
// so long that it may be in other hands is left alone: a refusal would take it
// from them.
func (s *subscription) giveBack() {
	for _, m := range s.puller.leave() {
		if d := (&delivery{msg: m.msg}); s.leases.take(&d.lease, m) {
			s.refuse(d)
		}
	}
}
