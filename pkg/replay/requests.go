package replay

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/headrace/headrace/pkg/episode"
	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/stream"
)

// Requests plans to give a type's service again each request in the range that
// is open and that nobody works on: its message was acknowledged without a
// result, as by a consumer that was moved by hand. What was carried out, or is
// on its way, is left alone. The range's sequences are those of
// FULFILLMENT_REQUESTS.
func Requests(ctx context.Context, s Source, r Range) (*Plan, error) {
	last, err := r.last(ctx, s, fulfillment.StreamRequests, r.filter("fulfillment.*"))
	if err != nil {
		return nil, err
	}
	p := &Plan{source: s}
	for _, m := range last {
		step, err := planRequest(ctx, s, m)
		if err != nil {
			return nil, err
		}
		p.Steps = append(p.Steps, step)
	}
	return p, nil
}

func planRequest(ctx context.Context, s Source, m *stream.Stored) (Step, error) {
	_, key, err := fulfillment.ParseSubject(m.Subject)
	if err != nil {
		return Step{}, fmt.Errorf("plan replay: %w", err)
	}
	step := stepOf(key, fulfillment.Episode(m.Header, m.Sequence), m.Sequence)
	head, err := episode.HeadOf(ctx, s, key.Asset)
	if err != nil {
		return Step{}, err
	}
	why, err := whyNotRequest(ctx, s, step, head)
	if err != nil {
		return Step{}, fmt.Errorf("plan replay of %s: %w", key.Request, err)
	}
	if why != "" {
		return step.nothing("%s", why), nil
	}
	call, err := openCall(ctx, s, key)
	if err != nil {
		return Step{}, err
	}
	step.Would = "its service gets it again; would call the vendor: yes"
	if call {
		step.Would += ", with the key of the call begun before, or hold it where the vendor honours none"
	}
	step.todo, step.closes = true, head.Episode
	step.do = func(ctx context.Context, by string) error { return sendRequest(ctx, s, head, by) }
	return step, nil
}

// whyNotRequest says why a request needs no replay; "": it does.
func whyNotRequest(ctx context.Context, s Source, step Step, head episode.Head) (string, error) {
	closing, err := episode.ClosingOf(ctx, s, step.key())
	switch {
	case err != nil:
		return "", err
	case closing.Covers(step.Episode):
		return fmt.Sprintf("the request is %s", closing.Word()), nil
	case head.Key != step.key() || head.Episode != step.Episode:
		return fmt.Sprintf("superseded by a later message about %s", head.Key.Request), nil
	case !head.Key.Type.Known():
		return "no service takes its type", nil
	}
	decided, err := finalResult(ctx, s, head)
	if err != nil || decided {
		return "result exists; headrace replay results has it committed", err
	}
	letter, sequence, err := letterAbout(ctx, s, head.Key, head.Episode, head.Stored)
	if err != nil || letter != nil {
		return fmt.Sprintf("dead letter %d: headrace dead redrive lets it go on", sequence), err
	}
	if head.Root == fulfillment.RootSchedules {
		return "it waits, and is tried again by itself", nil
	}
	busy, err := inHand(ctx, s, stream.DurableOf(head.Key.Type), head.Sequence)
	if err != nil || busy {
		return "its service has it in hand, or will come to it", err
	}
	return "", nil
}

// finalResult reports whether the head's episode is decided.
func finalResult(ctx context.Context, s Source, head episode.Head) (bool, error) {
	var r fulfillment.Result
	found, err := episode.LastBody(ctx, s, fulfillment.StreamResults, head.Key.Subject(fulfillment.RootResults), &r)
	return found != 0 && r.Episode == head.Episode && r.Decision.Final(), err
}

// openCall reports whether a vendor call of the request was begun that is
// unsafe to repeat.
func openCall(ctx context.Context, s Source, key fulfillment.Key) (bool, error) {
	m, err := s.Last(ctx, fulfillment.StreamResults, key.Subject(fulfillment.RootIntents))
	if errors.Is(err, stream.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("read intent of %s: %w", key.Request, err)
	}
	var in fulfillment.Intent
	return json.Unmarshal(m.Body, &in) != nil || in.State != fulfillment.IntentNotDone, nil
}

// sendRequest makes a retry of the head, unless it is the head no more.
func sendRequest(ctx context.Context, s Source, head episode.Head, by string) error {
	id := fulfillment.StepID(head.Key.Request, head.Episode, fmt.Sprintf("replay-%d", head.Sequence))
	h := header(head.Stored, id, by, time.Now())
	h[fulfillment.HeaderEpisode] = strconv.FormatUint(head.Episode, 10)
	h[fulfillment.HeaderAttempt] = strconv.Itoa(head.Attempt + 1)
	_, err := s.Append(ctx, stream.Message{
		Subject: head.Key.Subject(fulfillment.RootRetries), ID: id, Header: h, Body: head.Stored.Body,
	}, episode.Expect(head.Key.Asset, head.Sequence))
	if errors.Is(err, stream.ErrConflict) {
		return errOvertaken
	}
	if err != nil {
		return fmt.Errorf("replay request %s: %w", head.Key.Request, err)
	}
	return nil
}
