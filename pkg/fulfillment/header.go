package fulfillment

import (
	"strconv"
	"strings"
	"time"
)

// The headers of every message: CloudEvents 1.0, binary mode, and two
// extensions of ours. HeaderEpisode is missing on the message that opens an
// episode, since the episode's number is that message's own sequence.
const (
	HeaderSpecVersion = "ce-specversion"
	HeaderID          = "ce-id"
	HeaderSource      = "ce-source"
	HeaderType        = "ce-type"
	HeaderSubject     = "ce-subject"
	HeaderTime        = "ce-time"
	HeaderContentType = "ce-datacontenttype"
	HeaderSchema      = "ce-dataschema"
	HeaderEpisode     = "ce-episode"
	HeaderAttempt     = "ce-attempt"
	// HeaderPolls and HeaderFaults go with a retry: how often the vendor was
	// asked for the tenant's state, and how often a try ended in what was not
	// understood. Attempts count everything, outages too.
	HeaderPolls  = "ce-polls"
	HeaderFaults = "ce-faults"
	// HeaderRedriven and HeaderDone go with what an operator sent again: when,
	// and, where the vendor's part is done, the parameters to save, as JSON.
	HeaderRedriven = "ce-redriven"
	HeaderDone     = "ce-done"
	// HeaderReplayed and HeaderOperator go with what was replayed: when, and who
	// did it. HeaderReplay is the round of a request that is carried out again
	// although it was approved; every message of that episode has it.
	HeaderReplayed = "ce-replayed"
	HeaderOperator = "ce-operator"
	HeaderReplay   = "ce-replay"
	// HeaderDeed is the Deed that a message comes from, as JSON: so who did it is
	// stored in the same moment in which it is done.
	HeaderDeed = "ce-deed"
	// HeaderTold names what was told of the same episode before an event, with
	// commas between, so that the last event alone says what is still to be told.
	HeaderTold = "ce-told"
)

// Source is the ce-source of every message.
const Source = "/headrace"

// SchemaBase precedes a schema's file name in ce-dataschema.
const SchemaBase = "https://github.com/headrace/headrace/schemas/"

// The schema files of the message kinds.
const (
	SchemaRequest     = "request.v1.json"
	SchemaTierRequest = "tier-request.v1.json"
	SchemaResult      = "result.v1.json"
	SchemaIntent      = "intent.v1.json"
	SchemaEvent       = "event.v1.json" // what all events have in common; see EventSchema
	SchemaDead        = "dead.v1.json"
)

// RequestSchema is the schema of a request of type t.
func RequestSchema(t Type) string {
	if t.Tier() {
		return SchemaTierRequest
	}
	return SchemaRequest
}

// EventSchema is the schema of an event: each of the catalogue has its own, and
// any other what all have in common.
func EventSchema(e Event) string {
	if !e.known() {
		return SchemaEvent
	}
	return "event." + string(e) + ".v1.json"
}

// Envelope is what the headers of a message are made from. Kind is the third
// part of ce-type: requested, result, intent, dead, or an event's name.
type Envelope struct {
	ID      string
	Kind    string
	Schema  string
	Key     Key
	Episode uint64 // 0: not written
	Attempt int    // 0: not written
	Time    time.Time
}

// Header writes the CloudEvents attributes of e.
func (e Envelope) Header() map[string]string {
	h := map[string]string{
		HeaderSpecVersion: "1.0",
		HeaderID:          Attribute(e.ID),
		HeaderSource:      Source,
		HeaderType:        "fulfillment." + EscapeToken(string(e.Key.Type)) + "." + e.Kind + ".v1",
		HeaderTime:        e.Time.UTC().Format(time.RFC3339Nano),
		HeaderContentType: "application/json",
		HeaderSchema:      SchemaBase + e.Schema,
	}
	if e.Key.Asset != "" {
		h[HeaderSubject] = Attribute(e.Key.Asset)
	}
	if e.Episode != 0 {
		h[HeaderEpisode] = strconv.FormatUint(e.Episode, 10)
	}
	if e.Attempt != 0 {
		h[HeaderAttempt] = strconv.Itoa(e.Attempt)
	}
	return h
}

// StepID is <request>/<episode>/<step>, the key of all that is idempotent.
func StepID(request string, episode uint64, step string) string {
	return request + "/" + strconv.FormatUint(episode, 10) + "/" + step
}

// Episode is the episode that h names, or sequence where it names none, or one
// that was not opened before: then the message is the one that opened it.
func Episode(h map[string]string, sequence uint64) uint64 {
	n, err := strconv.ParseUint(h[HeaderEpisode], 10, 64)
	if err != nil || n == 0 || n > sequence {
		return sequence
	}
	return n
}

// Attempt is the attempt that h names, at least 1.
func Attempt(h map[string]string) int { return max(Number(h, HeaderAttempt), 1) }

// ReplayID names a request's round of being carried out again: the key of its
// vendor calls.
func ReplayID(request string, round int) string {
	return request + "/replay-" + strconv.Itoa(round)
}

// Number is the small number that h holds under name, else 0.
func Number(h map[string]string, name string) int {
	const most = 1 << 20 // what is beyond is none of ours
	n, err := strconv.Atoi(h[name])
	if err != nil || n < 0 || n > most {
		return 0
	}
	return n
}

// Attribute percent-encodes s as the CloudEvents NATS binding has it: what is
// outside printable ASCII, the space, the quote and the percent sign.
func Attribute(s string) string {
	encode := func(c byte) bool { return c <= ' ' || c > '~' || c == '"' || c == '%' }
	if strings.IndexFunc(s, func(r rune) bool { return r > '~' || encode(byte(r)) }) < 0 {
		return s
	}
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; encode(c) {
			b.WriteByte('%')
			b.WriteByte(upperHex[c>>4])
			b.WriteByte(upperHex[c&15])
			continue
		}
		b.WriteByte(s[i])
	}
	return b.String()
}
