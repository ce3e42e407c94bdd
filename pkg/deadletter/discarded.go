package deadletter

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/headrace/headrace/pkg/episode"
	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/stream"
)

// DiscardOf returns the event of a discard that closed the head's episode, as
// the audit trail tells it; false if there was none. The event itself comes
// before its record: this is for the day on which the events are lost.
func DiscardOf(ctx context.Context, r Reader, head episode.Head) (fulfillment.EventBody, bool, error) {
	subject := head.Key.DeadSubject(fulfillment.StageAudit)
	for _, filter := range []string{subject, subject + ".>"} { // with and without the letter's number
		_, err := r.Last(ctx, fulfillment.StreamDead, filter)
		if errors.Is(err, stream.ErrNotFound) {
			continue // cheaper than to read nothing
		}
		if err != nil {
			return fulfillment.EventBody{}, false, fmt.Errorf("look for a discard of %s: %w", head.Key.Request, err)
		}
		for m, err := range r.Read(ctx, fulfillment.StreamDead, filter, 1) {
			if err != nil {
				return fulfillment.EventBody{}, false, fmt.Errorf("look for a discard of %s: %w", head.Key.Request, err)
			}
			if body, ok := discardIn(m, head); ok {
				// A letter that had no open episode is marked in the same way.
				closed, err := standsFor(ctx, r, m, head)
				if err != nil || closed {
					return body, closed, err
				}
			}
		}
	}
	return fulfillment.EventBody{}, false, nil
}

func discardIn(m *stream.Stored, head episode.Head) (fulfillment.EventBody, bool) {
	var l fulfillment.Letter
	if json.Unmarshal(m.Body, &l) != nil || l.Episode != head.Episode || !strings.Contains(l.Reason, " was discarded by ") {
		return fulfillment.EventBody{}, false
	}
	note := "" // who did it is for the audit trail alone
	if l.Audit != nil {
		note = l.Audit.Note
	}
	return fulfillment.EventBody{
		RequestID: l.RequestID, AssetID: l.AssetID, ProductID: l.ProductID, Type: l.Type,
		Event: fulfillment.EventDiscarded, Episode: l.Episode, Status: "pending", Reason: note, Time: l.Time,
	}, true
}

// standsFor reports whether the letter that a record is about is what keeps the
// head from going on.
func standsFor(ctx context.Context, r Reader, record *stream.Stored, head episode.Head) (bool, error) {
	var l fulfillment.Letter
	if json.Unmarshal(record.Body, &l) != nil {
		return false, nil
	}
	m, err := r.Get(ctx, fulfillment.StreamDead, l.Sequence)
	if errors.Is(err, stream.ErrNotFound) {
		return false, nil
	}
	var letter fulfillment.Letter
	if err != nil || json.Unmarshal(m.Body, &letter) != nil {
		return false, err
	}
	decided := uint64(0)
	if letter.Stream == fulfillment.StreamResults {
		if decided, err = episode.LastSequence(ctx, r, fulfillment.StreamResults, head.Key.Subject(fulfillment.RootResults)); err != nil {
			return false, err
		}
	}
	return letter.Episode == head.Episode && letter.Stands(head.Sequence, decided), nil
}
