package replay

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"time"

	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/stream"
)

// DefaultPrefix is where events are published again if nothing is said.
const DefaultPrefix = "replay"

// ErrPrefix is returned for a subject prefix that is none, or that leads into
// our own streams or the broker's subjects.
var ErrPrefix = errors.New("not a prefix to publish to")

// Announcer is what is needed to publish to those who listen.
type Announcer interface {
	Announce(ctx context.Context, m stream.Message) error
}

// Events plans to publish the events in the range once more, in their order,
// each as it was and on its own subject below the prefix, for others who listen
// there. Nothing is stored: FULFILLMENT_EVENTS gets nothing new. A copy has the
// ce-id of its event, by which readers tell repeats. The range's sequences are
// those of FULFILLMENT_EVENTS. It fails with ErrPrefix.
func Events(ctx context.Context, s interface {
	Source
	Announcer
}, r Range, prefix string,
) (*Plan, error) {
	if err := checkPrefix(prefix); err != nil {
		return nil, err
	}
	p := &Plan{source: s}
	for m, err := range r.read(ctx, s, fulfillment.StreamEvents, r.filter(fulfillment.RootEvents, "*")) {
		if err != nil {
			return nil, err
		}
		key, event, err := fulfillment.ParseEventSubject(m.Subject)
		if err != nil {
			continue
		}
		at, _ := strconv.ParseUint(m.Header[fulfillment.HeaderEpisode], 10, 64) // 0: not told
		step := stepOf(key, at, m.Sequence)
		step.Would = fmt.Sprintf("the event %q is published to %s", event, prefix+"."+m.Subject)
		step.todo, step.do = true, func(ctx context.Context, by string) error { return announce(ctx, s, m, prefix, by) }
		p.Steps = append(p.Steps, step)
	}
	return p, nil
}

func announce(ctx context.Context, to Announcer, m *stream.Stored, prefix, by string) error {
	h := maps.Clone(m.Header)
	stamp(h, by, time.Now())
	return to.Announce(ctx, stream.Message{Subject: prefix + "." + m.Subject, ID: m.ID, Header: h, Body: m.Body})
}

// checkPrefix keeps copies out of the streams that they came from: nobody who
// reads those must see an event twice.
func checkPrefix(prefix string) error {
	tokens := strings.Split(prefix, ".")
	for _, t := range tokens {
		if t == "" || strings.ContainsFunc(t, func(c rune) bool { return c <= ' ' || c == '*' || c == '>' || c == 0x7f }) {
			return fmt.Errorf("%q: %w", prefix, ErrPrefix)
		}
	}
	first := tokens[0]
	if first == "fulfillment" || first == "_INBOX" || strings.HasPrefix(first, "$") {
		return fmt.Errorf("%q leads to what is not for copies: %w", prefix, ErrPrefix)
	}
	return nil
}
