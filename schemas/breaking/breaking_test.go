package breaking_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/headrace/headrace/schemas/breaking"
)

// published is a schema with one of everything.
const published = `{
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "$id": "https://example.com/event.v1.json",
  "description": "What happened.",
  "type": "object",
  "required": ["id", "state"],
  "properties": {
    "id": { "type": "string", "minLength": 1, "pattern": "^PR-" },
    "state": { "enum": ["open", "done"] },
    "kind": { "const": "event" },
    "time": { "type": "string", "format": "date-time" },
    "count": { "type": ["integer", "null"], "minimum": 1, "maximum": 9 },
    "price": { "type": "number" },
    "any": { "description": "Whatever there is." },
    "tags": { "type": "array", "items": { "$ref": "#/$defs/tag" } },
    "extra": { "type": "object", "additionalProperties": { "type": "string" } },
    "shut": { "type": "object", "additionalProperties": false },
    "tree": { "$ref": "#/$defs/node" }
  },
  "$defs": {
    "tag": { "type": "object", "required": ["id"], "properties": { "id": { "type": "string" }, "note": { "type": "string" } } },
    "node": { "type": "object", "properties": { "name": { "type": "string" }, "children": { "type": "array", "items": { "$ref": "#/$defs/node" } } } },
    "text": { "type": "string" }
  }
}`

func TestChanges_Breaking_AreTold(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, old, today, want string }{
		{"required added", `["id", "state"]`, `["id", "state", "time"]`, `"time" is required now`},
		{"required removed", `["id", "state"]`, `["id"]`, `"state" is no longer required`},
		{"property removed", `"price": { "type": "number" },`, ``, `price: property removed`},
		{"property renamed", `"price":`, `"cost":`, `price: property removed`},
		{"type narrowed", `["integer", "null"]`, `"integer"`, `count: type narrowed: null is refused`},
		{"number to integer", `{ "type": "number" }`, `{ "type": "integer" }`, `price: type narrowed: number is refused`},
		{"type widened", `["integer", "null"]`, `["integer", "null", "string"]`, `count: type widened: readers never met string`},
		{"type demanded", `{ "description": "Whatever there is." }`, `{ "type": ["array", "boolean", "object", "string", "number"] }`, `any: type narrowed: null is refused`},
		{"type dropped", `{ "type": "number" }`, `{}`, `price: type widened: readers never met array; price: type widened: readers never met boolean; ` +
			`price: type widened: readers never met null; price: type widened: readers never met object; price: type widened: readers never met string`},
		{"value removed", `["open", "done"]`, `["open"]`, `state: value removed: "done"`},
		{"value added", `["open", "done"]`, `["open", "done", "lost"]`, `state: value added: "lost"`},
		{"enum to const", `{ "enum": ["open", "done"] }`, `{ "const": "open" }`, `state: value removed: "done"`},
		{"const changed", `"const": "event"`, `"const": "fact"`, `kind: value removed: "event"; kind: value added: "fact"`},
		{"const dropped", `{ "const": "event" }`, `{}`, `kind: any value, and was one of "event"`},
		{"enum demanded", `{ "description": "Whatever there is." }`, `{ "enum": [1] }`, `any: only 1 is left of what was any value`},
		{"closed", `"type": "object",
  "required"`, `"type": "object", "additionalProperties": false,
  "required"`, `closed by additionalProperties`},
		{"closed unevaluated", `"type": "object",
  "required"`, `"type": "object", "unevaluatedProperties": false,
  "required"`, `closed by unevaluatedProperties`},
		{"map closed", `"additionalProperties": { "type": "string" }`, `"additionalProperties": false`, `extra: closed by additionalProperties`},
		{"map's type", `"additionalProperties": { "type": "string" }`, `"additionalProperties": { "type": "boolean" }`,
			`extra{}: type narrowed: string is refused; extra{}: type widened: readers never met boolean`},
		{"minimum raised", `"minimum": 1`, `"minimum": 2`, `count: minimum is 2 and was 1`},
		{"minimum lowered", `"minimum": 1`, `"minimum": 0`, `count: minimum is 0 and was 1`},
		{"maximum dropped", `, "maximum": 9`, ``, `count: maximum 9 is no longer promised`},
		{"length demanded", `"note": { "type": "string" }`, `"note": { "type": "string", "maxLength": 3 }`, `tags[].note: maxLength is demanded now: 3`},
		{"pattern changed", `^PR-`, `^TCR-`, `id: pattern is ^TCR- and was ^PR-`},
		{"format dropped", `, "format": "date-time"`, ``, `time: format date-time is no longer promised`},
		{"format demanded", `{ "type": "string", "minLength": 1,`, `{ "type": "string", "format": "uri", "minLength": 1,`, `id: format is demanded now: uri`},
		{"within a reference", `"required": ["id"], "properties"`, `"required": ["id", "note"], "properties"`, `tags[]: "note" is required now`},
		{"another reference", `"$ref": "#/$defs/tag"`, `"$ref": "#/$defs/text"`, `tags[]: type narrowed: object is refused; tags[]: type widened: readers never met string; ` +
			`tags[]: "id" is no longer required; tags[].id: property removed; tags[].note: property removed`},
		{"beside a reference", `{ "$ref": "#/$defs/tag" }`, `{ "$ref": "#/$defs/tag", "minProperties": 2 }`, `tags[]: minProperties is demanded now: 2`},
		{"against a reference", `{ "$ref": "#/$defs/tag" }`, `{ "$ref": "#/$defs/tag", "required": ["note"] }`, `tags[]: beside $ref: required is demanded now: [note]`},
		{"items dropped", `, "items": { "$ref": "#/$defs/tag" }`, ``, `tags[]: type widened: readers never met array; tags[]: type widened: readers never met boolean; ` +
			`tags[]: type widened: readers never met integer; tags[]: type widened: readers never met null; tags[]: type widened: readers never met number; ` +
			`tags[]: type widened: readers never met string; tags[]: "id" is no longer required; tags[].id: property removed; tags[].note: property removed`},
		{"recursion", `"name": { "type": "string" }`, `"name": { "type": "boolean" }`, `tree.name: type narrowed: string is refused; tree.name: type widened: readers never met boolean`},
		{"nothing is valid", `"any": { "description": "Whatever there is." }`, `"any": false`, `any: not is demanded now: map[]`},
		{"not judged", `"price": { "type": "number" }`, `"price": { "type": "number", "anyOf": [{ "minimum": 1 }] }`, `price: anyOf is demanded now: [map[minimum:1]]`},
		{"renamed", `event.v1.json`, `event.v2.json`, `$id is https://example.com/event.v2.json and was https://example.com/event.v1.json`},
	} {
		got, err := breaking.Changes([]byte(published), []byte(edited(t, c.old, c.today)))
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		var lines []string
		for _, change := range got {
			lines = append(lines, strings.TrimPrefix(change.String(), ": "))
		}
		if diff := cmp.Diff(c.want, strings.Join(lines, "; ")); diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
	}
}

