package stream

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/ThreeDotsLabs/watermill-nats/v2/pkg/nats"
	"github.com/ThreeDotsLabs/watermill/message"
	natsgo "github.com/nats-io/nats.go"
)

// Header keys of the broker's own. nats.go has typed options for most, but not
// for a message that is appended by another way than its publisher.
const (
	brokerPrefix    = "Nats-"
	cloudPrefix     = "ce-"
	hdrOnce         = "Nats-Msg-Id"
	hdrExpectSeq    = "Nats-Expected-Last-Subject-Sequence"
	hdrExpectFilter = "Nats-Expected-Last-Subject-Sequence-Subject"
	hdrSchedule     = "Nats-Schedule"
	hdrTarget       = "Nats-Schedule-Target"
	hdrScheduler    = "Nats-Scheduler"
	hdrScheduleNext = "Nats-Schedule-Next"
	hdrStream       = "Nats-Stream"
	hdrSubject      = "Nats-Subject"
	hdrSequence     = "Nats-Sequence"
	hdrTime         = "Nats-Time-Stamp"
	hdrPending      = "Nats-Pending-Messages"
)

// publishable are the broker's headers that a Watermill publisher may set as
// metadata. The others come with messages read from a stream, and would be
// obeyed if they were sent on.
var publishable = map[string]bool{
	hdrOnce: true, hdrExpectSeq: true, hdrExpectFilter: true, hdrSchedule: true, hdrTarget: true,
}

// encode writes a message in the format of watermill-nats, so that its stock
// subscribers can read it.
func encode(subject string, msg *message.Message, keep func(key string) bool) (*natsgo.Msg, error) {
	var marshaler nats.NATSMarshaler
	out, err := marshaler.Marshal(subject, msg)
	if err != nil {
		return nil, fmt.Errorf("encode message %s: %w", msg.UUID, err)
	}
	for k := range out.Header {
		if strings.HasPrefix(k, brokerPrefix) && !keep(k) {
			delete(out.Header, k)
		}
	}
	return out, nil
}

// decode reads what any publisher may have put on subject. It never fails:
// what watermill-nats refuses, a header that is there more than once, makes
// the message poison. Keys of CloudEvents attributes become lower case, as the
// standard takes no account of case and NATS does.
func decode(subject string, raw natsgo.Header, body []byte) Stored {
	size := len(raw)
	if _, ok := raw[nats.WatermillUUIDHdr]; ok {
		size-- // it is the ID; up to eight keys take much less than nine
	}
	s := Stored{Message: Message{Subject: subject, Body: body, Header: make(map[string]string, size)}}
	if at, ok := raw[hdrSchedule]; ok {
		s.Scheduled, s.Due = true, dueOf(at)
	}
	for key, values := range raw {
		if strings.HasPrefix(key, brokerPrefix) {
			continue
		}
		if len(values) == 0 {
			continue
		}
		if len(values) > 1 && s.Poison == nil {
			s.Poison = fmt.Errorf("%w: header %q occurs %d times", ErrPoison, key, len(values))
		}
		if key == nats.WatermillUUIDHdr {
			s.ID = values[0]
			continue
		}
		name, before := normalKey(key), len(s.Header)
		s.Header[name] = values[0]
		if len(s.Header) == before && s.Poison == nil {
			s.Poison = fmt.Errorf("%w: header %q occurs in two spellings", ErrPoison, name)
		}
	}
	if s.ID == "" {
		s.ID = s.Header["ce-id"]
	}
	if s.Poison != nil {
		s.RawHeader = raw
	}
	return s
}

func normalKey(key string) string {
	if len(key) > len(cloudPrefix) && strings.EqualFold(key[:len(cloudPrefix)], cloudPrefix) {
		return strings.ToLower(key)
	}
	return key
}

// decodeDelivery reads a message that a consumer delivered.
func decodeDelivery(m *natsgo.Msg, durable string) *Delivery {
	d := &Delivery{Stored: decode(m.Subject, m.Header, m.Data), Durable: durable, Attempt: 1}
	p, ok := placeOf(m.Reply)
	if !ok {
		if d.Poison == nil {
			d.Poison = fmt.Errorf("%w: read delivery of %s: reply %q", ErrPoison, m.Subject, m.Reply)
			d.RawHeader = m.Header
		}
		return d
	}
	d.Stream, d.Sequence, d.Time = p.stream, p.sequence, p.time()
	d.Attempt, d.Pending = int(p.attempt), p.pending
	return d
}

// place is what the broker says of a message that a consumer delivers.
type place struct {
	stream, consumer string
	attempt          uint64
	sequence         uint64 // in the stream
	delivered        uint64 // by the consumer, from 1
	stored           uint64 // nanoseconds since 1970
	pending          uint64
}

func (p place) time() time.Time { return time.Unix(0, int64(p.stored)).UTC() }

// placeOf reads where a message is to be acknowledged, either
//
//	$JS.ACK.<stream>.<consumer>.<attempt>.<sequence>.<delivered>.<time>.<pending>
//	$JS.ACK.<domain>.<account>.<stream>.… as above …[.<anything>]
//
// nats.go does, too, for several times the price.
func placeOf(reply string) (p place, ok bool) {
	rest, ok := strings.CutPrefix(reply, "$JS.ACK.")
	if !ok {
		return p, false
	}
	const short, long = 7, 9 // tokens
	switch n := strings.Count(rest, ".") + 1; {
	case n >= long:
		_, rest, _ = strings.Cut(rest, ".")
		_, rest, _ = strings.Cut(rest, ".")
	case n != short:
		return p, false
	}
	p.stream, rest, _ = strings.Cut(rest, ".")
	p.consumer, rest, _ = strings.Cut(rest, ".")
	for _, n := range []*uint64{&p.attempt, &p.sequence, &p.delivered, &p.stored, &p.pending} {
		var token string
		token, rest, _ = strings.Cut(rest, ".")
		var err error
		if *n, err = strconv.ParseUint(token, 10, 64); err != nil {
			return p, false
		}
	}
	return p, true
}

// scheduleAt is the text of a schedule that fires once.
func scheduleAt(t time.Time) string { return scheduleOnce + t.UTC().Format(time.RFC3339Nano) }

const scheduleOnce = "@at "

// dueOf reads what scheduleAt wrote; zero for any other schedule.
func dueOf(texts []string) time.Time {
	if len(texts) != 1 {
		return time.Time{}
	}
	at, once := strings.CutPrefix(texts[0], scheduleOnce)
	due, err := time.Parse(time.RFC3339Nano, at)
	if err != nil || !once {
		return time.Time{}
	}
	return due.UTC()
}
