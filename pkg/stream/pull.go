package stream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

const (
	// pullExpires is how long the broker keeps a request for messages, but never
	// longer than a third of the ack wait: see take. It also bounds how late a
	// consumer that was paused goes on.
	pullExpires   = 10 * time.Second
	pullHeartbeat = 2 * time.Second
	// pullLost is the silence after which a request is taken to be lost.
	pullLost      = 2*pullHeartbeat + time.Second
	lookupEvery   = 250 * time.Millisecond
	lookupTimeout = 2 * time.Second
	flushTimeout  = 2 * time.Second
)

// puller asks a consumer for messages. It keeps credit (asked for and not yet
// come) + busy (in hand) at or below size, so that no message waits here while
// another process is idle. All but done belongs to the subscription's loop.
type puller struct {
	nc      *nats.Conn
	size    int
	subject string
	expires time.Duration
	credit  int
	asked   []asking // what the credit is made of, the oldest first
	busy    atomic.Int64
	// inbox is new with every binding: what the broker still sends to the old
	// one was asked for by an account that is closed.
	inbox *nats.Subscription
	in    chan *nats.Msg
	heard time.Time
	epoch uint64 // how often the connection had been made again when bound
}

// asking is a request for messages that the broker may still serve.
type asking struct {
	at   time.Time
	left int
}

// arrival is a message that has come. It was sent after since.
type arrival struct {
	msg   *nats.Msg
	since time.Time
}

// bind opens an inbox for the consumer.
func (p *puller) bind(info *jetstream.ConsumerInfo) error {
	epoch := p.nc.Stats().Reconnects
	in := make(chan *nats.Msg, 2*p.size+256)
	sub, err := p.nc.ChanSubscribe(p.nc.NewInbox(), in)
	if err != nil {
		return fmt.Errorf("open inbox: %w", err)
	}
	p.inbox, p.in, p.credit, p.asked, p.heard, p.epoch = sub, in, 0, nil, time.Now(), epoch
	p.expires = min(pullExpires, info.Config.AckWait/3)
	p.subject = "$JS.API.CONSUMER.MSG.NEXT." + info.Stream + "." + info.Name
	return nil
}

// leave closes the inbox and returns the messages that lie in it.
func (p *puller) leave() []arrival {
	if p.inbox == nil {
		return nil
	}
	// Drain tells the broker to send no more but lets in what is on its way; the
	// flush returns when that has come.
	err := p.inbox.Drain()
	if err == nil && p.nc.IsConnected() {
		err = p.nc.FlushTimeout(flushTimeout)
	}
	if err != nil || !p.nc.IsConnected() {
		_ = p.inbox.Unsubscribe() // the connection is away: nothing can come
	}
	var left []arrival
	for {
		select {
		case m, ok := <-p.in:
			if !ok {
				p.forget()
				return left
			}
			if isStatus(m) {
				_ = p.status(m, m.Header.Get("Status")) // for what it says of requests
				continue
			}
			left = append(left, arrival{m, p.spend(1)})
		default:
			p.forget()
			return left
		}
	}
}

func (p *puller) forget() { p.inbox, p.in, p.credit, p.asked = nil, nil, 0, nil }

// pull asks for as many messages as there are free workers, unless so few are
// free that it is better to wait for more.
func (p *puller) pull() error {
	free := p.size - p.credit - int(p.busy.Load())
	if p.inbox == nil || free <= 0 || (p.credit > 0 && free < max(1, p.size/4)) {
		return nil
	}
	req, err := json.Marshal(struct {
		Batch     int           `json:"batch"`
		Expires   time.Duration `json:"expires"`
		Heartbeat time.Duration `json:"idle_heartbeat"`
	}{free, p.expires, min(pullHeartbeat, p.expires/4)})
	if err != nil {
		return err
	}
	p.asked = append(p.asked, asking{time.Now(), free})
	if err := p.nc.PublishRequest(p.subject, p.inbox.Subject, req); err != nil {
		return fmt.Errorf("ask for messages: %w", err)
	}
	if p.credit == 0 {
		p.heard = time.Now()
	}
	p.credit += free
	return nil
}

