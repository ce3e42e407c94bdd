package fetcher

import (
	"bytes"
	"cmp"
	"hash/maphash"
	"iter"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/headrace/headrace/pkg/connect"
	"github.com/headrace/headrace/pkg/fulfillment"
)

// sight is what a poll keeps of each row: a million of them must fit.
type sight struct {
	row, asset uint64 // hashes
	created    int64  // Unix time in nanoseconds, never if Connect gives none
	place      uint32 // in the lists, from 0
	kind       word   // the type
}

const never = math.MinInt64

func (f *Fetcher) sightOf(row connect.Row) sight {
	s := sight{row: f.rowHash(row), asset: f.assetHash(row.AssetID), created: never, kind: f.words.word(row.Type)}
	if !row.Created.IsZero() {
		s.created = row.Created.UnixNano()
	}
	return s
}

func (f *Fetcher) assetHash(asset string) uint64      { return maphash.String(f.seed, asset) }
func (f *Fetcher) rowHash(r connect.Row) uint64       { return f.keyHash(keyOf(r)) }
func (f *Fetcher) keyHash(key fulfillment.Key) uint64 { return maphash.Comparable(f.seed, key) }
func (f *Fetcher) rawHash(row connect.Row) uint64 {
	return maphash.Bytes(f.seed, identity(row, reasonOf(row)))
}
func byAge(a, b sight) int   { return cmp.Compare(a.created, b.created) }
func byAsset(a, b sight) int { return cmp.Compare(a.asset, b.asset) }
func (s sight) age() (created time.Time, known bool) {
	return time.Unix(0, s.created), s.created != never
}
func (f *Fetcher) tier(s sight) bool { return fulfillment.Type(f.words.say(s.kind)).Tier() }

// word stands for one of a few strings.
type word uint16

// words are the strings that stand in what is kept: types, states and durables.
type words struct {
	mu   sync.Mutex
	of   map[string]word
	text []string
}

// word is 0 for the empty string.
func (w *words) word(s string) word {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.of == nil {
		w.of, w.text = map[string]word{"": 0}, []string{""}
	}
	n, known := w.of[s]
	if !known && len(w.text) <= math.MaxUint16 { // so many types are not in earnest
		n = word(len(w.text))
		w.of[s], w.text = n, append(w.text, s)
	}
	return n
}

func (w *words) say(n word) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text[n]
}

// listing is what a poll has seen of the lists. Which row of an asset is the
// oldest is known when all are read; but a row is only kept if something may have
// to be done about its asset, and only while there is room. What was not kept is
// asked for once more.
type listing struct {
	sights []sight
	kept   map[uint64]connect.Row // by their hash
	names  map[uint64]string      // assets of rows that found no room, by hash
	bad    map[uint64]bool        // rows that can't be read
	room   int                    // bytes
}

// keeps is how many bytes of rows a poll keeps.
const keeps = 32 << 20

func newListing(room int) *listing {
	return &listing{kept: map[uint64]connect.Row{}, names: map[uint64]string{}, bad: map[uint64]bool{}, room: room}
}

// grow makes room for a list of so many rows.
func (l *listing) grow(total int) {
	const most = 10_000_000 // whatever the server says
	if total = min(total, most); total > cap(l.sights)-len(l.sights) {
		l.sights = slices.Grow(l.sights, total+total/8) // pages overlap
	}
}

func (l *listing) keep(s sight, row connect.Row) {
	if old, seen := l.kept[s.row]; seen { // pages overlap
		l.room += len(old.Raw)
		delete(l.kept, s.row)
	}
	if l.room < len(row.Raw) {
		l.names[s.asset] = row.AssetID
		return
	}
	row.Raw = bytes.Clone(row.Raw) // it would keep all of its page
	l.kept[s.row] = row
	l.room -= len(row.Raw)
}

// sort is called when all rows are seen.
func (l *listing) sort() {
	slices.SortFunc(l.sights, func(a, b sight) int {
		return cmp.Or(byAsset(a, b), byAge(a, b), cmp.Compare(a.row, b.row))
	})
	l.sights = slices.CompactFunc(l.sights, func(a, b sight) bool { return a.row == b.row && a.asset == b.asset })
}

// assets yields the sights of each asset, once they are sorted.
func (l *listing) assets() iter.Seq[[]sight] {
	return func(yield func([]sight) bool) {
		for from, to := 0, 0; from < len(l.sights); from = to {
			for to = from + 1; to < len(l.sights) && l.sights[to].asset == l.sights[from].asset; to++ {
			}
			if !yield(l.sights[from:to]) {
				return
			}
		}
	}
}

// has reports whether the row was listed, once they are sorted.
func (l *listing) has(asset, row uint64) bool {
	at, _ := slices.BinarySearchFunc(l.sights, sight{asset: asset}, byAsset)
	for ; at < len(l.sights) && l.sights[at].asset == asset; at++ {
		if l.sights[at].row == row {
			return true
		}
	}
	return false
}

// rows are the rows of an asset, in Connect's order: by creation, then id. False
// if not all of them were kept.
func (l *listing) rows(group []sight) ([]connect.Row, bool) {
	rows := make([]connect.Row, len(group))
	for i, s := range group {
		row, kept := l.kept[s.row]
		if !kept {
			return nil, false
		}
		rows[i] = row
	}
	slices.SortFunc(rows, inOrder)
	return rows, true
}

func inOrder(a, b connect.Row) int {
	return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.ID, b.ID))
}

// name is the id of an asset of which not all rows were kept.
func (l *listing) name(group []sight) string {
	for _, s := range group {
		if row, kept := l.kept[s.row]; kept {
			return row.AssetID
		}
	}
	return l.names[group[0].asset]
}