func TestChanges_Additions_BreakNothing(t *testing.T) {
	t.Parallel()
	for name, change := range map[string][2]string{
		"nothing":                   {`"price"`, `"price"`},
		"words for people":          {`What happened.`, `What has happened.`},
		"a property":                {`"price":`, `"tax": { "type": "number" }, "price":`},
		"a property within":         {`"note":`, `"colour": { "enum": ["red"] }, "note":`},
		"a property that must":      {`"price":`, `"sum": { "type": "object", "required": ["n"], "properties": { "n": { "type": "integer" } } }, "price":`},
		"opened":                    {`"additionalProperties": false`, `"additionalProperties": true`},
		"open, in so many words":    {`"extra": { "type": "object",`, `"extra": { "type": "object", "unevaluatedItems": true,`},
		"an order":                  {`["open", "done"]`, `["done", "open"]`},
		"a definition in its place": {`{ "$ref": "#/$defs/tag" }`, `{ "type": "object", "required": ["id"], "properties": { "id": { "type": "string" }, "note": { "$ref": "#/$defs/text" } } }`},
		"a reference with a remark": {`{ "$ref": "#/$defs/tag" }`, `{ "$ref": "#/$defs/tag", "description": "A tag." }`},
		"examples":                  {`"format": "date-time"`, `"format": "date-time", "examples": ["2026-01-01T00:00:00Z"]`},
	} {
		got, err := breaking.Changes([]byte(published), []byte(edited(t, change[0], change[1])))
		if err != nil || len(got) > 0 {
			t.Errorf("%s: got %v, %v", name, got, err)
		}
	}
}

func TestChanges_Unreadable_Fails(t *testing.T) {
	t.Parallel()
	for _, today := range []string{
		`{`, `[]`, edited(t, `#/$defs/tag`, `#/$defs/none`), edited(t, `#/$defs/tag`, `other.v1.json#/x`), edited(t, `{ "const": "event" }`, `7`),
	} {
		if got, err := breaking.Changes([]byte(published), []byte(today)); err == nil {
			t.Errorf("%s: got %v", today, got)
		}
	}
}

// A second version lives beside the first, and does not replace it.
func TestSet_Versions_LiveSideBySide(t *testing.T) {
	t.Parallel()
	one, two := []byte(published), []byte(edited(t, "event.v1.json", "event.v2.json"))
	old := map[string][]byte{"event.v1.json": one}
	for _, c := range []struct {
		today map[string][]byte
		want  string
	}{
		{map[string][]byte{"event.v1.json": one, "event.v2.json": two}, "[]"},
		{map[string][]byte{"event.v2.json": two}, "[event.v1.json: is gone; a new version lives beside the old one]"},
		{map[string][]byte{"event.v1.json": []byte(edited(t, `"minimum": 1`, `"minimum": 3`))}, "[event.v1.json: count: minimum is 3 and was 1]"},
	} {
		got, err := breaking.Set(old, c.today)
		if err != nil || fmt.Sprint(got) != c.want {
			t.Errorf("got %v, %v; want %s", got, err, c.want)
		}
	}
	if _, err := breaking.Set(old, map[string][]byte{"event.v1.json": []byte("{")}); err == nil {
		t.Error("what can't be read passes")
	}
}

func edited(t *testing.T, old, today string) string {
	t.Helper()
	if strings.Count(published, old) != 1 {
		t.Fatalf("%q is there %d times", old, strings.Count(published, old))
	}
	return strings.Replace(published, old, today, 1)
}