// done gives a worker back.
func (p *puller) done() { p.busy.Add(-1) }

// take counts a message that has come, and tells since when it may have been
// on its way: a line that stalled, or a process that slept, brings it later than
// its ack wait allows, and by then it is in other hands.
func (p *puller) take() (since time.Time) {
	p.heard = time.Now()
	p.busy.Add(1)
	return p.spend(1)
}

// spend takes n off the credit and tells when what the first of it is made of
// was asked for. Whichever request the broker served: what was asked for before
// that is used up, so that this was sent later.
func (p *puller) spend(n int) (since time.Time) {
	p.credit = max(p.credit-n, 0)
	if len(p.asked) > 0 {
		since = p.asked[0].at
	}
	for n > 0 && len(p.asked) > 0 {
		spent := min(n, p.asked[0].left)
		n -= spent
		if p.asked[0].left -= spent; p.asked[0].left == 0 {
			p.asked = p.asked[1:]
		}
	}
	return since
}

// lost reports that the broker has been silent where it owes an answer.
func (p *puller) lost() bool {
	return p.inbox != nil && p.credit > 0 && time.Since(p.heard) > pullLost
}

var (
	errBinding = errors.New("not bound yet")
	errGone    = errors.New("consumer is gone")
)

// isStatus tells the broker's word on a request from a message, which always
// says where it wants to be acknowledged.
func isStatus(m *nats.Msg) bool { return m.Reply == "" && m.Header.Get("Status") != "" }

// status reads a message that is no message: the broker's word on a request.
// An error means that the binding is no longer good.
func (p *puller) status(m *nats.Msg, code string) error {
	p.heard = time.Now()
	switch code {
	case "100": // idle, and alive
		return nil
	case "408", "409":
		// A request that ended says how much of it was not served; what says
		// nothing of it ends them all.
		text := m.Header.Get(hdrPending)
		if n, err := strconv.Atoi(text); err == nil {
			p.spend(n)
			return nil
		}
		return fmt.Errorf("%w: %s", errGone, m.Header.Get("Description"))
	case "503":
		return fmt.Errorf("%w: nobody answers", errGone)
	default:
		return fmt.Errorf("%w: %s %s", errGone, code, m.Header.Get("Description"))
	}
}

// loop binds, pulls and hands over until a stop.
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
		s.pull()
		select {
		case <-ctx.Done():
			return
		case m := <-s.puller.in: // nil, and so never ready, while unbound
			s.receive(m)
		case <-s.free:
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
			if s.puller.inbox == nil {
				s.bind(ctx)
			}
		}
	}
}

// follow adapts to the connection: what it asked for before it broke is
// forgotten by the broker, or will come to nobody.
func (s *subscription) follow(ctx context.Context, st nats.Status) {
	switch {
	case st != nats.CONNECTED:
		if s.puller.inbox != nil {
			s.unbind(ErrUnreachable)
		}
	case s.puller.inbox == nil:
		s.bind(ctx)
	case s.puller.epoch != s.client.nc.Stats().Reconnects:
		s.unbind(errBinding)
		s.bind(ctx)
	}
}

func (s *subscription) receive(m *nats.Msg) {
	if m == nil {
		return
	}
	if isStatus(m) {
		if err := s.puller.status(m, m.Header.Get("Status")); err != nil {
			s.unbind(err)
		}
		return
	}
	d := &delivery{msg: m, lease: s.leases.take(m.Reply, s.puller.take())}
	if !s.leases.good(d.lease) {
		// It came too late: somebody else has it. Whatever the line did, asking
		// anew makes sure that we count from what the broker counts from.
		s.puller.done()
		s.unbind(errBinding)
		return
	}
	// There is room: no more is in hand than there are workers.
	s.work <- d
}

func (s *subscription) pull() {
	if err := s.puller.pull(); err != nil {
		s.unbind(err)
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
		s.refuse(&delivery{msg: m.msg, lease: s.leases.take(m.msg.Reply, m.since)})
	}
}
