package fetcher

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/headrace/headrace/pkg/deadletter"
	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/stream"
)

// Unclaimed dead-letters what no service takes: a request of a type that is not
// known, whoever published it, and a message that is on no type's subject. It
// is a stream.Handler for deliveries without bodies; it fetches a body only
// where it needs one.
func (f *Fetcher) Unclaimed(ctx context.Context, d *stream.Delivery) error {
	root, key, err := fulfillment.ParseSubject(d.Subject)
	if root == fulfillment.RootSchedules {
		if d.Scheduled {
			return nil
		}
		err = errors.New("it is no schedule, so that it would never be delivered to a service")
	} else if key.Type.Known() && (err == nil || claimed(d.Subject)) {
		return nil // the type's service judges it, or it waits for that service
	}
	stage := fulfillment.StageType
	reason := fmt.Sprintf("no service takes requests of type %q", connectsWord(key))
	if err != nil {
		stage, reason = fulfillment.StageDecode, err.Error()
	}
	m, err := f.Log.Get(ctx, d.Stream, d.Sequence)
	if err != nil {
		return fmt.Errorf("read unclaimed message %d: %w", d.Sequence, err)
	}
	whole := *d
	whole.Stored = *m
	letter := deadletter.OfDelivery(&whole, stage, reason)
	if err := f.Dead.Write(ctx, letter); err != nil {
		return err
	}
	f.Logger.WithFields(map[string]any{
		"request_id": letter.RequestID, "request_type": letter.Type, "asset_id": letter.AssetID,
		"product_id": letter.ProductID, "subject": d.Subject,
	}).Errorf("dead letter, stage %s: %s", stage, reason)
	return nil
}

// connectsWord is the type as Connect sent it: the prefix that tells tier
// configuration requests apart is ours.
func connectsWord(key fulfillment.Key) string {
	if strings.HasPrefix(key.Request, "TCR-") {
		return strings.TrimPrefix(string(key.Type), string(fulfillment.TierType("")))
	}
	return string(key.Type)
}

// claimed reports whether a type's consumer, which filters <root>.<type>.>,
// sees the subject.
func claimed(subject string) bool {
	dots := 0
	for i := range len(subject) {
		if subject[i] == '.' {
			dots++
		}
	}
	return dots >= 3
}
