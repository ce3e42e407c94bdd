package deadletter

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"time"

	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/stream"
)

// Reader is what this package needs of the stream layer to list.
type Reader interface {
	Read(ctx context.Context, name, filter string, from uint64) iter.Seq2[*stream.Stored, error]
	Get(ctx context.Context, name string, sequence uint64) (*stream.Stored, error)
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
// operator has dealt with. Whatever else lies in the stream is listed, also what
// is not a letter of ours.
func List(ctx context.Context, r Reader, f Filter) ([]Entry, error) {
	filter := f.subject()
	if f == (Filter{}) {
		filter = ""
	}
	entries := []Entry{}
	settled := map[uint64]bool{}
	for m, err := range r.Read(ctx, fulfillment.StreamDead, filter, 1) {
		if err != nil {
			return nil, fmt.Errorf("list dead letters: %w", err)
		}
		e := entryOf(m)
		if e.Stage == fulfillment.StageAudit && f.Stage != fulfillment.StageAudit {
			settled[e.Sequence] = true
			continue // not a letter, but what was done to one
		}
		e.Headers, e.Body = nil, nil
		entries = append(entries, e)
	}
	return slices.DeleteFunc(entries, func(e Entry) bool { return settled[e.position()] }), nil
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
	if err := json.Unmarshal(m.Body, &l); err != nil || l.Subject == "" && l.Digest == "" {
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
