package stockreader

import (
	"strings"
	"time"

	watermillnats "github.com/ThreeDotsLabs/watermill-nats/v2/pkg/nats"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/nats-io/nats.go"
)

// tolerant is the stock wire format, for headers that strangers may have
// written: of one that occurs more than once it takes the first value, where
// the stock subscriber would drop the message and get it again for ever; and
// it leaves out the broker's own, which would be obeyed if they were sent on.
type tolerant struct{ stock watermillnats.NATSMarshaler }

// Unmarshal reads a message; it never fails.
func (t tolerant) Unmarshal(m *nats.Msg) (*message.Message, error) {
	plain := *m
	plain.Header = make(nats.Header, len(m.Header))
	for key, values := range m.Header {
		if len(values) > 0 && !strings.HasPrefix(key, "Nats-") {
			plain.Header[key] = values[:1]
		}
	}
	return t.stock.Unmarshal(&plain)
}

const (
	firstDelay = time.Second
	longDelay  = time.Minute
)

// backoff is the delay before a refused message comes again: 1 s, doubled each
// time up to a minute. The stock default is none at all.
type backoff struct{}

// WaitTime is the delay after the delivery of that number, from 1.
func (backoff) WaitTime(delivery uint64) time.Duration {
	if delivery > 6 { // 64 s
		return longDelay
	}
	return min(firstDelay<<(max(delivery, 1)-1), longDelay)
}
