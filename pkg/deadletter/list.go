package deadletter

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"strconv"
	"strings"
	"time"

	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/redact"
	"github.com/headrace/headrace/pkg/stream"
)

// Reader is what this package needs of the stream layer to list. Several of its
// methods are called at once.
type Reader interface {
	Read(ctx context.Context, name, filter string, from uint64) iter.Seq2[*stream.Stored, error]
	Get(ctx context.Context, name string, sequence uint64) (*stream.Stored, error)
	Last(ctx context.Context, name, filter string) (*stream.Stored, error)
}

// ErrNotFound is returned when no dead letter has the id.
var ErrNotFound = errors.New("no such dead letter")

// Entry is a dead letter as an operator sees it. ID is unique; what is unknown
// is "". In JSON it holds nothing secret.
type Entry struct {
	ID        string           `json:"id"`
	RequestID string           `json:"request_id"`
	AssetID   string           `json:"asset_id"`
	ProductID string           `json:"product_id"`
	Type      fulfillment.Type `json:"type"`
	// Stage is where it stopped; of an audit record, audit.
	Stage fulfillment.Stage `json:"stage"`
	// Reason is without the values of password parameters.
	Reason   string    `json:"reason"`
	Time     time.Time `json:"time"`     // when it was written, UTC
	Attempts int       `json:"attempts"` // from 1
	Episode  uint64    `json:"episode"`
	// Subject, Stream and Sequence are the original message's place; "" and 0
	// for what never was a message.
	Subject  string `json:"subject"`
	Stream   string `json:"stream"`
	Sequence uint64 `json:"sequence"`
	// Headers and Body are the original message's, secrets and all: Mask makes of
	// them what may be shown. List leaves them out.
	Headers map[string][]string `json:"-"`
	Body    []byte              `json:"-"`

	told  string            // the reason as it was written
	audit *fulfillment.Deed // of an audit record
}

// Key names the letter's request as far as it is known.
func (e Entry) Key() fulfillment.Key {
	return fulfillment.Key{Type: e.Type, Product: e.ProductID, Asset: e.AssetID, Request: e.RequestID}
}

// Filter narrows List; the zero value of a field is no bound.
type Filter struct {
	Stage   fulfillment.Stage
	Type    fulfillment.Type
	Product string
	Asset   string
	Request string
	// Since and Until bound the time at which the letter was written; Since is
	// included, Until is not.
	Since, Until time.Time
	// Reason is a part of the reason, in capitals or not.
	Reason string
}

// subject is the narrowest subject filter that holds the letters, and the records
// of older versions, that f asks for.
func (f Filter) subject() string { return f.below("*") }

// below is the same for what has that token in the place of the stage.
func (f Filter) below(stage string) string {
	return fulfillment.Key{Type: f.Type, Product: f.Product, Asset: f.Asset, Request: f.Request}.Filter(fulfillment.RootDead + "." + stage)
}

// everything reports whether f leaves nothing out by its subject.
func (f Filter) everything() bool {
	return f.Type == "" && f.Product == "" && f.Asset == "" && f.Request == ""
}

// takes reports whether e is what f asks for beyond the subject.
func (f Filter) takes(e Entry) bool {
	return (f.Stage == "" || f.Stage == e.Stage) &&
		(f.Since.IsZero() || !e.Time.Before(f.Since)) && (f.Until.IsZero() || e.Time.Before(f.Until)) &&
		(f.Reason == "" || strings.Contains(strings.ToLower(e.Reason), strings.ToLower(f.Reason)))
}

// List returns the dead letters that match f, oldest first, less those that an
// operator has dealt with, those whose request was finished otherwise, and
// those that a later attempt overtook. Whatever else lies in the stream is listed,
// also what is not a letter of ours. It reads the stream of dead letters below
// f, and then asks for the state of each request: two round trips a letter, many
// at once.
func List(ctx context.Context, r Reader, f Filter) ([]Entry, error) { return ListSome(ctx, r, f, 0) }

