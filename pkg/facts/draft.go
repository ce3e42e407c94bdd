package facts

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/headrace/headrace/pkg/episode"
	"github.com/headrace/headrace/pkg/fulfillment"
)

// draft is a story on its way to be told. What its events have in common is
// worked out once, and not before one of them is to be written.
type draft struct {
	Story
	rules Rules
	now   func() time.Time

	single bool // each event is to be stored by itself

	view   *view
	blocks fulfillment.EventBody // the fact itself is missing
	reason string                // as it may be told
}

// forget leaves nothing but the fact.
func (d *draft) forget() { d.About, d.Plain, d.view = About{}, false, nil }

// stand is how the events of the request stand. What was known of that counts
// once: who comes again was wrong about it.
func (d *draft) stand(ctx context.Context, r episode.Reader) (episode.Closing, error) {
	if known := d.At; known != nil {
		d.At = nil
		return *known, nil
	}
	return episode.ClosingOf(ctx, r, d.Key)
}

func (d *draft) prepare() {
	if d.view != nil {
		return
	}
	d.view = d.rules.view(d.Key.Product, d.About)
	d.blocks = d.view.blocks(d.Key)
	d.reason = d.view.text(d.Reason, d.Plain)
}

// pending is Connect's word for a request that is not finished.
const pending = "pending"

// body is what is published of one event.
func (d *draft) body(e fulfillment.Event) fulfillment.EventBody {
	d.prepare()
	b := d.blocks
	b.RequestID, b.AssetID, b.ProductID, b.Type = d.Key.Request, d.Key.Asset, d.Key.Product, d.Key.Type
	b.Event, b.Episode, b.Status, b.Time = e, d.Episode, d.Status, d.now().UTC()
	if !d.Time.IsZero() && (e.Closes() || repeats(e)) {
		b.Time = d.Time.UTC()
	}
	switch e {
	case fulfillment.EventReceived, fulfillment.EventAnswered:
		b.Status = pending
		return b
	case fulfillment.EventProvisioned:
		b.Status = pending
	case fulfillment.EventHeld, fulfillment.EventDead:
		b.Stage, b.Letter = d.Stage, d.Letter
	default:
	}
	b.Reason = d.reason
	return b
}

func (d *draft) bodies(events []fulfillment.Event) []fulfillment.EventBody {
	all := make([]fulfillment.EventBody, len(events))
	for i, e := range events {
		all[i] = d.body(e)
	}
	return all
}

// someone is who did a deed, for those who need not know.
const someone = "an operator"

// deed is the header of the story's deed, for others to read, too: its note
// without what may not leave, and who did it only where personal data may.
func (d *draft) deed() ([]episode.Header, error) {
	if d.Deed == nil {
		return nil, nil
	}
	d.prepare()
	deed := *d.Deed
	deed.Note = d.view.text(deed.Note, d.Plain)
	if !d.rules.Personal {
		deed.By = someone
	}
	b, err := json.Marshal(deed)
	if err != nil {
		return nil, fmt.Errorf("encode deed: %w", err)
	}
	return []episode.Header{{Name: fulfillment.HeaderDeed, Value: string(b)}}, nil
}
