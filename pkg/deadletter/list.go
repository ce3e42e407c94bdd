package deadletter

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"strconv"
	"time"

	"github.com/headrace/headrace/pkg/episode"
	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/stream"
)

// Reader is what this package needs of the stream layer to list.
type Reader interface {
	Read(ctx context.Context, name, filter string, from uint64) iter.Seq2[*stream.Stored, error]
	Get(ctx context.Context, name string, sequence uint64) (*stream.Stored, error)
	Last(ctx context.Context, name, filter string) (*stream.Stored, error)
}

// ErrNotFound is returned when no dead letter has the id.
var ErrNotFound = errors.New("no such dead letter")

// Entry is a dead letter as an operator sees it. ID is unique; what is unknown
// is "".
type Entry struct {
	ID        string            `json:"id"`
	RequestID string            `json:"request_id"`
	AssetID   string            `json:"asset_id"`
	ProductID string            `json:"product_id"`
	Type      fulfillment.Type  `json:"type"`
	Stage     fulfillment.Stage `json:"stage"`
	Reason    string            `json:"reason"`
	Time      time.Time         `json:"time"`
	Attempts  int               `json:"attempts"`
	Episode   uint64            `json:"episode"`
	Subject   string            `json:"subject"`
	Stream    string            `json:"stream"`
	Sequence  uint64            `json:"sequence"`
	// Headers and Body are the original message's; List leaves them out.
	Headers map[string][]string `json:"headers,omitempty"`
	Body    []byte              `json:"-"`
}

// Filter narrows List; the zero value of a field is no bound.
type Filter struct {
	Stage   fulfillment.Stage
	Type    fulfillment.Type
	Product string
	Asset   string
	Request string
}

// subject is the narrowest subject filter that holds all that f asks for.
func (f Filter) subject() string {
	token := func(s string) string {
		if s == "" {
			return "*"
		}
		return fulfillment.EscapeToken(s)
	}
	return fulfillment.RootDead + "." + token(string(f.Stage)) + "." + token(string(f.Type)) + "." +
		token(f.Product) + "." + token(f.Asset) + "." + token(f.Request)
}

// List returns the dead letters that match f, oldest first, less those that an
// operator has dealt with and those whose request was finished otherwise. Whatever else lies in the stream is listed, also what
// is not a letter of ours.
func List(ctx context.Context, r Reader, f Filter) ([]Entry, error) {
	all := f
	all.Stage = "" // what was done to a letter is told at a stage of its own
	filter := all.subject()
	if all == (Filter{}) {
		filter = ""
	}
	entries := []Entry{}
	settled := map[uint64]bool{}
	for m, err := range r.Read(ctx, fulfillment.StreamDead, filter, 1) {
		if err != nil {
			return nil, fmt.Errorf("list dead letters: %w", err)
		}
		e := entryOf(m)
		if e.Stage == fulfillment.StageAudit {
			settled[e.Sequence] = true
			if f.Stage != fulfillment.StageAudit {
				continue // not a letter, but what was done to one
			}
		}
		if f.Stage != "" && f.Stage != e.Stage {
			continue
		}
		e.Headers, e.Body = nil, nil
		entries = append(entries, e)
	}
	open := make([]Entry, 0, len(entries))
	for _, e := range entries {
		closed, err := isClosed(ctx, r, e)
		if err != nil {
			return nil, fmt.Errorf("list dead letters: %w", err)
		}
		if !closed && !settled[e.position()] {
			open = append(open, e)
		}
	}
	return open, nil
}

// isClosed reports whether the letter's episode is over: a person finished the
// request in Connect.
func isClosed(ctx context.Context, r Reader, e Entry) (bool, error) {
	switch e.Stage {
	case fulfillment.StageHold, fulfillment.StageProcess, fulfillment.StageCommit:
	default:
		return false, nil // it is about a message, not about the request
	}
	key := fulfillment.Key{Type: e.Type, Product: e.ProductID, Asset: e.AssetID, Request: e.RequestID}
	closing, err := episode.ClosingOf(ctx, r, key)
	return closing.Covers(e.Episode), err
}

// Get returns the dead letter with that id, or the last one of the request with
// that id; else an error that is ErrNotFound.
func Get(ctx context.Context, r Reader, id string) (Entry, error) {
	if seq, err := strconv.ParseUint(id, 10, 64); err == nil && seq > 0 {
		m, err := r.Get(ctx, fulfillment.StreamDead, seq)
		if err == nil {
			return entryOf(m), nil
		}
		if !errors.Is(err, stream.ErrNotFound) {
			return Entry{}, fmt.Errorf("get dead letter %s: %w", id, err)
		}
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
	return entryOf(last), nil
}

func entryOf(m *stream.Stored) Entry {
	e := Entry{ID: strconv.FormatUint(m.Sequence, 10), Time: m.Time, Subject: m.Subject, Stream: m.Stream, Sequence: m.Sequence}
	var l fulfillment.Letter
	if err := json.Unmarshal(m.Body, &l); err != nil || l.Stage == "" {
		e.Reason = "not a dead letter of this version"
		e.Body = m.Body
		return e
	}
	e.RequestID, e.AssetID, e.ProductID, e.Type = l.RequestID, l.AssetID, l.ProductID, l.Type
	e.Stage, e.Reason, e.Time, e.Attempts, e.Episode = l.Stage, l.Reason, l.Time, l.Attempts, l.Episode
	e.Subject, e.Stream, e.Sequence = l.Subject, l.Stream, l.Sequence
	e.Headers, e.Body = l.Headers, l.Body
	return e
}

// position is the letter's own sequence.
func (e Entry) position() uint64 {
	n, _ := strconv.ParseUint(e.ID, 10, 64) // entryOf wrote it
	return n
}
