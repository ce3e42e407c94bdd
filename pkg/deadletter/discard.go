package deadletter

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/headrace/headrace/pkg/episode"
	"github.com/headrace/headrace/pkg/facts"
	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/stream"
)

// PlanDiscard tells in a few words what Discard would do with the letter, or
// fails with the error that Discard would fail with. It changes nothing.
func PlanDiscard(ctx context.Context, r Reader, e Entry) (string, error) {
	head, err := openHead(ctx, r, e)
	switch {
	case err == nil:
		return fmt.Sprintf("leave %s to a person; the subscription's next request may go on", head.Key.Request), nil
	case !errors.Is(err, ErrSettled) && !errors.Is(err, ErrNoSource):
		return "", err
	}
	done, failed := recorded(ctx, r, e)
	if failed != nil {
		return "", failed
	}
	if done != nil {
		return "", fmt.Errorf("dead letter %s: %w", e.ID, ErrSettled)
	}
	return "mark it as dealt with: nothing of its request is open", nil
}

// Discard leaves the episode of a dead letter to a person: it is closed, and the
// request is not opened again although it may stay pending in Connect. Note says
// why, and by who. A letter that has no open episode is only marked as dealt
// with. It may be called again, and by several at once: what was dealt with
// before fails with ErrSettled; should the record be missing, it is added.
func Discard(ctx context.Context, o Operator, e Entry, note, by string) error {
	deed := &fulfillment.Deed{Deed: fulfillment.DeedDiscarded, By: by, Letter: e.position(), Stage: e.Stage, Note: note}
	now := time.Now().UTC()
	head, err := openHead(ctx, o, e)
	if errors.Is(err, ErrSettled) || errors.Is(err, ErrNoSource) {
		if found, failed := complete(ctx, o, e); failed != nil || found {
			return errors.Join(failed, fmt.Errorf("discard %s: %w", e.ID, ErrSettled))
		}
		return record(ctx, o, e, deed, now) // there is no episode to close
	}
	if err != nil {
		return err
	}
	told, err := closeEpisode(ctx, o, e, head, deed, now)
	if err != nil && !errors.Is(err, stream.ErrConflict) {
		return fmt.Errorf("discard %s: %w", e.ID, err)
	}
	if !told { // another closed it just now
		return settled(ctx, o, e, fmt.Errorf("discard %s: %w", e.ID, ErrSettled))
	}
	return record(ctx, o, e, deed, now)
}

// closeEpisode tells that the head's episode was left to a person, and reports
// whether nobody had closed it before.
func closeEpisode(ctx context.Context, o Operator, e Entry, head episode.Head, deed *fulfillment.Deed, now time.Time) (bool, error) {
	if err := retell(ctx, o, e); err != nil {
		return false, err
	}
	status := "pending"
	if head.Replay > 0 {
		status = "approved" // and only to be carried out again
	}
	return facts.New(o, operatorsRules()).Tell(ctx, facts.Story{
		Key: head.Key, Episode: head.Episode, Replay: head.Replay > 0, Events: []fulfillment.Event{fulfillment.EventDiscarded},
		Status: status, Reason: deed.Note, Plain: true, About: facts.AboutBody(head.Key.Type, head.Stored.Body), Time: now, Deed: deed,
	})
}

// operatorsRules let nothing out that only the services' settings could allow:
// no personal data, and no tenant, since its parameter is the profile's.
func operatorsRules() facts.Rules { return facts.Rules{Tenant: func(string) string { return "" }} }

// retell tells of the letter, should whoever wrote it not have lived to do so.
// What an operator tells holds no personal data, whatever the setting says.
func retell(ctx context.Context, o Operator, e Entry) error {
	m, err := o.Get(ctx, fulfillment.StreamDead, e.position())
	if errors.Is(err, stream.ErrNotFound) {
		return nil
	}
	var l fulfillment.Letter
	if err != nil || json.Unmarshal(m.Body, &l) != nil {
		return err
	}
	return facts.New(o, operatorsRules()).OfLetter(ctx, &l, m.Sequence)
}
