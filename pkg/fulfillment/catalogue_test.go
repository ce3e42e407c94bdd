package fulfillment_test

import (
	"testing"

	"github.com/headrace/headrace/pkg/fulfillment"
)

func TestFacts_AllTogether_AgreeWithTheWordsOfEvents(t *testing.T) {
	t.Parallel()
	seen := map[fulfillment.Event]fulfillment.Fact{}
	for _, f := range fulfillment.Facts() {
		if _, twice := seen[f.Event]; twice {
			t.Errorf("%s is in the catalogue twice", f.Event)
		}
		seen[f.Event] = f
		if f.Closes != f.Event.Closes() {
			t.Errorf("%s: closes is %v in the catalogue", f.Event, f.Closes)
		}
		if fulfillment.EventSchema(f.Event) == fulfillment.SchemaEvent {
			t.Errorf("%s: it has no schema of its own", f.Event)
		}
		if f.When == "" || f.Promise == "" {
			t.Errorf("%s: nothing says when it happens and what it promises", f.Event)
		}
	}
	for _, typ := range fulfillment.Types() {
		e := fulfillment.SubscriptionEvent(typ)
		f := seen[e]
		if !f.Subscription || !f.Of(typ) {
			t.Errorf("%s: the catalogue does not have %q for it", typ, e)
		}
		for _, other := range fulfillment.Facts() {
			if other.Subscription && other.Event != e && other.Of(typ) {
				t.Errorf("%s: the catalogue has %q for it, too", typ, other.Event)
			}
		}
	}
}
