package stream

import (
	"errors"
	"fmt"
	"strconv"
	"sync"
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
	pullLost = 2*pullHeartbeat + time.Second
	// pullOften is how soon after a request the next is not worth it for a few.
	pullOften     = time.Millisecond
	lookupEvery   = 250 * time.Millisecond
	lookupTimeout = 2 * time.Second
	flushTimeout  = 2 * time.Second
)

// puller asks a consumer for messages. It keeps credit (asked for and not yet
// come) + busy (in hand) at or below size, so that no message waits here while
// another process is idle. Only the subscription's loop binds and leaves; the
// rest is for its workers.
type puller struct {
	nc   *nats.Conn
	size int
	// longest is how long a request stays at the broker.
	longest time.Duration
	// turns makes one request at a time: the broker serves each in turn.
	turns bool
	// slots, if not nil, bound size.
	slots *slots
	// room, if not nil, bounds what is asked for at once.
	room func() int
	// in takes what comes, from one binding after the other.
	in chan *nats.Msg

	mu      sync.Mutex
	subject string
	expires time.Duration
	credit  int
	asked   []asking  // what the credit is made of, the oldest first
	last    time.Time // when it was asked for last
	busy    int
	// inbox is new with every binding: what the broker still sends to the old
	// one was asked for by an account that is closed.
	inbox   *nats.Subscription
	leaving bool
	// former is since when a message of the inbox before may be on its way.
	former time.Time
	heard  time.Time
	epoch  uint64 // how often the connection had been made again when bound
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
	p.mu.Lock()
	defer p.mu.Unlock()
	epoch := p.nc.Stats().Reconnects
	sub, err := p.nc.ChanSubscribe(p.nc.NewInbox(), p.in)
	if err != nil {
		return fmt.Errorf("open inbox: %w", err)
	}
	p.inbox, p.leaving, p.credit, p.asked, p.heard, p.epoch = sub, false, 0, nil, time.Now(), epoch
	p.expires = min(p.longest, info.Config.AckWait/3)
	p.subject = "$JS.API.CONSUMER.MSG.NEXT." + info.Stream + "." + info.Name
	return nil
}

// leave closes the inbox and returns the messages that lie in it; workers may
// still take some of them.
func (p *puller) leave() []arrival {
	p.mu.Lock()
	inbox := p.inbox
	p.leaving, p.former = true, time.Time{}
	if len(p.asked) > 0 {
		p.former = p.asked[0].at
	}
	p.mu.Unlock()
	if inbox == nil {
		return nil
	}
	// Drain tells the broker to send no more but lets in what is on its way; the
	// flush returns when that has come.
	err := inbox.Drain()
	if err == nil && p.nc.IsConnected() {
		err = p.nc.FlushTimeout(flushTimeout)
	}
	if err != nil || !p.nc.IsConnected() {
		_ = inbox.Unsubscribe() // the connection is away: nothing can come
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	var left []arrival
	for {
		select {
		case m := <-p.in:
			if isStatus(m) {
				_ = p.status(m) // for what it says of requests
				continue
			}
			left = append(left, arrival{m, p.spend(1)})
		default:
			p.inbox, p.credit, p.asked = nil, 0, nil
			return left
		}
	}
}

// bound reports whether there is an inbox.
func (p *puller) bound() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.inbox != nil
}

// stale reports whether the connection was made again since the inbox was opened.
func (p *puller) stale() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.epoch != p.nc.Stats().Reconnects
}

// pull asks for as many messages as there are free workers, unless so few are
// free that it is better to wait for more: many where they are free again at
// once, since a request costs the broker as much as a message. It is called
// under the lock.
func (p *puller) pull() error {
	size := p.size
	if p.slots != nil {
		size = min(size, p.slots.keep(p.credit+p.busy))
	}
	free := size - p.credit - p.busy
	if p.inbox == nil || p.leaving || free <= 0 {
		return nil
	}
	if p.room != nil {
		free = min(free, p.room()-p.credit)
	}
	if free <= 0 || (p.credit > 0 && (p.turns || free < max(1, size/8))) {
		return nil
	}
	now := time.Now()
	if p.credit > 0 && free < size/2 && now.Sub(p.last) < pullOften {
		return nil
	}
	req := fmt.Appendf(nil, `{"batch":%d,"expires":%d,"idle_heartbeat":%d}`, free, p.expires, min(pullHeartbeat, p.expires/4))
	p.asked, p.last = append(p.asked, asking{now, free}), now
	if err := p.nc.PublishRequest(p.subject, p.inbox.Subject, req); err != nil {
		return fmt.Errorf("ask for messages: %w", err)
	}
	if p.credit == 0 {
		p.heard = now
	}
	p.credit += free
	return nil
}

// more asks for messages, if it is time to.
func (p *puller) more() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.pull()
}

// done gives a worker back, who is free now.
func (p *puller) done() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.busy--
	return p.pull()
}

// take counts a message that has come, and tells since when it may have been
// on its way: a line that stalled, or a process that slept, brings it later than
// its ack wait allows, and by then it is in other hands.
func (p *puller) take(m *nats.Msg, now time.Time) (arrival, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.busy++
	if m.Sub != p.inbox {
		return arrival{m, p.former}, nil
	}
	p.heard = now
	return arrival{m, p.spend(1)}, p.pull()
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
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.inbox != nil && p.credit > 0 && time.Since(p.heard) > pullLost
}

var (
	errBinding = errors.New("not bound yet")
	errGone    = errors.New("consumer is gone")
)

// isStatus tells the broker's word on a request from a message, which always
// says where it wants to be acknowledged.
func isStatus(m *nats.Msg) bool { return m.Reply == "" && m.Header.Get("Status") != "" }

// hear is status for a worker.
func (p *puller) hear(m *nats.Msg) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if m.Sub != p.inbox { // of a binding that is over
		return nil
	}
	if err := p.status(m); err != nil {
		return err
	}
	return p.pull()
}

// status reads a message that is no message: the broker's word on a request.
// An error means that the binding is no longer good.
func (p *puller) status(m *nats.Msg) error {
	p.heard = time.Now()
	switch code := m.Header.Get("Status"); code {
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
