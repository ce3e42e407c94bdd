package facts

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/headrace/headrace/pkg/episode"
	"github.com/headrace/headrace/pkg/failpoint"
	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/stream"
)

// Teller publishes events. It is safe for concurrent use.
type Teller struct {
	log    episode.Writer
	chain  episode.Chain
	rules  Rules
	now    func() time.Time
	memory *memory // nil: nothing is remembered
}

// New returns a Teller to log that lets out what the rules let out.
func New(log episode.Writer, rules Rules) *Teller {
	if rules.Tenant == nil {
		rules.Tenant = func(string) string { return defaultTenant }
	}
	return &Teller{log: log, rules: rules, now: time.Now}
}

// Together has the Teller store the events of a story by chain, all at once. It
// pays where the broker syncs each append.
func (t *Teller) Together(chain episode.Chain) *Teller {
	t.chain = chain
	return t
}

// Story is what is to be told of one episode of a request.
type Story struct {
	Key     fulfillment.Key
	Episode uint64
	// Replay says that an approved request is carried out again: of that, only
	// how it ends is told, and that it is held.
	Replay bool
	// Events are to be told in this order; what was told before is passed over.
	// That the episode was opened is told first in any case.
	Events []fulfillment.Event
	// Status is Connect's word for the request at the last of the events; before,
	// it was pending.
	Status string
	Reason string
	// Plain says that the reason is somebody's own words, and quotes nobody: it may
	// be told also where nobody can say what may not leave.
	Plain bool
	About About
	// Stage and Letter go with held and dead.
	Stage  fulfillment.Stage
	Letter uint64
	Time   time.Time // of the fact; zero is now
	// At is how the events of the request stood a moment ago, which spares reading
	// that; nil is not known.
	At *episode.Closing
	// Deed is what an operator did, if the last event comes from that.
	Deed *fulfillment.Deed
}

// Tell publishes what of the story was not told yet, and reports whether the
// last of its events is among that. Of an episode that is closed nothing is told
// any more. It may be called again after any error, and by several at once.
func (t *Teller) Tell(ctx context.Context, s Story) (bool, error) {
	const most = 20 // each time, somebody else has told something of this one request
	var err error
	d := &draft{Story: s, rules: t.rules, now: t.now}
	for range most {
		var told bool
		if told, err = t.tell(ctx, d); !errors.Is(err, stream.ErrConflict) {
			return told, err
		}
	}
	return false, err
}

// Opened tells that an episode was opened, where that is missing. Closing is how
// the request's events stand; only where something is told, about is asked.
func (t *Teller) Opened(ctx context.Context, s Story, about func() About, closing episode.Closing) error {
	if s.Replay || closing.Covers(s.Episode) || len(closing.Steps(s.Episode)) > 0 {
		return nil
	}
	s.About = about()
	_, err := t.Tell(ctx, s)
	return err
}

// tell is one try, which fails with stream.ErrConflict where somebody else tells
// something of the request at the same time.
func (t *Teller) tell(ctx context.Context, s *draft) (bool, error) {
	at, err := s.stand(ctx, t.log)
	if err != nil {
		return false, err
	}
	over := at.Covers(s.Episode)
	if over && !failpoint.Off(failpoint.NoEvent) {
		return false, nil
	}
	events := s.Events
	if len(at.Steps(s.Episode)) == 0 && !s.Replay && !over {
		events = append([]fulfillment.Event{opening(at)}, events...)
	}
	told := func(e fulfillment.Event) bool { return s.told(at.Steps(s.Episode), e) }
	last := len(events) > 0 && !told(events[len(events)-1])
	events = slices.DeleteFunc(slices.Clone(events), told)
	var extra []episode.Header
	if last {
		if extra, err = s.deed(); err != nil {
			return false, err
		}
	}
	if t.chain != nil && !s.single && len(events) > 1 && !failpoint.Off(failpoint.NoEvent) && !failpoint.Armed(failpoint.FactTold) {
		err := episode.PutEvents(ctx, t.chain, s.bodies(events), at, extra...)
		if err == nil || errors.Is(err, stream.ErrConflict) || ctx.Err() != nil {
			return err == nil && last, err
		}
		s.single = true // what was in the way is waited out there, or got round
		return t.tell(ctx, s)
	}
	err = t.oneByOne(ctx, s, events, at, extra)
	return err == nil && last, err
}

