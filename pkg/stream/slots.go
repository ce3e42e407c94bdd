package stream

import (
	"context"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
)

const (
	// slotTurn is how long a process keeps a slot to itself. Then it goes back
	// to the broker after the message that it was used for, and to whoever has
	// waited longest for one.
	slotTurn = time.Second
	// slotPull is how long a request for messages stays at the broker where slots
	// count: those that it was made for can't go to another process meanwhile.
	slotPull = 2 * time.Second
	// slotsDrain is how long a stop waits for the slots of handlers that were
	// given up. Those rest for the ack wait.
	slotsDrain = 100 * time.Millisecond
)

// slots are what a subscription holds of another durable's messages: one for
// each message that it may have in hand. There are as many as may be in hand over
// all processes, and they are leased like any message: what a process that died
// held is free again after the ack wait.
type slots struct {
	sub  *Subscriber
	wake func() // called when there is one more

	mu     sync.Mutex
	free   []*slot // the oldest first
	used   int
	closed bool
}

// slot is the right to have one message in hand.
type slot struct {
	msg   *message.Message
	del   *Delivery
	since time.Time
	gone  bool // given back, or lost; guarded by slots.mu
}

// openSlots begins to ask for slots, one for each worker.
func (s *subscription) openSlots() error {
	own := &slots{
		sub:  NewSubscriber(s.client, SubscriberConfig{Concurrency: s.cfg.Concurrency, DrainTimeout: slotsDrain, turns: true}),
		wake: func() { s.broke(s.puller.more()) },
	}
	s.puller.slots, s.puller.longest, s.slots = own, slotPull, own
	out, err := own.sub.Subscribe(s.base, s.cfg.Slots)
	if err != nil {
		return err
	}
	go func() { // it ends with close
		for msg := range out {
			own.add(msg)
		}
	}()
	s.client.hold(s.durable, own)
	return nil
}

func (s *slots) add(msg *message.Message) {
	one := &slot{msg: msg, del: DeliveryOf(msg.Context()), since: time.Now()}
	s.mu.Lock()
	if s.closed {
		s.letGo(one)
	} else {
		s.free = append(s.free, one)
	}
	s.mu.Unlock()
	context.AfterFunc(msg.Context(), func() { s.lose(one) })
	s.wake()
}

// held is how many messages may be in hand.
func (s *slots) held() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.free) + s.used
}

// take returns a slot for a message that has come; nil if there is none.
func (s *slots) take() *slot {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.free) == 0 {
		return nil
	}
	one := s.free[0]
	s.free = s.free[1:]
	s.used++
	return one
}

// give takes a slot back whose message is done. Nil is none.
func (s *slots) give(one *slot) {
	if s == nil || one == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.used--
	switch {
	case one.gone:
	case s.closed, time.Since(one.since) > slotTurn:
		s.letGo(one)
	default:
		s.free = append(s.free, one)
	}
}

// keep lets go of what was kept for long without use, beyond the slots that are
// needed, and returns how many there are.
func (s *slots) keep(needed int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.free)+s.used > needed && len(s.free) > 0 && time.Since(s.free[0].since) > slotTurn {
		s.letGo(s.free[0])
		s.free = s.free[1:]
	}
	return len(s.free) + s.used
}

// good reports whether the slot is still ours.
func (s *slots) good(one *slot) bool { return one == nil || one.msg.Context().Err() == nil }

// lose forgets a slot that another process may have by now.
func (s *slots) lose(one *slot) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if one.gone {
		return
	}
	for i, f := range s.free {
		if f == one {
			s.free = append(s.free[:i:i], s.free[i+1:]...)
			break
		}
	}
	s.letGo(one)
}

// letGo gives a slot back to the broker. The caller holds mu.
func (s *slots) letGo(one *slot) {
	one.gone = true
	now := time.Duration(0)
	one.del.after = &now
	one.msg.Nack()
}

// stop gives back what is not in use, and the rest as it is done with.
func (s *slots) stop() {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for _, one := range s.free {
		s.letGo(one)
	}
	s.free = nil
}

// close ends the subscription of the slots. It comes after stop.
func (s *slots) close() {
	if s != nil {
		_ = s.sub.Close() // it returns nil
	}
}
