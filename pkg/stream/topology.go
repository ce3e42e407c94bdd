package stream

import (
	"time"

	"github.com/headrace/headrace/pkg/fulfillment"
)

// Topology declares streams and durable consumers; Client.Apply makes them so.
type Topology struct {
	Streams   []Stream
	Consumers []Consumer
}

// Stream declares one stream: limits retention, oldest discarded first, on
// disk, readable by direct get.
type Stream struct {
	Name     string
	Subjects []string
	MaxAge   time.Duration // 0: for ever
	MaxBytes int64         // 0: no bound
	// PerSubject is how many messages of a subject are kept, the last ones; 0: all.
	PerSubject int64
	// Schedules allows messages that fire later, see ScheduleAt. It cannot be
	// taken back from an existing stream.
	Schedules bool
	// Memory keeps the messages in memory: they are gone with the server. It
	// can't be changed of an existing stream.
	Memory bool
	// CitedBy are the streams whose messages name sequences of this one, in
	// fulfillment.HeaderEpisode. Should it have to be made anew, it begins
	// beyond all of them.
	CitedBy []string
}

// Consumer declares one durable consumer over a whole stream, from its
// beginning, with as many deliveries as it takes.
type Consumer struct {
	Stream, Durable string
	Filters         []string // none: every subject of the stream
	// AckWait is how long a message stays with a worker that says nothing.
	// Default 30 s. Workers of this package say something each third of it.
	AckWait time.Duration
	// MaxAckPending bounds the messages in hand, over all processes; what waits
	// for a delayed retry counts. Default 200,000.
	MaxAckPending int
	// HeadersOnly leaves out bodies.
	HeadersOnly bool
}

// Defaults of Consumer and Limits.
const (
	DefaultAckWait        = 30 * time.Second
	DefaultMaxAckPending  = 200_000
	DefaultRequestsMaxAge = 30 * 24 * time.Hour
	DefaultResultsMaxAge  = 60 * 24 * time.Hour
	DefaultEventsMaxAge   = 90 * 24 * time.Hour
	DefaultDeadMaxAge     = 90 * 24 * time.Hour

	// upstreamsMaxAge is when an upstream that nobody speaks of any more, since its
	// address or credentials were changed, is forgotten. What is paused is spoken
	// of with every probe.
	upstreamsMaxAge = 24 * time.Hour
)

// The durables that are not named after a type's service.
const (
	// DurableCommitter reads FULFILLMENT_RESULTS.
	DurableCommitter = "committer"
	// DurableTierConfig reads all three types of tier configuration requests.
	DurableTierConfig = "tierconfig"
	// DurableUnclaimed reads the headers of all requests, retries and schedules.
	DurableUnclaimed = "unclaimed"
	// DurableNoteHeld, DurableNoteFailed and DurableNoteWaits are the
	// committer's, too: what it tells people in a request's conversation.
	DurableNoteHeld   = "note-held"
	DurableNoteFailed = "note-failed"
	DurableNoteWaits  = "note-waits"
)

// Limits bounds our streams. A zero age is its default; a negative one is no
// bound.
type Limits struct {
	RequestsMaxAge time.Duration // default 30 days
	ResultsMaxAge  time.Duration // default 60 days
	EventsMaxAge   time.Duration // default 90 days
	DeadMaxAge     time.Duration // default 90 days
	MaxBytes       int64         // of each stream; 0: no bound
}

func (l Limits) withDefaults() Limits {
	set := func(d *time.Duration, def time.Duration) {
		if *d == 0 {
			*d = def
		}
		*d = max(*d, 0)
	}
	set(&l.RequestsMaxAge, DefaultRequestsMaxAge)
	set(&l.ResultsMaxAge, DefaultResultsMaxAge)
	set(&l.EventsMaxAge, DefaultEventsMaxAge)
	set(&l.DeadMaxAge, DefaultDeadMaxAge)
	return l
}

