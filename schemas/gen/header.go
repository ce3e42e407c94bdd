package gen

import (
	"github.com/headrace/headrace/pkg/fulfillment"
)

// header is one that an event may have.
type header struct {
	name, text string
	optional   bool
	schema     object // what it must be, beyond text
}

// headers are those of an event; f may be nil, for what all have in common.
func headers(f *fulfillment.Fact) []header {
	typ, schema := "fulfillment.<type>.<event>.v1", fulfillment.SchemaBase+"event.<event>.v1.json"
	var typed, named object
	if f != nil {
		typ, schema = "fulfillment.<type>."+string(f.Event)+".v1", fulfillment.SchemaBase+fulfillment.EventSchema(f.Event)
		typed = object{{"pattern", `^fulfillment\.[^.]+\.` + string(f.Event) + `\.v1$`}}
		named = object{{"const", schema}}
	}
	return []header{
		{name: fulfillment.HeaderSpecVersion, text: "Version of CloudEvents.", schema: object{{"const", "1.0"}}},
		{name: fulfillment.HeaderID, text: "Names the fact, and is the key to tell repeats by: `<request>/<episode>/<event>`, of held and dead with the dead letter's sequence after it.", schema: object{{"minLength", 1}}},
		{name: fulfillment.HeaderSource, text: "Who says so.", schema: object{{"const", fulfillment.Source}}},
		{name: fulfillment.HeaderType, text: "Kind of the event: `" + typ + "`.", schema: typed},
		{name: fulfillment.HeaderSubject, text: "Id of the subscription or tier configuration; missing where it is not known.", optional: true},
		{name: fulfillment.HeaderTime, text: "When the fact was established, RFC 3339 in UTC.", schema: object{{"format", "date-time"}}},
		{name: fulfillment.HeaderContentType, text: "Kind of the body.", schema: object{{"const", "application/json"}}},
		{name: fulfillment.HeaderSchema, text: "Schema of the body: `" + schema + "`.", schema: named},
		{name: fulfillment.HeaderEpisode, text: "Number of the episode, one stay of the request in pending.", schema: object{{"pattern", "^[1-9][0-9]*$"}}},
		{name: headerWatermill, text: "The same as `ce-id`, for Watermill's subscribers."},
		{name: fulfillment.HeaderTold, text: "What was told of the same episode before, as at the end of the ids, with commas between; missing on its first event.", optional: true},
		{name: fulfillment.HeaderDeed, text: "What an operator did, as JSON, where one did; who it was is not said.", optional: true},
	}
}

// headerSchema is the schema of the headers of an event.
func headerSchema(f fulfillment.Fact) object {
	var required []string
	properties := object{}
	for _, h := range headers(&f) {
		if !h.optional {
			required = append(required, h.name)
		}
		properties = append(properties, member{h.name, append(object{{"type", "string"}, {"description", h.text}}, h.schema...)})
	}
	return object{{"type", "object"}, {"required", required}, {"properties", properties}}
}
