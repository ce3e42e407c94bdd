package fulfillment

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// The streams. Each holds the subjects below one root, REQUESTS and RESULTS
// below more than one.
const (
	StreamRequests = "FULFILLMENT_REQUESTS"
	StreamResults  = "FULFILLMENT_RESULTS"
	StreamEvents   = "FULFILLMENT_EVENTS"
	StreamDead     = "FULFILLMENT_DEAD"
	// StreamUpstreams has the last word on each upstream, and is no one's history.
	StreamUpstreams = "FULFILLMENT_UPSTREAMS"
	// StreamSlots has a message for each request that may be in flight, of the
	// services that are bounded over all processes. There is none without them.
	StreamSlots = "FULFILLMENT_SLOTS"
)

// The roots of the subjects. Schedules and retries live in StreamRequests, as
// a JetStream schedule fires only within its own stream; intents live in
// StreamResults, so that the proof of a vendor call is kept exactly as long as
// its result.
const (
	RootRequests  = "fulfillment.requests"
	RootSchedules = "fulfillment.schedules"
	RootRetries   = "fulfillment.retries"
	RootResults   = "fulfillment.results"
	RootIntents   = "fulfillment.intents"
	RootEvents    = "fulfillment.events"
	RootDead      = "fulfillment.dead"
	RootUpstreams = "fulfillment.upstreams"
	RootSlots     = "fulfillment.slots"
	RootLimits    = "fulfillment.limits"
)

// unknown is the token of what is not known.
const unknown = "_"

// Key names one request on the wire. For a tier configuration request, Asset
// is the id of the tier configuration. The empty string is "not known".
type Key struct {
	Type    Type
	Product string
	Asset   string
	Request string
}

// Subject is <root>.<type>.<product>.<asset>.<request>.
func (k Key) Subject(root string) string {
	return root + "." + k.tail()
}

// EventSubject is fulfillment.events.<type>.<event>.<product>.<asset>.<request>.
func (k Key) EventSubject(e Event) string {
	return strings.Join([]string{
		RootEvents, EscapeToken(string(k.Type)), EscapeToken(string(e)),
		EscapeToken(k.Product), EscapeToken(k.Asset), EscapeToken(k.Request),
	}, ".")
}

// EventFilter matches every event of the request, whatever its name.
func (k Key) EventFilter() string {
	return strings.Join([]string{
		RootEvents, EscapeToken(string(k.Type)), "*",
		EscapeToken(k.Product), EscapeToken(k.Asset), EscapeToken(k.Request),
	}, ".")
}

// DeadSubject is fulfillment.dead.<stage>.<type>.<product>.<asset>.<request>.
func (k Key) DeadSubject(s Stage) string {
	return RootDead + "." + EscapeToken(string(s)) + "." + k.tail()
}

// DeadFilter matches every dead letter of the request, whatever its stage.
func (k Key) DeadFilter() string { return RootDead + ".*." + k.tail() }

// AuditSubject is fulfillment.dead.audit.<type>.<product>.<asset>.<request>.<letter>,
// with a token more than a letter has: a record never is the request's last
// dead letter.
func (k Key) AuditSubject(letter uint64) string {
	return k.DeadSubject(StageAudit) + "." + strconv.FormatUint(letter, 10)
}

// HeadFilter matches everything in StreamRequests that opens or repeats work on
// the asset: the last message that matches it is the asset's head. Whoever
// appends to the asset must spell its expectation with this one function, since
// JetStream guards in-flight appends by the filter's text.
func HeadFilter(asset string) string {
	return "fulfillment.*.*.*." + EscapeToken(asset) + ".*"
}

// RequestFilter matches everything in StreamRequests, or in StreamResults, about
// the request.
func (k Key) RequestFilter() string { return "fulfillment.*." + k.tail() }

// Filter matches what lies below root about the requests that k describes: what
// is empty in k may be anything. Names are the tokens between the type and the
// product, as subjects of events have one; "*" is any.
func (k Key) Filter(root string, names ...string) string {
	wild := func(s string) string {
		if s == "" {
			return "*"
		}
		return EscapeToken(s)
	}
	tokens := append([]string{root, wild(string(k.Type))}, names...)
	return strings.Join(append(tokens, wild(k.Product), wild(k.Asset), wild(k.Request)), ".")
}

// AssetFilter matches the messages of one type about an asset below root.
func AssetFilter(root string, t Type, asset string) string {
	return root + "." + EscapeToken(string(t)) + ".*." + EscapeToken(asset) + ".*"
}

