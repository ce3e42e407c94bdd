// Package ledger tells where every request is, and how it came there. It reads
// the streams when it is asked and keeps nothing.
package ledger

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/headrace/headrace/pkg/episode"
	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/stream"
)

// Reader is what this package needs of the stream layer.
type Reader interface {
	episode.Reader
	LastSequence(ctx context.Context, name string) (uint64, error)
	Read(ctx context.Context, name, filter string, from uint64) iter.Seq2[*stream.Stored, error]
	ReadHeaders(ctx context.Context, name, filter string, from uint64) iter.Seq2[*stream.Stored, error]
}

// ErrNotFound is returned for a request that the streams know nothing of.
var ErrNotFound = errors.New("no such request in the streams")

// Entry says where one request is.
type Entry struct {
	RequestID string            `json:"request_id"`
	AssetID   string            `json:"asset_id"`
	ProductID string            `json:"product_id"`
	Type      fulfillment.Type  `json:"type"`
	State     fulfillment.State `json:"state"`
	Reason    string            `json:"reason"`
	Episode   uint64            `json:"episode"`
	Attempt   int               `json:"attempt"`
	// Opened is when this stay in pending began; zero if that is older than the
	// stream.
	Opened time.Time `json:"opened,omitzero"`
	// Since is when it came to this state; while it is queued, tried or waiting,
	// when the episode was opened or last redriven.
	Since time.Time `json:"since,omitzero"`
	// Next is when it will be tried again, if it is scheduled. A short retry has
	// none: it comes within half a minute.
	Next    time.Time `json:"next,omitzero"`
	Updated time.Time `json:"updated"` // when it came to this state, or was last tried
}

// Step is one thing that happened to a request.
type Step struct {
	Time    time.Time `json:"time"`
	Step    string    `json:"step"`
	Episode uint64    `json:"episode"`
	Attempt int       `json:"attempt"`
	Reason  string    `json:"reason"`
}

// History is an Entry with every step to it.
type History struct {
	Entry
	Steps []Step `json:"steps"`
}

// Filter narrows List; the zero value of a field is no bound.
type Filter struct {
	Type    fulfillment.Type
	Product string
	Asset   string
	Request string
	State   fulfillment.State
	// Reason is a part of the reason, in capitals or not.
	Reason string
	// Since and Until bound when the request was last updated: from Since on, and
	// before Until.
	Since, Until time.Time
}

func (f Filter) takes(e Entry) bool {
	return (f.Type == "" || f.Type == e.Type) && (f.Product == "" || f.Product == e.ProductID) &&
		(f.Asset == "" || f.Asset == e.AssetID) && (f.State == "" || f.State == e.State) &&
		(f.Reason == "" || strings.Contains(strings.ToLower(e.Reason), strings.ToLower(f.Reason))) &&
		(f.Since.IsZero() || !e.Updated.Before(f.Since)) && (f.Until.IsZero() || e.Updated.Before(f.Until))
}

// List tells where the requests that match f are, the last to change first, and
// no more than limit of them; 0 is all. With a limit it goes back in the streams
// no further than it must.
func List(ctx context.Context, r Reader, f Filter, limit int) ([]Entry, error) {
	if limit > 0 && f.Asset == "" && f.Request == "" {
		if entries, enough, err := latest(ctx, r, f, limit); enough || err != nil {
			return entries, err
		}
	}
	entries, err := listAll(ctx, r, f)
	if limit > 0 && len(entries) > limit {
		entries = entries[:limit]
	}
	return entries, err
}

func listAll(ctx context.Context, r Reader, f Filter) ([]Entry, error) {
	books := map[fulfillment.Key]*book{}
	if err := read(ctx, r, fulfillment.Key{Asset: f.Asset, Request: f.Request}, func(key fulfillment.Key) *book {
		b := books[key]
		if b == nil {
			b = &book{key: key, brief: true}
			books[key] = b
		}
		return b
	}); err != nil {
		return nil, err
	}
	waits, err := readWaits(ctx, r)
	if err != nil {
		return nil, err
	}
	entries := make([]Entry, 0, len(books))
	for _, b := range books {
		e := b.entry()
		if waits.explain(&e); f.takes(e) {
			entries = append(entries, e)
		}
	}
	slices.SortFunc(entries, lastFirst)
	return entries, nil
}

