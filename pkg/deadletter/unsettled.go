package deadletter

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"

	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/stream"
)

// HeadersReader is what Unsettled needs of the stream layer.
type HeadersReader interface {
	ReadHeaders(ctx context.Context, name, filter string, from uint64) iter.Seq2[*stream.Stored, error]
}

// Unsettled knows the dead letters that no operator has dealt with. It reads what
// is new since it read last, and no bodies. The zero value has read nothing. It is
// not safe for concurrent use.
type Unsettled struct {
	read    uint64
	letters []Mark
}

// Mark is what the headers of a dead letter tell.
type Mark struct {
	Sequence uint64 // the letter's own
	Key      fulfillment.Key
	Stage    fulfillment.Stage
	Episode  uint64
}

// Update reads what has come since the last call. If it fails, the next one goes
// on where it ended.
func (u *Unsettled) Update(ctx context.Context, r HeadersReader) error {
	settled := map[uint64]bool{}
	defer func() { // also of a read that fails: its records are not read again
		if len(settled) > 0 {
			u.Drop(func(l Mark) bool { return settled[l.Sequence] })
		}
	}()
	for m, err := range r.ReadHeaders(ctx, fulfillment.StreamDead, "", u.read+1) {
		if err != nil {
			return fmt.Errorf("read dead letters: %w", err)
		}
		u.read = m.Sequence
		stage, _, _ := strings.Cut(strings.TrimPrefix(m.Subject, fulfillment.RootDead+"."), ".")
		key, letter := fulfillment.ParseDeadSubject(m.Subject)
		switch {
		case fulfillment.Stage(stage) == fulfillment.StageAudit:
			settled[settledBy(m.ID)] = true
		case letter:
			episode, _ := strconv.ParseUint(m.Header[fulfillment.HeaderEpisode], 10, 64) // of what is about no request, none
			u.letters = append(u.letters, Mark{Sequence: m.Sequence, Key: key, Stage: fulfillment.Stage(stage), Episode: episode})
		}
	}
	return nil
}

// Letters are the letters known to be unsettled, oldest first. The caller must
// not change them.
func (u *Unsettled) Letters() []Mark { return u.letters }

// Drop forgets the letters for which over is true: of those nothing is to be
// expected any more.
func (u *Unsettled) Drop(over func(Mark) bool) { u.letters = slices.DeleteFunc(u.letters, over) }

// settledBy is the sequence of the letter that the record of this id is about, 0
// if it deals with none: <letter>/<deed>, in older versions <deed>/<letter>/….
func settledBy(id string) uint64 {
	first, rest, _ := strings.Cut(id, "/")
	second, _, _ := strings.Cut(rest, "/")
	letter, deed := first, second
	if strings.Trim(first, "0123456789") != "" {
		letter, deed = second, first
	}
	n, err := strconv.ParseUint(letter, 10, 64)
	if err != nil || deed == fulfillment.DeedRevealed {
		return 0
	}
	return n
}
