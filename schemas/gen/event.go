package gen

import (
	"strings"

	"github.com/headrace/headrace/pkg/fulfillment"
)

// eventSchema is the schema of one event: that of all events, and what is true of
// this one alone.
func eventSchema(base object, f fulfillment.Fact) object {
	s := base.
		with("$id", fulfillment.SchemaBase+fulfillment.EventSchema(f.Event)).
		with("title", "Event "+string(f.Event)).
		with("description", strings.TrimSuffix(f.When, ".")+"; a message in "+fulfillment.StreamEvents+".")
	properties := s.sub("properties")
	event := properties.sub("event").with("description", "What is now true, always this word.").
		without("pattern").without("examples").with("const", string(f.Event))
	properties = properties.with("event", event)
	if f.Types != nil {
		types := properties.sub("type").with("description", "What was asked for, in Connect's own word, with \"tier-\" before that of a tier configuration request.").
			without("examples").with("enum", f.Types)
		properties = properties.with("type", types)
	}
	if !stopped(f.Event) {
		properties = properties.without("stage").without("letter")
	}
	if f.Event == fulfillment.EventHeld {
		stage := properties.sub("stage").with("description", "Where the request stopped, always this word.").
			without("pattern").without("examples").with("const", string(fulfillment.StageHold))
		properties = properties.with("stage", stage)
	}
	needs := required(f)
	listed, _ := s.get("required").([]any)
	for _, name := range needs.all {
		listed = append(listed[:len(listed):len(listed)], name)
	}
	s = s.with("required", listed)
	if len(needs.any) > 0 {
		s = s.with("anyOf", needs.any)
	}
	if !needs.tier {
		properties = properties.without("configuration")
	}
	return s.with("properties", properties)
}

// stopped reports whether the event comes with a dead letter.
func stopped(e fulfillment.Event) bool {
	return e == fulfillment.EventHeld || e == fulfillment.EventDead
}

// needs is what an event has beyond what all have.
type needs struct {
	all  []string // properties that are always there
	any  []any    // schemas of which one holds at least
	tier bool     // it may be about a tier configuration
}

func required(f fulfillment.Fact) needs {
	var n needs
	asset := f.Types == nil
	n.tier = f.Types == nil
	for _, t := range f.Types {
		asset, n.tier = asset || !t.Tier(), n.tier || t.Tier()
	}
	switch {
	case stopped(f.Event):
		n.all = []string{"stage", "letter"}
	case f.Subscription && asset && n.tier:
		for _, block := range []string{"subscription", "configuration"} {
			n.any = append(n.any, object{{"required", []string{block}}})
		}
	case f.Subscription:
		n.all = []string{"subscription"}
	}
	return n
}
