// Package deadletter keeps what cannot go on by itself. A dead letter does not
// close its episode: the asset is held until someone decides.
//
// For services, a Writer writes each letter exactly once. For operators, and the
// programs that serve them: List and Get find letters; Mask and Reveal make of one
// what may be shown; PlanSend and PlanDiscard tell what would be done; Send and
// Discard do it, once however many try; NewDraft and Unmask edit a body without
// showing its passwords; Audit tells who did what. All of it may be used while the
// services run.
package deadletter

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/headrace/headrace/pkg/failpoint"
	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/stream"
)

// Log is what this package needs of the stream layer to write.
type Log interface {
	Append(ctx context.Context, m stream.Message, opts ...stream.AppendOption) (uint64, error)
	Last(ctx context.Context, name, filter string) (*stream.Stored, error)
	Read(ctx context.Context, name, filter string, from uint64) iter.Seq2[*stream.Stored, error]
}

// Writer writes dead letters. It is safe for concurrent use.
type Writer struct {
	log Log
	now func() time.Time
	// written is told of each letter that was stored, not of repeats.
	written func(fulfillment.Letter)
	tell    Tell
}

// Tell tells others of the letter of this sequence, once however often it is
// called.
type Tell func(ctx context.Context, l *fulfillment.Letter, sequence uint64) error

// NewWriter returns a Writer to log. written, which may be nil, is told of each
// letter stored.
func NewWriter(log Log, written func(fulfillment.Letter)) *Writer {
	if written == nil {
		written = func(fulfillment.Letter) {}
	}
	return &Writer{
		log: log, now: time.Now, written: written,
		tell: func(context.Context, *fulfillment.Letter, uint64) error { return nil },
	}
}

// Telling has the Writer tell others of each letter: a letter counts as written
// when both are done.
func (w *Writer) Telling(tell Tell) *Writer {
	w.tell = tell
	return w
}

// OfDelivery begins a letter about a delivered message, with its subject,
// headers and bytes inside. What the subject tells of the request is filled in.
func OfDelivery(d *stream.Delivery, stage fulfillment.Stage, reason string) fulfillment.Letter {
	_, key, _ := fulfillment.ParseSubject(d.Subject) // of a foreign subject, what can be told
	if key.Request == "" {
		key.Request = fmt.Sprint(d.Sequence)
	}
	headers := d.RawHeader
	if headers == nil {
		headers = make(map[string][]string, len(d.Header))
		for name, value := range d.Header {
			headers[name] = []string{value}
		}
	}
	return fulfillment.Letter{
		RequestID: key.Request, AssetID: key.Asset, ProductID: key.Product, Type: key.Type,
		Stage: stage, Reason: reason,
		Episode:  fulfillment.Episode(d.Header, d.Sequence),
		Attempts: fulfillment.Attempt(d.Header) + d.Attempt - 1,
		Stream:   d.Stream, Sequence: d.Sequence, Subject: d.Subject,
		Headers: headers, Body: d.Body,
	}
}

// Digest identifies bytes that never were in a stream.
func Digest(body []byte) string {
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:])
}

// Write stores l, unless a letter about the same message is stored already: it
// may be called again after any error, and by several workers at once.
func (w *Writer) Write(ctx context.Context, l fulfillment.Letter) error {
	l.Time = w.now().UTC()
	err := w.write(ctx, l)
	if errors.Is(err, stream.ErrTooLarge) {
		// Better a letter without its body than none: the message itself stays in
		// its stream.
		l.Reason += fmt.Sprintf(" (its body of %d bytes is too large to be copied here)", len(l.Body))
		l.Body, l.Headers = nil, nil
		err = w.write(ctx, l)
	}
	if err != nil {
		return fmt.Errorf("write dead letter of %s: %w", l.RequestID, err)
	}
	return nil
}

