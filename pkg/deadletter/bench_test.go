package deadletter_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/headrace/headrace/pkg/deadletter"
	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/stream"
	"github.com/headrace/headrace/pkg/stream/streamtest"
)

// BenchmarkList_TwentyThousand is what dead list, and the fetcher's first poll,
// cost with twenty thousand requests held, each of 5 KB.
func BenchmarkList_TwentyThousand(b *testing.B) {
	const letters = 20_000
	c, err := stream.Connect(b.Context(), stream.Options{URL: streamtest.Server(b).URL()})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(c.Close)
	if err := c.Apply(b.Context(), stream.Fulfillment(stream.Limits{})); err != nil {
		b.Fatal(err)
	}
	for i := range letters {
		key := fulfillment.Key{Type: fulfillment.Purchase, Product: "PRD-1", Asset: fmt.Sprintf("AS-%d", i), Request: fmt.Sprintf("PR-%d", i)}
		body := []byte(fmt.Sprintf(`{"id":%q,"asset":{"params":[{"id":"pw","type":"password","value":"hunter%d"},%s{}]}}`,
			key.Request, i, strings.Repeat(`{"id":"some_parameter","type":"text","value":"some value"},`, 90)))
		seq, err := c.Append(b.Context(), stream.Message{Subject: key.Subject(fulfillment.RootRequests), ID: key.Request, Body: body})
		if err != nil {
			b.Fatal(err)
		}
		letter, err := json.Marshal(fulfillment.Letter{
			RequestID: key.Request, AssetID: key.Asset, ProductID: key.Product, Type: key.Type, Stage: fulfillment.StageHold,
			Reason: "the outcome of creating the tenant is not known", Episode: seq, Attempts: 1, Time: time.Now(),
			Stream: fulfillment.StreamRequests, Sequence: seq, Subject: key.Subject(fulfillment.RootRequests), Body: body,
		})
		if err != nil {
			b.Fatal(err)
		}
		if _, err := c.Append(b.Context(), stream.Message{Subject: key.DeadSubject(fulfillment.StageHold), ID: key.Request, Body: letter}); err != nil {
			b.Fatal(err)
		}
	}
	b.Run("List", func(b *testing.B) {
		for b.Loop() {
			if entries, err := deadletter.List(b.Context(), c, deadletter.Filter{}); err != nil || len(entries) != letters {
				b.Fatalf("%d letters, %v", len(entries), err)
			}
		}
	})
	b.Run("Unsettled", func(b *testing.B) {
		for b.Loop() {
			var u deadletter.Unsettled
			if err := u.Update(b.Context(), c); err != nil || len(u.Letters()) != letters {
				b.Fatalf("%d letters, %v", len(u.Letters()), err)
			}
		}
	})
}
