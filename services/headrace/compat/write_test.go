package compat

import (
	"bytes"
	"maps"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/headrace/headrace/pkg/fulfillment"
)

// TestRelease_TodaysMessages_AreOnesThatItReads has today's services write every
// kind of message, and holds each to the schemas that the release had, and to
// the headers that its own messages have.
func TestRelease_TodaysMessages_AreOnesThatItReads(t *testing.T) {
	t.Parallel()
	written := writtenToday(t)
	for _, version := range releases(t) {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			schemas, headers := schemasOf(t, version), headersOf(load(t, version).Messages)
			for _, m := range written {
				name := path.Base(m.Header[fulfillment.HeaderSchema])
				schema, known := schemas[name]
				if !known && m.Stream == fulfillment.StreamEvents {
					// Events had one schema for all; the one of each holds more, not less.
					schema, known = schemas[fulfillment.SchemaEvent]
				}
				if !known {
					t.Errorf("%s: %s has no schema %s", m.Subject, version, name)
					continue
				}
				body, err := jsonschema.UnmarshalJSON(bytes.NewReader(m.body()))
				if err == nil {
					err = schema.Validate(body)
				}
				if err != nil {
					t.Errorf("%s: %v", m.Subject, err)
				}
				for _, h := range headers[kindOf(m)] {
					if m.Header[h] == "" {
						t.Errorf("%s lacks the header %s, which every %s of %s has", m.Subject, h, kindOf(m), version)
					}
				}
			}
		})
	}
}

// writtenToday is what today's services leave in the streams after the orders.
func writtenToday(t *testing.T) []message {
	t.Helper()
	w := newWorld(t, fixture{Statuses: map[string]string{}})
	w.startToday()
	until(t, "each order was decided", func() bool {
		letters := w.count(fulfillment.StreamDead)
		return w.count(fulfillment.StreamEvents) >= 9 && letters >= 5
	})
	all := readAll(t, w.client)
	kinds := map[string]int{}
	for _, m := range all {
		kinds[kindOf(m)]++
	}
	if len(kinds) < 6 {
		t.Fatalf("only these were written: %v", kinds)
	}
	return all
}

// kindOf is what a message is: the third part of its ce-type, and its root.
func kindOf(m message) string {
	root := strings.Join(strings.SplitN(m.Subject, ".", 3)[:2], ".")
	kind := strings.Split(m.Header[fulfillment.HeaderType], ".")
	return root + " " + kind[len(kind)-2]
}

// headersOf are those that all messages of a kind have.
func headersOf(messages []message) map[string][]string {
	of := map[string][]string{}
	for _, m := range messages {
		if m.Header[fulfillment.HeaderType] == "" {
			continue // scribbled by somebody else
		}
		has := slices.Sorted(maps.Keys(m.Header))
		if before, seen := of[kindOf(m)]; seen {
			has = slices.DeleteFunc(has, func(h string) bool { return !slices.Contains(before, h) })
		}
		of[kindOf(m)] = has
	}
	return of
}

func schemasOf(t *testing.T, version string) map[string]*jsonschema.Schema {
	t.Helper()
	schemas := map[string]*jsonschema.Schema{}
	for name, text := range textsOf(t, version) {
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		c := jsonschema.NewCompiler()
		c.UseLoader(jsonschema.SchemeURLLoader{}) // never a file, never the network
		if err := c.AddResource(fulfillment.SchemaBase+name, doc); err != nil {
			t.Fatal(err)
		}
		if schemas[name], err = c.Compile(fulfillment.SchemaBase + name); err != nil {
			t.Fatal(err)
		}
	}
	return schemas
}
