package gen

import (
	"strconv"
	"strings"
	"time"

	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/stream"
)

// delivery is what holds for every event, for the AsyncAPI document and the page
// alike.
func delivery() []string {
	return []string{
		"Each fact is published exactly once: over crashes, redeliveries and several processes it is one message of the stream, with one `ce-id`.",
		"Delivery to a reader is at least once, as JetStream has it: a reader that was cut off before it acknowledged gets the event again, with the same `ce-id`.",
		"The events of a request are in the stream in the order in which they became true, and so are those of a subscription; " +
			"between subscriptions there is no order.",
		"The next request of a subscription is taken in when the one before it has its last event, so their events do not mix.",
		"A reader that does not acknowledge holds up nobody else: each has a durable consumer of its own.",
		"New properties, headers, events and types are added without a new version: pass over what you do not know.",
	}
}

// asyncAPI is the AsyncAPI 3.0 document of the events.
func asyncAPI() object {
	channels, operations, messages := object{}, object{}, object{}
	for _, f := range fulfillment.Facts() {
		name := string(f.Event)
		channels = append(channels, member{name, channel(f)})
		operations = append(operations, member{"publish-" + name, object{
			{"action", "send"},
			{"channel", ref("channels", name)},
			{"summary", f.When},
			{"description", f.Promise},
			{"bindings", object{{"nats", object{}}}},
		}})
		messages = append(messages, member{name, message(f)})
	}
	return object{
		{"asyncapi", "3.0.0"},
		{"info", info()},
		{"defaultContentType", "application/json"},
		{"servers", servers()},
		{"channels", channels},
		{"operations", operations},
		{"components", object{
			{"messages", messages},
			{"messageTraits", object{{"event", object{
				{"contentType", "application/json"},
				{"correlationId", object{
					{"description", "Names the fact: the key to tell repeats by."},
					{"location", "$message.header#/" + fulfillment.HeaderID},
				}},
				{"bindings", object{{"nats", object{}}}},
			}}}},
			{"parameters", parameters()},
			{"securitySchemes", object{{"user", object{
				{"type", "userPassword"}, {"description", "User and password of the broker, or what its operator gives you instead."},
			}}}},
		}},
		{"x-streams", streams()},
	}
}

func info() object {
	return object{
		{"title", "Headrace events"},
		{"version", "1"},
		{"description", "What becomes of the requests and subscriptions that Headrace works on for CloudBlue Connect: CloudEvents 1.0 in binary mode on NATS JetStream.\n\n- " +
			strings.Join(delivery(), "\n- ") + "\n"},
		{"license", object{{"name", "Apache 2.0"}, {"url", "https://www.apache.org/licenses/LICENSE-2.0"}}},
		{"externalDocs", object{{"url", "https://github.com/headrace/headrace/blob/main/docs/reference/events.md"}}},
	}
}

func servers() object {
	return object{{"broker", object{
		{"host", "{host}"},
		{"protocol", "nats"},
		{"description", "A NATS server with JetStream, of your own or embedded in Headrace."},
		{"variables", object{{"host", object{{"default", "127.0.0.1:4222"}, {"description", "Address and port of the server."}}}}},
		{"security", []any{ref("components", "securitySchemes", "user")}},
		{"bindings", object{{"nats", object{}}}},
	}}}
}

func ref(path ...string) object {
	return object{{"$ref", "#/" + strings.Join(path, "/")}}
}

// address is the subject of the event, with braces around what is filled in.
func address(e fulfillment.Event) string {
	return fulfillment.RootEvents + ".{type}." + string(e) + ".{product}.{asset}.{request}"
}

func channel(f fulfillment.Fact) object {
	typ := ref("components", "parameters", "type")
	if f.Types != nil {
		typ = object{{"description", parameterText("type")}, {"enum", f.Types}}
	}
	given := object{{"type", typ}}
	for _, name := range []string{"product", "asset", "request"} {
		given = append(given, member{name, ref("components", "parameters", name)})
	}
	return object{
		{"address", address(f.Event)},
		{"title", "Event " + string(f.Event)},
		{"description", f.When},
		{"messages", object{{string(f.Event), ref("components", "messages", string(f.Event))}}},
		{"parameters", given},
		{"bindings", object{{"nats", object{}}}},
		{"x-stream", fulfillment.StreamEvents},
	}
}

func message(f fulfillment.Fact) object {
	var shown []any
	for _, e := range examples(f) {
		shown = append(shown, object{{"name", e.name}, {"headers", e.header()}, {"payload", e.body}})
	}
	return object{
		{"name", string(f.Event)},
		{"title", "Event " + string(f.Event)},
		{"summary", f.When},
		{"description", f.Promise},
		{"headers", headerSchema(f)},
		{"payload", object{{"$ref", "./" + fulfillment.EventSchema(f.Event)}}},
		{"traits", []any{ref("components", "messageTraits", "event")}},
		{"examples", shown},
	}
}

func parameters() object {
	o := object{}
	for _, name := range []string{"type", "product", "asset", "request"} {
		p := object{{"description", parameterText(name)}}
		if name == "type" {
			p = append(p, member{"examples", fulfillment.Types()})
		}
		o = append(o, member{name, p})
	}
	return o
}

// parameterText says what stands in a place of the subject.
func parameterText(name string) string {
	switch name {
	case "type":
		return "What was asked for, in Connect's own word, with tier- before that of a tier configuration request."
	case "product":
		return "Id of the product (PRD-…)."
	case "asset":
		return "Id of the subscription (AS-…) or of the tier configuration (TC-…)."
	}
	return "Id of the request (PR-… or TCR-…)."
}

// streams are all streams, of which readers of events need one.
func streams() object {
	settings := map[string]string{
		fulfillment.StreamRequests: "HEADRACE_REQUESTS_MAX_AGE", fulfillment.StreamResults: "HEADRACE_RESULTS_MAX_AGE",
		fulfillment.StreamEvents: "HEADRACE_EVENTS_MAX_AGE", fulfillment.StreamDead: "HEADRACE_DEAD_MAX_AGE",
	}
	o := object{}
	for _, s := range stream.Fulfillment(stream.Limits{}).Streams {
		if settings[s.Name] == "" {
			continue // between our own processes
		}
		o = append(o, member{s.Name, object{
			{"subjects", s.Subjects},
			{"contract", s.Name == fulfillment.StreamEvents},
			{"retention", "limits"},
			{"discard", "old"},
			{"storage", "file"},
			{"maxAge", days(s.MaxAge)},
			{"maxAgeSetting", settings[s.Name]},
			{"delivery", "at least once, to a durable pull consumer with explicit acknowledgement"},
		}})
	}
	return o
}

// days is an age in the form of ISO 8601.
func days(age time.Duration) string { return "P" + strconv.Itoa(int(age.Hours())/24) + "D" }
