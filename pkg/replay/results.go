package replay

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/headrace/headrace/pkg/episode"
	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/stream"
)

// Results plans to give the committer again the last result of each request in
// the range whose episode no event has closed: Connect was down when it was to
// be committed, or the committer's consumer was deleted or moved. The committer
// reads Connect first and does what is missing; the vendor is not called. The
// range's sequences are those of FULFILLMENT_RESULTS.
func Results(ctx context.Context, s Source, r Range) (*Plan, error) {
	last, err := r.last(ctx, s, fulfillment.StreamResults, r.filter(fulfillment.RootResults))
	if err != nil {
		return nil, err
	}
	p := &Plan{source: s}
	for _, m := range last {
		step, err := planResult(ctx, s, m)
		if err != nil {
			return nil, err
		}
		p.Steps = append(p.Steps, step)
	}
	return p, nil
}

// planResult plans for the request of one result in the range.
func planResult(ctx context.Context, s Source, m *stream.Stored) (Step, error) {
	_, key, err := fulfillment.ParseSubject(m.Subject)
	if err != nil {
		return Step{}, fmt.Errorf("plan replay: %w", err) // the filter admits no other
	}
	if m, err = s.Last(ctx, m.Stream, m.Subject); err != nil {
		return Step{}, fmt.Errorf("plan replay of %s: %w", key.Request, err)
	}
	var r fulfillment.Result
	if json.Unmarshal(m.Body, &r) != nil {
		return stepOf(key, 0, m.Sequence).nothing("the result can't be read"), nil
	}
	step := stepOf(key, r.Episode, m.Sequence)
	why, err := whyNotResult(ctx, s, m, &r)
	if err != nil {
		return Step{}, fmt.Errorf("plan replay of %s: %w", key.Request, err)
	}
	if why != "" {
		return step.nothing("%s", why), nil
	}
	step.Would = fmt.Sprintf("the committer gets the result %q again; would call the vendor: no, result exists", r.Decision)
	step.todo, step.closes = true, r.Episode
	step.do = func(ctx context.Context, by string) error { return sendResult(ctx, s, m, key, r.Episode, by) }
	return step, nil
}

// whyNotResult says why a request's last result needs no replay; "": it does.
func whyNotResult(ctx context.Context, s Source, m *stream.Stored, r *fulfillment.Result) (string, error) {
	key := r.Key()
	closing, err := episode.ClosingOf(ctx, s, key)
	if err != nil {
		return "", err
	}
	if closing.Covers(r.Episode) {
		return fmt.Sprintf("the request is %s", closing.Word()), nil
	}
	if !r.Decision.Final() {
		return "it is not decided yet", nil
	}
	head, err := episode.HeadOf(ctx, s, key.Asset)
	if err != nil {
		return "", err
	}
	if head.Sequence != 0 && head.Episode != r.Episode {
		return fmt.Sprintf("superseded by a later message about %s", head.Key.Request), nil
	}
	letter, sequence, err := letterAbout(ctx, s, key, r.Episode, m)
	if err != nil {
		return "", err
	}
	switch {
	case letter != nil && letter.Stage == fulfillment.StageCommit:
		return "", nil
	case letter != nil:
		return fmt.Sprintf("held, dead letter %d: headrace dead redrive lets it go on", sequence), nil
	}
	busy, err := inHand(ctx, s, stream.DurableCommitter, m.Sequence)
	if busy {
		return "the committer has it in hand, or will come to it", err
	}
	return "", err
}

// letterAbout returns the request's last dead letter, and its sequence, if it is
// about the message m of the episode at; else nil.
func letterAbout(ctx context.Context, s Source, key fulfillment.Key, at uint64, m *stream.Stored) (*fulfillment.Letter, uint64, error) {
	l, sequence, err := lastLetter(ctx, s, key)
	if err != nil || l == nil || l.Episode != at || l.Stream != m.Stream || l.Sequence < m.Sequence {
		return nil, 0, err
	}
	return l, sequence, nil
}

// lastLetter returns the request's last dead letter, and its sequence; nil where
// it has none, or it was dealt with.
func lastLetter(ctx context.Context, s Source, key fulfillment.Key) (*fulfillment.Letter, uint64, error) {
	m, err := s.Last(ctx, fulfillment.StreamDead, key.DeadFilter())
	if errors.Is(err, stream.ErrNotFound) {
		return nil, 0, nil
	}
	if err != nil {
		return nil, 0, fmt.Errorf("read last dead letter of %s: %w", key.Request, err)
	}
	l := new(fulfillment.Letter)
	if json.Unmarshal(m.Body, l) != nil || l.Stage == fulfillment.StageAudit {
		return nil, 0, nil
	}
	return l, m.Sequence, nil
}

// sendResult appends the result again, unless another came after it.
func sendResult(ctx context.Context, s Source, m *stream.Stored, key fulfillment.Key, at uint64, by string) error {
	id := fulfillment.StepID(key.Request, at, fmt.Sprintf("replay-%d", m.Sequence))
	_, err := s.Append(ctx, stream.Message{
		Subject: m.Subject, ID: id, Header: header(m, id, by, time.Now()), Body: m.Body,
	}, stream.ExpectLast(m.Subject, m.Sequence))
	if errors.Is(err, stream.ErrConflict) {
		return errOvertaken
	}
	if err != nil {
		return fmt.Errorf("replay result of %s: %w", key.Request, err)
	}
	return nil
}
