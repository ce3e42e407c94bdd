package fetcher

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/headrace/headrace/pkg/connect"
	"github.com/headrace/headrace/pkg/deadletter"
	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/stream"
)

// known is an asset about which there is nothing to do, as long as the same rows
// are listed and nothing about it comes into the streams. It is a filter alone:
// what it lets through is judged by what the broker says, and appended by
// comparison with that.
type known struct {
	rows uint64 // the sum of the rows' hashes
	head uint64 // the sequence of the asset's head, 0: it needs none
	// awaited is the sequence that durable must not acknowledge while nothing comes
	// of it; 0: nothing is awaited.
	awaited uint64
	until   uint32 // when it is looked at again in any case, in seconds since the start
	durable word
	state   word   // of the first row that is not left
	left    uint16 // rows before that, which are left to a person
	poll    uint8  // the last one that saw it
}

// look is what was found out about an asset.
type look struct {
	quiet   bool // nothing is to be done until something changes
	left    int
	state   fulfillment.State
	head    uint64
	durable string
	awaited uint64
}

// again is when the asset that is known is looked at once more without a reason:
// a message that somebody deleted by hand tells nobody. It is between half of it
// and one and a half.
const again = 24 * time.Hour

func (f *Fetcher) learn(asset uint64, rows []connect.Row, l look) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !l.quiet || l.left > 1<<16-1 {
		delete(f.known, asset)
		return
	}
	k := known{
		head: l.head, awaited: l.awaited, durable: f.words.word(l.durable), state: f.words.word(string(l.state)), left: uint16(l.left), poll: f.poll,
		until: uint32((f.now().Sub(f.began) + again/2 + time.Duration(asset%uint64(again))).Seconds()),
	}
	if f.DryRun {
		k.awaited = 0 // nothing is published of what was decided, so nothing is lost
	}
	for _, r := range rows {
		k.rows += f.rowHash(r)
	}
	f.known[asset] = k
}

// rests reports whether k can still be true. Within a poll it says the same
// however often it is asked: by it a row is kept, and later its asset is judged.
func (f *Fetcher) rests(k known) bool {
	if k.head != 0 && k.head < f.firstHead || f.at.Sub(f.began) > time.Duration(k.until)*time.Second {
		return false
	}
	return k.awaited == 0 || f.lost.floors[f.words.say(k.durable)] < k.awaited
}

// familiar reports whether it is known that nothing is to be done about the
// assets's rows, and counts them then.
func (f *Fetcher) familiar(group []sight, t *tally) bool {
	k, found := f.known[group[0].asset]
	for _, s := range group {
		k.rows -= s.row
	}
	if !found || k.rows != 0 || !f.rests(k) {
		return false
	}
	for i, s := range group {
		state := fulfillment.StateQueued
		switch {
		case i < int(k.left):
			state = fulfillment.StateLeft
		case i == int(k.left):
			state = fulfillment.State(f.words.say(k.state))
		}
		created, dated := s.age()
		if !dated {
			created = time.Time{}
		}
		t.count(f.words.say(s.kind), created, state)
	}
	k = f.known[group[0].asset]
	k.poll = f.poll
	f.known[group[0].asset] = k
	return true
}

// prune forgets what is not listed any more, and notes for which durables the
// rest waits.
func (f *Fetcher) prune() {
	clear(f.awaits)
	for asset, k := range f.known {
		switch {
		case k.poll != f.poll:
			delete(f.known, asset)
		case k.awaited != 0 && k.durable != 0:
			f.awaits[k.durable] = true
		}
	}
}

// mark is how the streams stood at a moment.
type mark struct {
	at      time.Time
	streams [4]stream.StreamState
}

// watched are the streams that tell about assets. The requests are the first,
// the dead letters the last.
func watched() [4]string {
	return [4]string{fulfillment.StreamRequests, fulfillment.StreamResults, fulfillment.StreamEvents, fulfillment.StreamDead}
}

// news brings what is known up to date: it forgets what something came in about,
// and all of it if a stream is not the one that it was. It returns the sequence of
// the last event.
func (f *Fetcher) news(ctx context.Context) (uint64, error) {
	now := mark{at: f.now()}
	for i, name := range watched() {
		var err error
		if now.streams[i], err = f.Log.StreamState(ctx, name); err != nil {
			return 0, err
		}
	}
	horizon := now.streams[2].Last
	f.firstHead = now.streams[0].First
	if n := len(f.marks); n == 0 || now.streams[3].First != f.marks[n-1].streams[3].First {
		clear(f.bad) // a letter got too old: it may be that of a row that is still listed
	}
	if len(f.marks) == 0 || !now.follows(f.marks[len(f.marks)-1]) {
		f.marks = []mark{now}
		clear(f.known)
		clear(f.bad)
		clear(f.lost.now) // another stream has other sequences
		f.unsettled = deadletter.Unsettled{}
		return horizon, nil
	}
	// What was stored shortly before the last poll may have been hidden from it, by
	// a replica that lagged behind.
	before := f.marks[len(f.marks)-1].at.Add(-lostAfter)
	for len(f.marks) > 1 && !f.marks[1].at.After(before) {
		f.marks = f.marks[1:]
	}
	from := f.marks[0]
	f.marks = append(f.marks, now)
	return horizon, f.forget(ctx, from, now)
}

// follows reports whether the streams are those of before, with nothing taken
// away but what got too old. Of requests, the broker takes away schedules.
func (m mark) follows(before mark) bool {
	gaps := func(s stream.StreamState) uint64 {
		if s.Messages == 0 {
			return 0
		}
		return s.Last + 1 - s.First - s.Messages
	}
	for i, s := range m.streams {
		was := before.streams[i]
		purged := was.Last > 0 && s.First > was.Last && was.Messages > 0
		if !s.Created.Equal(was.Created) || s.Last < was.Last || purged || i > 0 && gaps(s) != gaps(was) {
			return false
		}
	}
	return true
}

// forget drops from what is known the assets about which something came in.
func (f *Fetcher) forget(ctx context.Context, from, to mark) error {
	// A headers-only read is so much cheaper than to look at an asset.
	const cheaper = 64
	came := uint64(0)
	for i, s := range to.streams {
		came += s.Last - from.streams[i].Last
	}
	if came > cheaper*uint64(len(f.known)) {
		clear(f.known)
		return nil
	}
	for i, name := range watched() {
		if to.streams[i].Last == from.streams[i].Last {
			continue
		}
		for m, err := range f.Log.ReadHeaders(ctx, name, "", from.streams[i].Last+1) {
			if err != nil {
				f.marks = nil // what has come in must be read, or all be forgotten
				return fmt.Errorf("read what has changed: %w", err)
			}
			delete(f.known, f.assetHash(assetOf(name, m.Subject)))
		}
	}
	return nil
}

// assetOf is the asset that a message of a stream is about, "" if that can't be
// told.
func assetOf(name, subject string) string {
	at := 4
	if name == fulfillment.StreamEvents || name == fulfillment.StreamDead {
		at = 5
	}
	tokens := strings.Split(subject, ".")
	if len(tokens) <= at {
		return ""
	}
	return fulfillment.UnescapeToken(tokens[at])
}
