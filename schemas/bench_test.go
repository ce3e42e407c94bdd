package schemas

import (
	"testing"

	"github.com/headrace/headrace/pkg/connect"
	"github.com/headrace/headrace/pkg/fulfillment"
)

// What a service would pay for validating, beside what it pays for decoding.
func BenchmarkPurchase(b *testing.B) {
	body := exampleOf(b, fulfillment.SchemaRequest, "purchase").Body
	b.Run("validate", func(b *testing.B) {
		for b.Loop() {
			if err := Validate(fulfillment.SchemaRequest, body); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("decode", func(b *testing.B) {
		for b.Loop() {
			if _, err := connect.DecodeRequest(body); err != nil {
				b.Fatal(err)
			}
		}
	})
}