func (k Key) tail() string {
	return strings.Join([]string{
		EscapeToken(string(k.Type)), EscapeToken(k.Product),
		EscapeToken(k.Asset), EscapeToken(k.Request),
	}, ".")
}

// ErrSubject is returned for a subject that is not one of ours.
var ErrSubject = errors.New("not a fulfillment subject")

// ParseSubject reads <root>.<type>.<product>.<asset>.<request>. It fails with
// ErrSubject unless subject has exactly that shape and a root of ours; the Key
// then still holds what could be told, so that a dead letter can be found by
// it.
func ParseSubject(subject string) (root string, k Key, err error) {
	tokens := strings.Split(subject, ".")
	if len(tokens) < 2 || tokens[0] != "fulfillment" {
		return "", Key{Request: UnescapeToken(tokens[len(tokens)-1])}, fmt.Errorf("%q: %w", subject, ErrSubject)
	}
	root = tokens[0] + "." + tokens[1]
	at := func(i int) string {
		if i >= len(tokens) {
			return ""
		}
		return UnescapeToken(tokens[i])
	}
	k = Key{Type: Type(at(2)), Product: at(3), Asset: at(4), Request: at(len(tokens) - 1)}
	if len(tokens) != 6 {
		if len(tokens) < 3 {
			k.Request = ""
		}
		return root, k, fmt.Errorf("%q: %w", subject, ErrSubject)
	}
	return root, k, nil
}

// ParseEventSubject reads what Key.EventSubject writes; else it fails with
// ErrSubject.
func ParseEventSubject(subject string) (Key, Event, error) {
	tokens := strings.Split(subject, ".")
	if len(tokens) != 7 || tokens[0]+"."+tokens[1] != RootEvents {
		return Key{}, "", fmt.Errorf("%q: %w", subject, ErrSubject)
	}
	return Key{
		Type: Type(UnescapeToken(tokens[2])), Product: UnescapeToken(tokens[4]),
		Asset: UnescapeToken(tokens[5]), Request: UnescapeToken(tokens[6]),
	}, Event(UnescapeToken(tokens[3])), nil
}

// ParseDeadSubject reads what Key.DeadSubject writes; false for all else, such as
// the subject of an audit record.
func ParseDeadSubject(subject string) (Key, bool) {
	tokens := strings.Split(subject, ".")
	if len(tokens) != 7 || tokens[0]+"."+tokens[1] != RootDead || Stage(tokens[2]) == StageAudit {
		return Key{}, false
	}
	return Key{
		Type: Type(UnescapeToken(tokens[3])), Product: UnescapeToken(tokens[4]),
		Asset: UnescapeToken(tokens[5]), Request: UnescapeToken(tokens[6]),
	}, true
}

const upperHex = "0123456789ABCDEF"

// EscapeToken makes s one token of a subject: every byte outside A–Z a–z 0–9 -
// and _ is written %XX, and the empty string is written _.
func EscapeToken(s string) string {
	if s == "" {
		return unknown
	}
	plain := true
	for i := range len(s) {
		if !isTokenByte(s[i]) {
			plain = false
			break
		}
	}
	if plain {
		return s
	}
	var b strings.Builder
	b.Grow(len(s) + 8)
	for i := range len(s) {
		c := s[i]
		if isTokenByte(c) {
			b.WriteByte(c)
			continue
		}
		b.WriteByte('%')
		b.WriteByte(upperHex[c>>4])
		b.WriteByte(upperHex[c&15])
	}
	return b.String()
}

// UnescapeToken is the reverse of EscapeToken. A % that no two capital
// hexadecimal digits follow stays as it is: others may publish to our subjects.
func UnescapeToken(t string) string {
	if t == unknown {
		return ""
	}
	if !strings.Contains(t, "%") {
		return t
	}
	var b strings.Builder
	b.Grow(len(t))
	for i := 0; i < len(t); i++ {
		if t[i] == '%' && i+2 < len(t) {
			hi, lo := strings.IndexByte(upperHex, t[i+1]), strings.IndexByte(upperHex, t[i+2])
			if hi >= 0 && lo >= 0 {
				b.WriteByte(byte(hi<<4 | lo))
				i += 2
				continue
			}
		}
		b.WriteByte(t[i])
	}
	return b.String()
}

func isTokenByte(c byte) bool {
	return c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' || c == '_'
}
