package deadletter

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

// A deed is stored in two steps: what is done carries it in a header, then the
// record is written. Whoever comes next and finds the deed without its record
// writes it, with the name of the one who did it.

func deedHeader(d *fulfillment.Deed) (episode.Header, error) {
	b, err := json.Marshal(d)
	if err != nil {
		return episode.Header{}, fmt.Errorf("encode deed: %w", err)
	}
	return episode.Header{Name: fulfillment.HeaderDeed, Value: string(b)}, nil
}

// deedIn is the deed that m comes from, if it is one to the letter.
func deedIn(m *stream.Stored, e Entry) *fulfillment.Deed {
	var d fulfillment.Deed
	if json.Unmarshal([]byte(m.Header[fulfillment.HeaderDeed]), &d) != nil || d.Letter != e.position() {
		return nil
	}
	return &d
}

// settled adds to err, if it is ErrSettled, what the record of the deed lacked.
func settled(ctx context.Context, o Operator, e Entry, err error) error {
	if !errors.Is(err, ErrSettled) {
		return err
	}
	if _, failed := complete(ctx, o, e); failed != nil {
		return errors.Join(err, failed)
	}
	return err
}

// complete reports whether somebody dealt with the letter, and records it where
// that is missing.
func complete(ctx context.Context, o Operator, e Entry) (bool, error) {
	done, err := recorded(ctx, o, e)
	if err != nil || done != nil {
		return done != nil, err
	}
	deed, at, err := deedTo(ctx, o, e)
	if err != nil || deed == nil {
		return false, err
	}
	return true, record(ctx, o, e, deed, at)
}

type place struct{ stream, filter string }

// deedPlaces are where the deeds to a letter are carried.
func deedPlaces(e Entry) []place {
	key := e.Key()
	sent := place{fulfillment.StreamRequests, key.Subject(fulfillment.RootRetries)}
	if e.Stream == fulfillment.StreamResults {
		sent = place{fulfillment.StreamResults, key.Subject(fulfillment.RootResults)}
	}
	return []place{{fulfillment.StreamEvents, key.EventSubject(fulfillment.EventDiscarded)}, sent}
}

// deedTo finds what an operator did to the letter, in what came of it; nil if
// nobody did anything.
func deedTo(ctx context.Context, r Reader, e Entry) (*fulfillment.Deed, time.Time, error) {
	if e.Sequence == 0 || e.AssetID == "" {
		return nil, time.Time{}, nil
	}
	for _, p := range deedPlaces(e) {
		for m, err := range r.Read(ctx, p.stream, p.filter, 1) {
			if err != nil {
				return nil, time.Time{}, fmt.Errorf("look for what was done to %s: %w", e.ID, err)
			}
			if d := deedIn(m, e); d != nil {
				return d, m.Time, nil
			}
		}
	}
	return nil, time.Time{}, nil
}

// lastDeed looks for a deed to the letter in the last messages that could carry
// it, which is one question each.
func lastDeed(ctx context.Context, r Reader, e Entry) (*stream.Stored, *fulfillment.Deed, error) {
	for _, p := range deedPlaces(e) {
		m, err := r.Last(ctx, p.stream, p.filter)
		if errors.Is(err, stream.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, nil, err
		}
		if d := deedIn(m, e); d != nil {
			return m, d, nil
		}
	}
	return nil, nil, nil
}

// recorded returns the record of the deed that dealt with the letter, nil if
// there is none.
func recorded(ctx context.Context, r Reader, e Entry) (*fulfillment.Letter, error) {
	found, _, err := records(ctx, r, e)
	return found, err
}

// records also returns the sequence of the last record about the letter. Those
// of before had the subject of a letter.
func records(ctx context.Context, r Reader, e Entry) (done *fulfillment.Letter, last uint64, err error) {
	subject := e.Key().AuditSubject(e.position())
	for _, filter := range []string{e.Key().DeadSubject(fulfillment.StageAudit), subject} {
		for m, err := range r.Read(ctx, fulfillment.StreamDead, filter, 1) {
			if err != nil {
				return nil, 0, fmt.Errorf("read what was done to %s: %w", e.ID, err)
			}
			if m.Subject == subject {
				last = m.Sequence
			}
			var l fulfillment.Letter
			if json.Unmarshal(m.Body, &l) == nil && l.Sequence == e.position() && done == nil {
				done = &l
			}
		}
	}
	return done, last, nil
}

// record stores that the deed was done at that time, unless that is stored.
func record(ctx context.Context, o Operator, e Entry, d *fulfillment.Deed, at time.Time) error {
	for {
		done, last, err := records(ctx, o, e)
		if err == nil && done != nil {
			return nil
		}
		if err == nil {
			err = putRecord(ctx, o, e, d, at, stream.ExpectLast(e.Key().AuditSubject(e.position()), last))
		}
		if errors.Is(err, stream.ErrConflict) {
			continue // another wrote here: perhaps this very record
		}
		if err != nil {
			return fmt.Errorf("%s is %s, but that could not be recorded (try again): %w", e.ID, d.Deed, err)
		}
		return nil
	}
}

func putRecord(ctx context.Context, o Operator, e Entry, d *fulfillment.Deed, at time.Time, opts ...stream.AppendOption) error {
	l := fulfillment.Letter{
		RequestID: e.RequestID, AssetID: e.AssetID, ProductID: e.ProductID, Type: e.Type,
		Stage: fulfillment.StageAudit, Reason: sentence(e, d), Episode: e.Episode, Attempts: e.Attempts, Time: at.UTC(),
		Stream: fulfillment.StreamDead, Sequence: d.Letter, Subject: e.Subject, Audit: d,
	}
	id := fmt.Sprintf("%s/%s", e.ID, d.Deed)
	if d.Deed == fulfillment.DeedRevealed {
		l.Sequence = 0 // it deals with nothing
		id = fmt.Sprintf("%s/%d", id, at.UnixNano())
	}
	body, err := json.Marshal(l)
	if err != nil {
		return err
	}
	_, err = o.Append(ctx, stream.Message{
		Subject: l.Key().AuditSubject(d.Letter), ID: id, Body: body,
		Header: fulfillment.Envelope{
			ID: id, Kind: "dead", Schema: fulfillment.SchemaDead, Key: l.Key(), Episode: l.Episode, Attempt: l.Attempts, Time: l.Time,
		}.Header(),
	}, opts...)
	return err
}

// sentence is the record in words.
func sentence(e Entry, d *fulfillment.Deed) string {
	text := fmt.Sprintf("dead letter %s (%s) was %s by %s", e.ID, d.Stage, d.Deed, d.By)
	if more := d.More(); more != "" {
		text += ": " + more
	}
	return text
}
