package stream

import (
	"strconv"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/nats-io/nats.go"

	"github.com/headrace/headrace/pkg/failpoint"
	"github.com/headrace/headrace/pkg/guard"
)

const (
	ackDone = "+ACK"
	// nakNow says a delay of none: nats-server forgets a negative acknowledgement
	// without a delay when it stops, as an embedded broker does right after, and
	// the message would rest for the ack wait.
	nakNow = `-NAK {"delay":0}`
)

func nakAfter(d time.Duration) string {
	if d <= 0 {
		return nakNow
	}
	return `-NAK {"delay":` + strconv.FormatInt(int64(d), 10) + `}`
}

// delivery is a message on its way to a handler.
type delivery struct {
	handling
	from      *subscription
	msg       *nats.Msg
	lease     lease
	slot      *slot // nil: none is needed
	told      *Delivery
	abandoned bool // its handler still runs; only the worker knows
}

// Value is of the delivery, or of the subscription's context.
func (d *delivery) Value(key any) any {
	switch {
	case key == deliveryKey{}:
		return d.told
	case guard.IsKey(key):
		return guard.Check(d.mayCall)
	}
	return d.handling.Value(key)
}

// carry hands one message out, waits for the verdict and tells it to the
// broker. It returns when the handler has: a handler whose lease is lost still
// holds its place.
func (s *subscription) carry(d *delivery) {
	d.told = decodeDelivery(d.msg, s.durable)
	if failpoint.Off(failpoint.EarlyAck) {
		s.reply(d.msg.Reply, ackDone)
	}
	d.base = s.base
	defer d.end(nil)
	msg := message.NewMessage(d.told.ID, d.told.Body)
	msg.Metadata = d.told.Header
	msg.SetContext(d)

	select {
	case <-s.untaken: // both may be ready; a stop comes first
		s.refuse(d)
		return
	default:
	}
	select {
	case s.out <- msg: // costs less where somebody waits
	default:
		select {
		case s.out <- msg:
		case <-s.untaken:
			s.refuse(d)
			return
		case <-d.lease.lost:
			return
		}
	}
	s.await(d, msg)
}

// lastCall is how long before the end of a drain the last call may begin: an
// upstream is given five seconds, and what it answered must be stored.
const lastCall = 5500 * time.Millisecond

// mayCall tells whether a call for the message may begin. While the process
// stops, one that could not end in time is not begun: it would be cut off, and
// made again after the restart.
func (d *delivery) mayCall() error {
	s := d.from
	if !s.leases.good(&d.lease, time.Now()) || !s.slots.good(d.slot) {
		return ErrLeaseLost
	}
	if since := s.stopping.Load(); since != nil && time.Since(*since) >= s.cfg.DrainTimeout-lastCall {
		return ErrStopping
	}
	return nil
}

// refuse gives a message back that no handler has seen.
func (s *subscription) refuse(d *delivery) {
	if s.leases.release(&d.lease) {
		s.reply(d.msg.Reply, nakNow)
	}
}

func (s *subscription) await(d *delivery, msg *message.Message) {
	select {
	case <-msg.Acked():
		failpoint.Here(failpoint.AckDue, d.told.Subject)
		if s.leases.release(&d.lease) {
			s.reply(d.msg.Reply, ackDone)
		}
	case <-msg.Nacked():
		if s.leases.release(&d.lease) {
			s.reply(d.msg.Reply, nakAfter(s.client.delay(d.told)))
		}
	case <-d.lease.lost:
		s.outlive(d, msg)
	}
}

// outlive waits for a handler that has lost its lease, as long as there is time:
// whatever it says, the message may be in other hands.
func (s *subscription) outlive(d *delivery, msg *message.Message) {
	select {
	case <-s.abandon:
	default:
		d.end(ErrLeaseLost)
		s.client.log.WithField("subject", d.told.Subject).WithField("durable", s.durable).
			Warn("broker could not be told that the message is in progress; handler is cancelled")
	}
	select {
	case <-msg.Acked():
	case <-msg.Nacked():
	case <-s.abandon:
		d.end(ErrDrainTimeout)
		d.abandoned = true
	}
}