func lastFirst(a, b Entry) int {
	return cmp.Or(b.Updated.Compare(a.Updated), cmp.Compare(a.RequestID, b.RequestID))
}

// Show tells where a request is and how it came there, or fails with
// ErrNotFound.
func Show(ctx context.Context, r Reader, request string) (History, error) {
	var found *book
	if request == "" { // which a filter takes for any
		return History{}, fmt.Errorf("%q: %w", request, ErrNotFound)
	}
	if err := read(ctx, r, fulfillment.Key{Request: request}, func(key fulfillment.Key) *book {
		if found == nil {
			found = &book{key: key}
		}
		return found
	}); err != nil {
		return History{}, err
	}
	if found == nil {
		return History{}, fmt.Errorf("%s: %w", request, ErrNotFound)
	}
	slices.SortStableFunc(found.steps, func(a, b Step) int { return a.Time.Compare(b.Time) })
	for i := range found.steps {
		found.steps[i].Reason = found.secrets.Text(found.steps[i].Reason)
	}
	waits, err := readWaits(ctx, r)
	if err != nil {
		return History{}, err
	}
	h := History{Entry: found.entry(), Steps: found.steps}
	waits.explain(&h.Entry)
	return h, nil
}

// read goes through the four streams and writes each message about what within
// describes into the book of its request.
func read(ctx context.Context, r Reader, within fulfillment.Key, of func(fulfillment.Key) *book) error {
	if within.Asset == "" && within.Request != "" {
		var err error
		if within, err = whole(ctx, r, within); err != nil {
			return err
		}
	}
	const all, dead = "fulfillment.*", fulfillment.RootDead
	for _, s := range []struct {
		stream, filter string
		enter          func(*book, *stream.Stored)
	}{
		{fulfillment.StreamRequests, within.Filter(all), (*book).request},
		{fulfillment.StreamResults, within.Filter(all), (*book).result},
		{fulfillment.StreamDead, within.Filter(dead + ".*"), (*book).letter},
		{fulfillment.StreamDead, within.Filter(dead+"."+string(fulfillment.StageAudit)) + ".*", (*book).letter},
		{fulfillment.StreamEvents, within.Filter(fulfillment.RootEvents, "*"), (*book).event},
	} {
		for m, err := range r.Read(ctx, s.stream, s.filter, 1) {
			if err != nil {
				return fmt.Errorf("read ledger: %w", err)
			}
			if key, ok := keyOf(m); ok {
				s.enter(of(key), m)
			}
		}
	}
	return nil
}

// whole adds the asset to a request's key, if the two are numbered alike, as
// Connect does: the broker finds an asset's messages at once, and must look at all
// the subjects there are for a request alone.
func whole(ctx context.Context, r Reader, key fulfillment.Key) (fulfillment.Key, error) {
	number, purchase := strings.CutPrefix(key.Request, "PR-")
	last := strings.LastIndexByte(number, '-')
	if !purchase || last < 0 {
		return key, nil
	}
	guess := key
	guess.Asset = "AS-" + number[:last]
	for name, filter := range map[string]string{
		fulfillment.StreamRequests: guess.Filter("fulfillment.*"), fulfillment.StreamEvents: guess.Filter(fulfillment.RootEvents, "*"),
	} {
		_, err := r.Last(ctx, name, filter)
		if err == nil {
			return guess, nil
		}
		if !errors.Is(err, stream.ErrNotFound) {
			return key, fmt.Errorf("read ledger: %w", err)
		}
	}
	return key, nil
}

// keyOf tells whose message it is.
func keyOf(m *stream.Stored) (fulfillment.Key, bool) {
	switch m.Stream {
	case fulfillment.StreamEvents:
		key, _, err := fulfillment.ParseEventSubject(m.Subject)
		return key, err == nil
	case fulfillment.StreamDead:
		var l fulfillment.Letter
		if json.Unmarshal(m.Body, &l) != nil {
			return fulfillment.Key{}, false
		}
		return l.Key(), l.RequestID != ""
	default:
		_, key, err := fulfillment.ParseSubject(m.Subject)
		return key, err == nil
	}
}
