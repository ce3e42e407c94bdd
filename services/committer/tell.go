package committer

import (
	"context"
	"slices"

	"github.com/headrace/headrace/pkg/episode"
	"github.com/headrace/headrace/pkg/facts"
	"github.com/headrace/headrace/pkg/failpoint"
	"github.com/headrace/headrace/pkg/fulfillment"
)

// tell publishes how the episode ended, after what was to be told before, and
// reports whether nobody had done so. At is how the events stood before.
func (c *Committer) tell(
	ctx context.Context, r *fulfillment.Result, event fulfillment.Event, end outcome, at episode.Closing,
) (bool, error) {
	if r.Decision == fulfillment.Recheck { // of an episode that a person was to look at, perhaps
		if err := c.Dead.Retell(ctx, r.Key(), r.Episode); err != nil {
			return false, err
		}
	}
	about, err := c.about(ctx, r, end.about)
	if err != nil {
		return false, err
	}
	if r.Replay > 0 && event != fulfillment.EventReplayed || !end.about.Unknown() && r.Replay == 0 {
		// Connect says what it has: what we were to save may not have come there.
		about.Saved, about.Hidden = nil, r.Params
	}
	told, err := c.Facts.Tell(ctx, facts.Story{
		Key: r.Key(), Episode: r.Episode, Replay: r.Replay > 0, Events: before(r, event),
		Status: end.status, Reason: end.reason, Plain: end.status == gone, About: about, At: &at,
	})
	if err != nil {
		return false, err
	}
	failpoint.Here(failpoint.EventPublished, r.RequestID)
	return told, nil
}

// before are the event that closes the episode of r, and those that come before
// it. Whoever reads "approved" has been told all else.
func before(r *fulfillment.Result, event fulfillment.Event) []fulfillment.Event {
	var events []fulfillment.Event
	if r.Decision == fulfillment.Approve && r.Replay == 0 {
		events = append(events, fulfillment.EventProvisioned)
	}
	if of := fulfillment.SubscriptionEvent(r.Type); event == fulfillment.EventApproved && of != "" {
		events = append(events, of)
	}
	return append(events, event)
}

// provisioned tells that the vendor has done its part, where Connect can't be
// told yet. If that fails, it is told with what comes next.
func (c *Committer) provisioned(ctx context.Context, r *fulfillment.Result, closing episode.Closing, seen facts.About) {
	events := before(r, "")
	events = events[:len(events)-1]
	if len(events) == 0 || c.DryRun || slices.Contains(closing.Steps(r.Episode), string(events[0])) {
		return
	}
	about, err := c.about(ctx, r, seen)
	if err == nil {
		_, err = c.Facts.Tell(ctx, facts.Story{
			Key: r.Key(), Episode: r.Episode, Events: events, Reason: r.Reason, About: about,
		})
	}
	if err != nil {
		c.entry(r).WithError(err).Debug("that the vendor has done its part is told later")
	}
}

// about is what was seen of the request in Connect, else the request as it was
// taken in, with what the result saves.
func (c *Committer) about(ctx context.Context, r *fulfillment.Result, seen facts.About) (facts.About, error) {
	if seen.Unknown() {
		head, err := episode.HeadOf(ctx, c.Log, r.AssetID)
		if err != nil {
			return facts.About{}, err
		}
		if head.Key == r.Key() {
			seen = facts.AboutBody(r.Type, head.Stored.Body)
		}
	}
	seen.Saved = r.Params
	return seen, nil
}
