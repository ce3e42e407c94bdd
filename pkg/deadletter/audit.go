package deadletter

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/headrace/headrace/pkg/fulfillment"
)

// Record says what somebody did to a dead letter.
type Record struct {
	Time      time.Time         `json:"time"` // when it was done, UTC
	By        string            `json:"by"`
	Deed      string            `json:"deed"` // redriven, discarded or revealed
	ID        string            `json:"id"`   // the letter's
	Stage     fulfillment.Stage `json:"stage"`
	RequestID string            `json:"request_id"`
	AssetID   string            `json:"asset_id"`
	ProductID string            `json:"product_id"`
	Type      fulfillment.Type  `json:"type"`
	Outcome   string            `json:"outcome"`       // what was said of the vendor call: done, not-done or ""
	Set       []string          `json:"set,omitempty"` // ids of the parameters given, not their values
	Edited    bool              `json:"edited"`        // the body was
	Note      string            `json:"note"`          // why, as the operator put it
	Reason    string            `json:"reason"`        // all of that in a sentence
}

// More is what there is to say of the deed beyond who did what, "" for nothing.
func (r Record) More() string {
	return (&fulfillment.Deed{Outcome: r.Outcome, Set: r.Set, Edited: r.Edited, Note: r.Note}).More()
}

// AuditFilter narrows Audit; the zero value of a field is no bound.
type AuditFilter struct {
	Deed    string
	By      string
	ID      string // the letter's
	Type    fulfillment.Type
	Product string
	Asset   string
	Request string
	// Since is included, Until is not.
	Since, Until time.Time
}

func (f AuditFilter) takes(r Record) bool {
	return (f.Deed == "" || f.Deed == r.Deed) && (f.By == "" || f.By == r.By) && (f.ID == "" || f.ID == r.ID) &&
		(f.Since.IsZero() || !r.Time.Before(f.Since)) && (f.Until.IsZero() || r.Time.Before(f.Until))
}

// Audit returns what was done to dead letters, by whom, oldest first. A deed
// whose record is missing, since its process died in between, is found in what
// came of it.
func Audit(ctx context.Context, r Reader, f AuditFilter) ([]Record, error) {
	below := Filter{Type: f.Type, Product: f.Product, Asset: f.Asset, Request: f.Request}
	var letters []Entry
	all := []Record{}
	done := map[uint64]bool{}
	for _, filter := range below.filters() {
		for m, err := range r.Read(ctx, fulfillment.StreamDead, filter, 1) {
			if err != nil {
				return nil, fmt.Errorf("read audit trail: %w", err)
			}
			e := entryOf(m)
			if e.Stage == fulfillment.StageAudit {
				done[e.Sequence] = true
				all = append(all, recordOf(e.scrubbed()))
				continue
			}
			e.Headers, e.Body = nil, nil
			letters = append(letters, e)
		}
	}
	letters = slices.DeleteFunc(letters, func(e Entry) bool { return done[e.position()] })
	lost, err := unrecorded(ctx, r, letters)
	if err != nil {
		return nil, fmt.Errorf("read audit trail: %w", err)
	}
	all = slices.DeleteFunc(append(all, lost...), func(rec Record) bool { return !f.takes(rec) })
	slices.SortStableFunc(all, func(a, b Record) int { return a.Time.Compare(b.Time) })
	return all, nil
}

// unrecorded are the deeds to letters that have no record. It looks at the last
// message that could carry one; what is older is among the steps of the request.
func unrecorded(ctx context.Context, r Reader, letters []Entry) ([]Record, error) {
	found := make([]*Record, len(letters))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(atOnce)
	for i, e := range letters {
		if e.Sequence == 0 || e.AssetID == "" {
			continue
		}
		g.Go(func() error {
			m, d, err := lastDeed(ctx, r, e)
			if d != nil {
				rec := recordOf(Entry{
					Time: m.Time, RequestID: e.RequestID, AssetID: e.AssetID, ProductID: e.ProductID, Type: e.Type,
					Reason: sentence(e, d), audit: d,
				})
				found[i] = &rec
			}
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	var all []Record
	for _, rec := range found {
		if rec != nil {
			all = append(all, *rec)
		}
	}
	return all, nil
}

var oldRecord = regexp.MustCompile(`^dead letter (\d+) \(([a-z]*)\) was ([a-z]+) by (.*)$`)

// recordOf reads an audit record, also one of before it had fields of its own.
func recordOf(e Entry) Record {
	rec := Record{
		Time: e.Time, RequestID: e.RequestID, AssetID: e.AssetID, ProductID: e.ProductID, Type: e.Type, Reason: e.Reason,
		ID: strconv.FormatUint(e.Sequence, 10),
	}
	if d := e.audit; d != nil {
		rec.By, rec.Deed, rec.ID, rec.Stage = d.By, d.Deed, strconv.FormatUint(d.Letter, 10), d.Stage
		rec.Outcome, rec.Set, rec.Edited, rec.Note = d.Outcome, d.Set, d.Edited, d.Note
		return rec
	}
	if m := oldRecord.FindStringSubmatch(e.Reason); m != nil {
		rec.Stage, rec.Deed, rec.By = fulfillment.Stage(m[2]), m[3], m[4]
	}
	return rec
}