// Fulfillment is our topology: the four streams and that of the upstreams, a
// durable for each type that is named like it, the committer's, the one that
// looks for requests no service takes, and those of what people are told. That
// requests do not outlive results is for the caller to see to.
func Fulfillment(l Limits) Topology {
	l = l.withDefaults()
	below := func(roots ...string) []string {
		out := make([]string, len(roots))
		for i, r := range roots {
			out[i] = r + ".>"
		}
		return out
	}
	t := Topology{Streams: []Stream{
		{
			Name: fulfillment.StreamRequests, MaxAge: l.RequestsMaxAge, MaxBytes: l.MaxBytes, Schedules: true,
			Subjects: below(fulfillment.RootRequests, fulfillment.RootSchedules, fulfillment.RootRetries),
			CitedBy:  []string{fulfillment.StreamResults, fulfillment.StreamEvents, fulfillment.StreamDead},
		},
		{
			Name: fulfillment.StreamResults, MaxAge: l.ResultsMaxAge, MaxBytes: l.MaxBytes,
			Subjects: below(fulfillment.RootResults, fulfillment.RootIntents),
		},
		{Name: fulfillment.StreamEvents, Subjects: below(fulfillment.RootEvents), MaxAge: l.EventsMaxAge, MaxBytes: l.MaxBytes},
		{Name: fulfillment.StreamDead, Subjects: below(fulfillment.RootDead), MaxAge: l.DeadMaxAge, MaxBytes: l.MaxBytes},
		// On disk like the others, though it is small and changes seldom: an hour's
		// Retry-After must be kept over a restart of the broker, too.
		{Name: fulfillment.StreamUpstreams, Subjects: below(fulfillment.RootUpstreams), MaxAge: upstreamsMaxAge, PerSubject: 1},
	}}
	for _, typ := range []fulfillment.Type{
		fulfillment.Purchase, fulfillment.Change, fulfillment.Cancel, fulfillment.Suspend, fulfillment.Resume,
		fulfillment.Adjustment, fulfillment.Renew, fulfillment.Transfer,
	} {
		t.Consumers = append(t.Consumers, TypeConsumer(string(typ), typ))
	}
	t.Consumers = append(t.Consumers,
		TypeConsumer(DurableTierConfig, fulfillment.TierSetup, fulfillment.TierUpdate, fulfillment.TierAdjustment),
		Consumer{Stream: fulfillment.StreamResults, Durable: DurableCommitter, Filters: below(fulfillment.RootResults)},
		Consumer{
			Stream: fulfillment.StreamRequests, Durable: DurableUnclaimed, HeadersOnly: true,
			Filters: below(fulfillment.RootRequests, fulfillment.RootRetries, fulfillment.RootSchedules),
		},
	)
	t.Consumers = append(t.Consumers, noteConsumers()...)
	return t
}

// noteConsumers declares the durables of what people are told: the dead letters
// that leave a request pending in Connect, the failures, and the retries, of
// which those of a request that waits for long are told.
func noteConsumers() []Consumer {
	held := Consumer{Stream: fulfillment.StreamDead, Durable: DurableNoteHeld}
	for _, stage := range []fulfillment.Stage{
		fulfillment.StageHold, fulfillment.StageType, fulfillment.StageProcess, fulfillment.StageCommit,
	} {
		held.Filters = append(held.Filters, fulfillment.RootDead+"."+string(stage)+".>")
	}
	return []Consumer{
		held,
		{
			Stream: fulfillment.StreamEvents, Durable: DurableNoteFailed,
			Filters: []string{fulfillment.RootEvents + ".*." + string(fulfillment.EventFailed) + ".>"},
		},
		{
			Stream: fulfillment.StreamRequests, Durable: DurableNoteWaits, HeadersOnly: true,
			Filters: []string{fulfillment.RootRetries + ".>"},
		},
	}
}

// Slots is the topology of the services whose requests in flight are bounded
// over all processes; that of none is empty.
func Slots(services ...string) Topology {
	if len(services) == 0 {
		return Topology{}
	}
	t := Topology{Streams: []Stream{{
		Name: fulfillment.StreamSlots, PerSubject: 1,
		Subjects: []string{fulfillment.RootSlots + ".>", fulfillment.RootLimits + ".>"},
	}}}
	for _, s := range services {
		t.Consumers = append(t.Consumers, Consumer{
			Stream: fulfillment.StreamSlots, Durable: SlotsOf(s), Filters: []string{fulfillment.SlotFilter(s)},
		})
	}
	return t
}

// SlotsOf is the durable of a service's slots; see Client.Bound.
func SlotsOf(service string) string { return "slots-" + service }

// Notes reports whether a durable is for telling people.
func Notes(durable string) bool {
	return durable == DurableNoteHeld || durable == DurableNoteFailed || durable == DurableNoteWaits
}

// DurableOf is the durable that takes requests of type t.
func DurableOf(t fulfillment.Type) string {
	switch {
	case !t.Known():
		return DurableUnclaimed
	case t.Tier():
		return DurableTierConfig
	}
	return string(t)
}

// TypeConsumer declares the durable of a service that takes the given types.
func TypeConsumer(durable string, types ...fulfillment.Type) Consumer {
	c := Consumer{Stream: fulfillment.StreamRequests, Durable: durable}
	for _, typ := range types {
		for _, root := range []string{fulfillment.RootRequests, fulfillment.RootRetries} {
			c.Filters = append(c.Filters, root+"."+fulfillment.EscapeToken(string(typ))+".>")
		}
	}
	return c
}