// oneByOne stores the events; extra are headers of the last.
func (t *Teller) oneByOne(ctx context.Context, s *draft, events []fulfillment.Event, at episode.Closing, extra []episode.Header) error {
	for i, e := range events {
		var more []episode.Header
		if i == len(events)-1 {
			more = extra
		}
		next, err := episode.PutEvent(ctx, t.log, s.body(e), at, more...)
		if errors.Is(err, stream.ErrTooLarge) { // the fact itself must be told
			s.forget()
			next, err = episode.PutEvent(ctx, t.log, s.body(e), at, more...)
		}
		if at = next; err != nil {
			return err
		}
		if i < len(events)-1 {
			failpoint.Here(failpoint.FactTold, s.Key.Request)
		}
	}
	if len(s.Events) == 0 && len(events) > 0 {
		t.remember(s.Key, at)
	}
	return nil
}

// opening is the fact that a new episode begins with.
func opening(before episode.Closing) fulfillment.Event {
	if before.Event == fulfillment.EventInquiring {
		return fulfillment.EventAnswered
	}
	return fulfillment.EventReceived
}

// told reports whether e is among the steps. Letters are told in their order, so
// a later one says that of an earlier there is nothing to tell.
func (s Story) told(steps []string, e fulfillment.Event) bool {
	if !repeats(e) {
		return slices.Contains(steps, string(e))
	}
	return slices.ContainsFunc(steps, func(step string) bool {
		name, number, _ := strings.Cut(step, "/")
		letter, err := strconv.ParseUint(number, 10, 64)
		return err == nil && repeats(fulfillment.Event(name)) && letter >= s.Letter
	})
}

// repeats reports whether a fact may be told several times of one episode.
func repeats(e fulfillment.Event) bool {
	return e == fulfillment.EventHeld || e == fulfillment.EventDead
}

// OfLetter tells of a dead letter of this sequence: of an open episode of a
// request that was taken in, and that is known. What was never taken in, such as
// a row of Connect's list that can't be read, is a dead letter and no event.
func (t *Teller) OfLetter(ctx context.Context, l *fulfillment.Letter, sequence uint64) error {
	key := l.Key()
	if key.Request == "" || key.Asset == "" || key.Product == "" || key.Type == "" || l.Stream == "" || l.Stage == fulfillment.StageAudit {
		return nil
	}
	head, err := episode.HeadOf(ctx, t.log, key.Asset)
	if err != nil {
		return err
	}
	// Of what can't be read, the number of the episode can't be read either.
	if head.Key != key || l.Stage != fulfillment.StageDecode && head.Episode != l.Episode {
		return nil
	}
	e := fulfillment.EventDead
	if l.Stage == fulfillment.StageHold {
		e = fulfillment.EventHeld
	}
	status := pending
	if head.Replay > 0 {
		status = "approved" // and only to be carried out again
	}
	reason := l.Reason
	if l.Stage == fulfillment.StageDecode { // it may quote what nobody could judge
		reason = fmt.Sprintf("a message about it can't be read: dead letter %d says more", sequence)
	}
	about := AboutBody(key.Type, head.Stored.Body)
	if l.Stream == fulfillment.StreamResults { // whose reason may quote what was to be saved
		var r fulfillment.Result
		if json.Unmarshal(l.Body, &r) != nil {
			reason = fmt.Sprintf("what was decided can't be committed: dead letter %d says more", sequence)
		}
		about.Hidden = r.Params
	}
	_, err = t.Tell(ctx, Story{
		Key: key, Episode: head.Episode, Replay: head.Replay > 0, Events: []fulfillment.Event{e}, Status: status, Reason: reason,
		Plain: l.Stage == fulfillment.StageDecode, About: about,
		Stage: l.Stage, Letter: sequence, Time: l.Time,
	})
	if err != nil {
		return fmt.Errorf("tell of dead letter %d: %w", sequence, err)
	}
	return nil
}
