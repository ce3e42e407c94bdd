package deadletter

import (
	"context"

	"golang.org/x/sync/errgroup"

	"github.com/headrace/headrace/pkg/episode"
	"github.com/headrace/headrace/pkg/fulfillment"
)

// atOnce is how many questions List has under way: each is one round trip.
const atOnce = 32

// stillOpen returns those of the letters that an operator has to look at, with
// their reasons and without their bodies.
func stillOpen(ctx context.Context, r Reader, letters []Entry, settled map[uint64]bool) ([]Entry, error) {
	over := make([]bool, len(letters))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(atOnce)
	for i, e := range letters {
		if settled[e.position()] {
			over[i] = true
			continue
		}
		g.Go(func() (err error) {
			if over[i], err = isOver(ctx, r, e); err != nil || over[i] {
				return err
			}
			secrets, err := secretsOf(ctx, r, e)
			if err == nil {
				letters[i].Reason = secrets.Text(e.told)
			}
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	open := make([]Entry, 0, len(letters))
	for i, e := range letters {
		if e.Body = nil; !over[i] {
			open = append(open, e)
		}
	}
	return open, nil
}

// isOver reports whether the letter's episode is closed, as a person finished
// the request in Connect, or whether something came after the letter: it was
// sent again, and perhaps nobody lived to record that. What is about a message,
// not about a request, stays with the operator until it was sent again.
func isOver(ctx context.Context, r Reader, e Entry) (bool, error) {
	if e.AssetID == "" || e.Sequence == 0 {
		return false, nil
	}
	if aboutRequest(e.Stage) {
		closing, err := episode.ClosingOf(ctx, r, e.Key())
		if err != nil || closing.Covers(e.Episode) {
			return true, err
		}
	}
	switch e.Stream {
	case fulfillment.StreamRequests:
		head, err := episode.HeadOf(ctx, r, e.AssetID)
		if err != nil || head.Sequence <= e.Sequence {
			return false, err
		}
		return aboutRequest(e.Stage) || deedIn(head.Stored, e) != nil, nil
	case fulfillment.StreamResults:
		last, err := episode.LastSequence(ctx, r, fulfillment.StreamResults, e.Key().Subject(fulfillment.RootResults))
		return last > e.Sequence && aboutRequest(e.Stage), err
	}
	return false, nil
}

func aboutRequest(s fulfillment.Stage) bool {
	switch s {
	case fulfillment.StageHold, fulfillment.StageProcess, fulfillment.StageCommit:
		return true
	case fulfillment.StageDecode, fulfillment.StageType, fulfillment.StageAudit:
	}
	return false
}