func (w *Writer) write(ctx context.Context, l fulfillment.Letter) error {
	subject := l.Key().DeadSubject(l.Stage)
	body, err := json.Marshal(l)
	if err != nil {
		return err
	}
	id := fmt.Sprintf("%s/%d/dead", l.Stream, l.Sequence)
	if l.Digest != "" {
		id = l.Digest + "/dead"
	}
	for {
		last, letter, err := w.find(ctx, subject, l)
		if err != nil {
			return err
		}
		if letter != nil && !failpoint.Off(failpoint.NoLetters) {
			return w.again(ctx, letter)
		}
		seq, err := w.log.Append(ctx, stream.Message{
			Subject: subject, ID: id, Body: body,
			Header: fulfillment.Envelope{
				ID: id, Kind: "dead", Schema: fulfillment.SchemaDead, Key: l.Key(),
				Episode: l.Episode, Attempt: l.Attempts, Time: l.Time,
			}.Header(),
		}, stream.ExpectLast(subject, last))
		if errors.Is(err, stream.ErrConflict) {
			continue // another worker wrote here: perhaps this very letter
		}
		if err != nil {
			return err
		}
		failpoint.Here(failpoint.LetterStored, l.RequestID)
		w.written(l)
		return w.tell(ctx, &l, seq)
	}
}

// again tells of a letter that is stored: whoever stored it may not have lived
// to do so.
func (w *Writer) again(ctx context.Context, m *stream.Stored) error {
	var l fulfillment.Letter
	if json.Unmarshal(m.Body, &l) != nil {
		return nil // find takes no such letter for one
	}
	return w.tell(ctx, &l, m.Sequence)
}

// Retell tells of the last dead letter of an episode of the request, where it
// has one: nothing that comes later may be told before.
func (w *Writer) Retell(ctx context.Context, key fulfillment.Key, episode uint64) error {
	m, err := w.log.Last(ctx, fulfillment.StreamDead, key.DeadFilter())
	if errors.Is(err, stream.ErrNotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read last dead letter of %s: %w", key.Request, err)
	}
	var l fulfillment.Letter
	if json.Unmarshal(m.Body, &l) != nil || l.Stage == fulfillment.StageAudit || l.Episode != episode {
		return nil
	}
	return w.tell(ctx, &l, m.Sequence)
}

// Has reports whether a letter about the stored message (a redelivery, after
// the letter was written and before its acknowledgement) exists. It has been told
// of then.
func (w *Writer) Has(ctx context.Context, key fulfillment.Key, name string, sequence uint64) (bool, error) {
	_, letter, err := w.find(ctx, key.DeadFilter(), fulfillment.Letter{Stream: name, Sequence: sequence})
	if err != nil || letter == nil {
		return false, err
	}
	return true, w.again(ctx, letter)
}

// find looks for a letter about the same message and returns the sequence of
// the last one below filter. Few letters share a subject, so it reads them all.
func (w *Writer) find(ctx context.Context, filter string, l fulfillment.Letter) (last uint64, letter *stream.Stored, err error) {
	tail, err := w.log.Last(ctx, fulfillment.StreamDead, filter)
	if errors.Is(err, stream.ErrNotFound) {
		return 0, nil, nil
	}
	if err != nil {
		return 0, nil, fmt.Errorf("read dead letters below %s: %w", filter, err)
	}
	if about(tail, l) {
		return tail.Sequence, tail, nil
	}
	for m, err := range w.log.Read(ctx, fulfillment.StreamDead, filter, 1) {
		if err != nil {
			return 0, nil, fmt.Errorf("read dead letters below %s: %w", filter, err)
		}
		if about(m, l) {
			return tail.Sequence, m, nil
		}
	}
	return tail.Sequence, nil, nil
}

// about reports whether m is a letter about the same message as l. What is no
// letter of ours stays listed, and is about nothing.
func about(m *stream.Stored, l fulfillment.Letter) bool {
	var old fulfillment.Letter
	return json.Unmarshal(m.Body, &old) == nil &&
		old.Stream == l.Stream && old.Sequence == l.Sequence && old.Digest == l.Digest
}