// ListSome is List for who wants no more than limit of them; 0 is all. It asks for
// the state of no more requests than it must.
func ListSome(ctx context.Context, r Reader, f Filter, limit int) ([]Entry, error) {
	entries, settled, err := letters(ctx, r, f)
	if err != nil {
		return nil, err
	}
	if limit == 0 {
		limit = len(entries)
	}
	found := []Entry{}
	for at := 0; at < len(entries) && len(found) < limit; {
		to := min(len(entries), at+max(limit, atOnce))
		open, err := stillOpen(ctx, r, entries[at:to], settled)
		if err != nil {
			return nil, fmt.Errorf("list dead letters: %w", err)
		}
		found, at = append(found, open...), to
	}
	return found[:min(limit, len(found))], nil
}

// letters are the letters that match f, and the sequences of those that have been
// dealt with, here or not.
func letters(ctx context.Context, r Reader, f Filter) (entries []Entry, settled map[uint64]bool, err error) {
	settled = map[uint64]bool{}
	for _, filter := range f.filters() {
		for m, err := range r.Read(ctx, fulfillment.StreamDead, filter, 1) {
			if err != nil {
				return nil, nil, fmt.Errorf("list dead letters: %w", err)
			}
			e := entryOf(m)
			if e.Stage == fulfillment.StageAudit {
				settled[e.Sequence] = true // a reveal names none
				continue
			}
			if f.Reason != "" {
				e = e.scrubbed()
			}
			if e.Headers = nil; f.takes(e) {
				entries = append(entries, e)
			}
		}
	}
	return entries, settled, nil
}

// filters are the subject filters to read for f: the letters, then the records,
// so that one dealt with meanwhile is not listed.
func (f Filter) filters() []string {
	if f.everything() {
		return []string{""}
	}
	return []string{f.subject(), f.below(string(fulfillment.StageAudit)) + ".*"}
}

// Get returns the dead letter with that id, or the last one of the request with
// that id; else an error that is ErrNotFound. It has the body and the headers as
// they are: show what Mask makes of it.
func Get(ctx context.Context, r Reader, id string) (Entry, error) {
	if seq, err := strconv.ParseUint(id, 10, 64); err == nil && seq > 0 {
		m, err := r.Get(ctx, fulfillment.StreamDead, seq)
		if err == nil {
			return entryOf(m).scrubbed(), nil
		}
		if !errors.Is(err, stream.ErrNotFound) {
			return Entry{}, fmt.Errorf("get dead letter %s: %w", id, err)
		}
	}
	if id == "" { // a filter takes that for any
		return Entry{}, fmt.Errorf("%q: %w", id, ErrNotFound)
	}
	var last *stream.Stored
	for m, err := range r.Read(ctx, fulfillment.StreamDead, Filter{Request: id}.subject(), 1) {
		if err != nil {
			return Entry{}, fmt.Errorf("get dead letter of %s: %w", id, err)
		}
		if entryOf(m).Stage != fulfillment.StageAudit {
			last = m
		}
	}
	if last == nil {
		return Entry{}, fmt.Errorf("%s: %w", id, ErrNotFound)
	}
	return entryOf(last).scrubbed(), nil
}

// entryOf reads a letter. It has no Reason yet: scrubbed gives it one.
func entryOf(m *stream.Stored) Entry {
	e := Entry{ID: strconv.FormatUint(m.Sequence, 10), Time: m.Time, Subject: m.Subject, Stream: m.Stream, Sequence: m.Sequence}
	var l fulfillment.Letter
	if err := json.Unmarshal(m.Body, &l); err != nil || l.Stage == "" {
		e.told, e.Body = "not a dead letter of this version", m.Body
		return e
	}
	e.RequestID, e.AssetID, e.ProductID, e.Type = l.RequestID, l.AssetID, l.ProductID, l.Type
	e.Stage, e.Time, e.Attempts, e.Episode = l.Stage, l.Time, l.Attempts, l.Episode
	e.Subject, e.Stream, e.Sequence = l.Subject, l.Stream, l.Sequence
	e.Headers, e.Body, e.told, e.audit = l.Headers, l.Body, l.Reason, l.Audit
	return e
}

// scrubbed is e with its reason, as far as the letter itself tells what may not
// be in it.
func (e Entry) scrubbed() Entry {
	secrets := new(redact.Secrets)
	secrets.JSON(e.Body)
	e.Reason = secrets.Text(e.told)
	return e
}

// position is the letter's own sequence.
func (e Entry) position() uint64 {
	n, _ := strconv.ParseUint(e.ID, 10, 64) // entryOf wrote it
	return n
}
