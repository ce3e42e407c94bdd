package schemas

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/headrace/headrace/pkg/fulfillment"
)

// kinds are the schemas that the services write into ce-dataschema, and what all
// events have in common.
func kinds() []string {
	names := append(events(),
		fulfillment.SchemaDead, fulfillment.SchemaEvent, fulfillment.SchemaIntent,
		fulfillment.SchemaRequest, fulfillment.SchemaResult, fulfillment.SchemaTierRequest,
	)
	slices.Sort(names)
	return names
}

// events are the schemas of one event each, which are generated from that of all.
func events() []string {
	var names []string
	for _, f := range fulfillment.Facts() {
		names = append(names, fulfillment.EventSchema(f.Event))
	}
	return names
}

// bodies is the Go type of each kind of message that is ours.
func bodies() map[string]func() any {
	return map[string]func() any{
		fulfillment.SchemaResult: func() any { return new(fulfillment.Result) },
		fulfillment.SchemaIntent: func() any { return new(fulfillment.Intent) },
		fulfillment.SchemaEvent:  func() any { return new(fulfillment.EventBody) },
		fulfillment.SchemaDead:   func() any { return new(fulfillment.Letter) },
	}
}

// allBodies has the events with schemas of their own, too.
func allBodies() map[string]func() any {
	all := bodies()
	for _, name := range events() {
		all[name] = all[fulfillment.SchemaEvent]
	}
	return all
}

func examplesOf(t testing.TB, name string) []Example {
	t.Helper()
	examples, err := Examples(name)
	if err != nil {
		t.Fatal(err)
	}
	return examples
}

func exampleOf(t testing.TB, name, which string) Example {
	t.Helper()
	for _, e := range examplesOf(t, name) {
		if e.Case == which {
			return e
		}
	}
	t.Fatalf("%s has no example %s", name, which)
	return Example{}
}

// tree is a JSON value whose numbers keep their text.
func tree(t testing.TB, text []byte) any {
	t.Helper()
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return value
}

func object(t testing.TB, text []byte) map[string]any {
	t.Helper()
	o, ok := tree(t, text).(map[string]any)
	if !ok {
		t.Fatalf("no object: %s", text)
	}
	return o
}

func schemaTree(t testing.TB, name string) map[string]any {
	t.Helper()
	text, err := Get(name)
	if err != nil {
		t.Fatal(err)
	}
	return object(t, text)
}

func encode(t testing.TB, value any) []byte {
	t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// follow returns the definition that s refers to, or s.
func follow(root, s map[string]any) map[string]any {
	ref, _ := s["$ref"].(string)
	name, refers := strings.CutPrefix(ref, "#/$defs/")
	if !refers {
		return s
	}
	def, _ := root["$defs"].(map[string]any)[name].(map[string]any)
	return def
}
