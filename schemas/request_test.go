package schemas

import (
	"encoding/json"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/headrace/headrace/pkg/connect"
	"github.com/headrace/headrace/pkg/fulfillment"
)

// decoders is who judges the requests that Connect sends.
func decoders() map[string]func([]byte) error {
	return map[string]func([]byte) error{
		fulfillment.SchemaRequest: func(b []byte) error { _, err := connect.DecodeRequest(b); return err },
		fulfillment.SchemaTierRequest: func(b []byte) error {
			_, err := connect.DecodeTierRequest(b)
			return err
		},
	}
}

// demanded are the paths of the required fields.
func demanded() map[string][]string {
	return map[string][]string{
		fulfillment.SchemaRequest:     {"id", "type", "status", "asset", "asset.id", "asset.product", "asset.product.id"},
		fulfillment.SchemaTierRequest: {"id", "type", "status", "configuration", "configuration.id", "configuration.product", "configuration.product.id"},
	}
}

func TestRequest_Examples_AreDecoded(t *testing.T) {
	t.Parallel()
	for name, decodes := range decoders() {
		for _, e := range examplesOf(t, name) {
			if err := decodes(e.Body); err != nil {
				t.Errorf("%s.%s: %v", name, e.Case, err)
			}
		}
	}
}

// The purchase shows what a handler meets.
func TestRequest_Purchase_ShowsTheItems(t *testing.T) {
	t.Parallel()
	r, err := connect.DecodeRequest(exampleOf(t, fulfillment.SchemaRequest, "purchase").Body)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, i := range r.Asset.Items {
		got = append(got, i.Quantity.String()+" was "+i.OldQuantity.String())
	}
	if diff := cmp.Diff([]string{"12 was 0", "2.5 was 0", "unlimited was 0", "0 was 0"}, got); diff != "" {
		t.Error(diff)
	}
	if c := r.Asset.Tiers.Customer; c == nil || c.Name != "Żółw i Spółka Łódź" {
		t.Errorf("customer: %+v", c)
	}
}

// A required field is refused by both when it is missing or any kind of
// nothing, and by both only then: a number will do.
func TestRequest_Required_IsDemandedByBoth(t *testing.T) {
	t.Parallel()
	for name, paths := range demanded() {
		for _, e := range examplesOf(t, name) {
			if len(e.Body) > 4<<10 {
				continue // the large ones have the same at the top
			}
			for _, p := range paths {
				holder, key := holderOf(t, e.Body, p)
				if holder == nil {
					continue // the product is a bare id
				}
				for _, value := range []any{gone{}, nil, "", []any{}, map[string]any{}, []any{"x"}} {
					body := changed(t, e.Body, p, value)
					if agreed(t, name, body) {
						t.Errorf("%s.%s: %s is %v, and accepted", name, e.Case, p, value)
					}
				}
				if _, structure := holder[key].(map[string]any); structure {
					continue
				}
				for _, value := range []any{0, 1.5, false, "x"} {
					if !agreed(t, name, changed(t, e.Body, p, value)) {
						t.Errorf("%s.%s: %s is %v, and refused", name, e.Case, p, value)
					}
				}
			}
		}
	}
}

// gone stands for a property that is taken away.
type gone struct{}

// holderOf returns the object that holds the last name of path.
func holderOf(t testing.TB, body []byte, path string) (map[string]any, string) {
	t.Helper()
	return within(object(t, body), path)
}

func within(o map[string]any, path string) (map[string]any, string) {
	names := strings.Split(path, ".")
	for _, n := range names[:len(names)-1] {
		o, _ = o[n].(map[string]any)
	}
	return o, names[len(names)-1]
}

func changed(t testing.TB, body []byte, path string, value any) []byte {
	t.Helper()
	o := object(t, body)
	holder, key := within(o, path)
	holder[key] = value
	if _, away := value.(gone); away {
		delete(holder, key)
	}
	return encode(t, o)
}

// agreed reports whether body is accepted, and fails where schema and decoder
// do not agree on it.
func agreed(t interface {
	Helper()
	Errorf(format string, args ...any)
}, name string, body []byte,
) bool {
	t.Helper()
	invalid, undecoded := Validate(name, body), decoders()[name](body)
	if (invalid == nil) != (undecoded == nil) {
		t.Errorf("%s\nschema:  %v\ndecoder: %v", body, invalid, undecoded)
	}
	return undecoded == nil
}

// junk is what a field may be found to hold. Left out is what JSON Schema can't
// tell apart, or is not worth its words: see README.md.
func junk() []any {
	n := func(s string) any { return json.Number(s) }
	list := func(v ...any) any { return v }
	return []any{
		nil, "", " ", "x", "5", "-1", "unlimited", "True", "f", "1.50", "2026-04-14T08:21:07+00:00", "łódź",
		n("7"), n("0"), n("-1"), n("1.5"), n("12345678901234567890123456789"), true, false,
		list(), list(nil), list(""), list(n("7")), list("x"), list(true), list(list()), list(list("x")), list(map[string]any{}),
		list(map[string]any{"id": n("5")}, nil), list(map[string]any{"id": list("x")}),
		map[string]any{}, map[string]any{"x": n("1")}, map[string]any{"id": n("5")}, map[string]any{"id": ""},
		map[string]any{"id": map[string]any{"x": nil}}, map[string]any{"at": list("x")}, map[string]any{"params": "x"},
		map[string]any{"value": map[string]any{"x": list("y")}}, map[string]any{"quantity": list()},
	}
}

// names are all property names that a schema speaks of.
func names(t testing.TB, name string) []string {
	t.Helper()
	seen := map[string]bool{"unheard_of": true}
	var walk func(s any)
	walk = func(s any) {
		o, _ := s.(map[string]any)
		for key, child := range o {
			if properties, ok := child.(map[string]any); ok && key == "properties" {
				for p := range properties {
					seen[p] = true
				}
			}
			walk(child)
		}
	}
	walk(schemaTree(t, name))
	var out []string
	for n := range seen {
		out = append(out, n)
	}
	slices.Sort(out)
	return out
}

// Whatever becomes of a request on its way, schema and decoder judge it alike.
func TestRequest_Mutated_SchemaAndDecoderAgree(t *testing.T) {
	t.Parallel()
	for _, name := range []string{fulfillment.SchemaRequest, fulfillment.SchemaTierRequest} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			examples, known := examplesOf(t, name), names(t, name)
			var accepted, refused int
			rapid.Check(t, func(rt *rapid.T) {
				e := rapid.SampledFrom(examples).Draw(rt, "example")
				body := any(object(t, e.Body))
				for range rapid.IntRange(1, 3).Draw(rt, "mutations") {
					body = mutate(rt, body, known)
				}
				if agreed(rt, name, encode(t, body)) {
					accepted++
				} else {
					refused++
				}
			})
			if accepted == 0 || refused == 0 {
				t.Errorf("%d accepted, %d refused: the mutations are too mild or too wild", accepted, refused)
			}
		})
	}
}

// mutate walks to a random place in value and puts something else there.
func mutate(rt *rapid.T, value any, known []string) any {
	o, isObject := value.(map[string]any)
	list, isList := value.([]any)
	deeper := rapid.IntRange(0, 5).Draw(rt, "here") > 0
	switch {
	case isObject && deeper && len(o) > 0:
		keys := make([]string, 0, len(o))
		for key := range o {
			keys = append(keys, key)
		}
		slices.Sort(keys)
		key := rapid.SampledFrom(keys).Draw(rt, "key")
		if rapid.IntRange(0, 9).Draw(rt, "remove") == 0 {
			delete(o, key)
			return o
		}
		o[key] = mutate(rt, o[key], known)
		return o
	case isObject && rapid.Bool().Draw(rt, "add"):
		o[rapid.SampledFrom(known).Draw(rt, "new")] = copied(rapid.SampledFrom(junk()).Draw(rt, "junk"))
		return o
	case isList && deeper && len(list) > 0:
		i := rapid.IntRange(0, len(list)-1).Draw(rt, "index")
		list[i] = mutate(rt, list[i], known)
		return list
	}
	return copied(rapid.SampledFrom(junk()).Draw(rt, "junk"))
}

// copied keeps a later mutation from changing what two places hold.
func copied(value any) any {
	switch v := value.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for key, e := range v {
			out[key] = copied(e)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = copied(e)
		}
		return out
	}
	return value
}

// Every known field with every kind of junk, at its own place: what chance
// could miss.
func TestRequest_EachFieldWithJunk_SchemaAndDecoderAgree(t *testing.T) {
	t.Parallel()
	for name, which := range map[string]string{fulfillment.SchemaRequest: "minimal", fulfillment.SchemaTierRequest: "loose"} {
		root, tried, walked := schemaTree(t, name), 0, map[any]bool{}
		var walk func(s map[string]any, wrap func(any) any)
		walk = func(s map[string]any, wrap func(any) any) {
			if def, refers := s["$ref"]; refers && walked[def] {
				return // the same definition, at another place
			} else if refers {
				walked[def] = true
			}
			s = follow(root, s)
			if items, ok := s["items"].(map[string]any); ok {
				walk(items, func(v any) any { return wrap([]any{v}) })
			}
			properties, _ := s["properties"].(map[string]any)
			for key, child := range properties {
				at := func(v any) any { return wrap(map[string]any{key: v}) }
				for _, v := range junk() {
					o := object(t, exampleOf(t, name, which).Body)
					merge(o, at(v).(map[string]any))
					agreed(t, name, encode(t, o))
					tried++
				}
				walk(child.(map[string]any), at)
			}
		}
		walk(root, func(v any) any { return v })
		if tried < 1000 {
			t.Errorf("%s: only %d tried", name, tried)
		}
	}
}

// merge puts more into o, deeper where both have objects.
func merge(o, more map[string]any) {
	for key, v := range more {
		inner, both := o[key].(map[string]any)
		if add, ok := v.(map[string]any); ok && both && len(add) == 1 {
			merge(inner, add)
			continue
		}
		o[key] = v
	}
}

// The words for a quantity, and for yes and no, that the decoder reads are the
// ones that the schema takes.
func TestRequest_Words_SchemaAndDecoderAgree(t *testing.T) {
	t.Parallel()
	body := exampleOf(t, fulfillment.SchemaRequest, "minimal").Body
	large := regexp.MustCompile(`[eE][+-]?[0-9]{2}`) // beyond the schema, see below
	word := rapid.OneOf(
		rapid.StringMatching(`[+\-−]?[0-9]{0,3}\.?[0-9]{0,3}([eE][+-]?[0-9]?)?`),
		rapid.StringMatching(`[-+. eE0-9_x,]{0,5}`),
		rapid.StringMatching(`[ \t\n]{0,2}([uU]n?[lL]imi[tT]ed|[0-9]{0,2})[ \r\f]{0,2}`),
		rapid.StringMatching(`([tT][rR]?[uU][eE]|[fF]als[eE]|[01tfTF]|yes|no)?`),
	).Filter(func(w string) bool { return !large.MatchString(w) })
	rapid.Check(t, func(rt *rapid.T) {
		w := word.Draw(rt, "word")
		agreed(rt, fulfillment.SchemaRequest, changed(t, body, "asset.items", []any{map[string]any{"quantity": w}}))
		agreed(rt, fulfillment.SchemaRequest, changed(t, body, "answered", w))
	})
	tier := exampleOf(t, fulfillment.SchemaTierRequest, "loose").Body
	rapid.Check(t, func(rt *rapid.T) {
		level := rapid.StringMatching(`[+-]?[0-9]{0,3}[. x]?`).Draw(rt, "level")
		agreed(rt, fulfillment.SchemaTierRequest, changed(t, tier, "configuration.tier_level", level))
	})
}

// Where JSON Schema can't follow the decoder, it is the one that accepts.
func TestRequest_BeyondSchema_IsLeftToTheDecoder(t *testing.T) {
	t.Parallel()
	request := func(quantity string) (string, []byte) {
		return fulfillment.SchemaRequest, []byte(`{"id":"PR-1","type":"change","status":"pending",` +
			`"asset":{"id":"AS-1","product":"PRD-1","items":[{"quantity":` + quantity + `}]}}`)
	}
	level := func(level string) (string, []byte) {
		return fulfillment.SchemaTierRequest, []byte(`{"id":"TCR-1","type":"setup","status":"pending",` +
			`"configuration":{"id":"TC-1","product":"PRD-1","tier_level":` + level + `}}`)
	}
	check := func(name string, body []byte) {
		if err := Validate(name, body); err != nil {
			t.Error(err)
		}
		if decoders()[name](body) == nil {
			t.Errorf("%s is decoded now: tell README.md", body)
		}
	}
	check(request(`1e999999999`))
	check(request(`1e33`))
	check(request(`"1e-33"`))
	check(request(`"` + strings.Repeat("9", 65) + `"`))
	check(level(`"99999999999999999999"`))
	check(level(`1.0`))
	// A boolean of that size is nothing the decoder takes.
	check(fulfillment.SchemaRequest, []byte(`{"id":"PR-1","type":"change","status":"pending","asset":{"id":"AS-1","product":"PRD-1"},"answered":1e999}`))
}

// The schemas speak of every field that the decoder reads, and of no other.
func TestRequest_Properties_AreTheDecoders(t *testing.T) {
	t.Parallel()
	for name, typ := range map[string]reflect.Type{
		fulfillment.SchemaRequest:     reflect.TypeFor[connect.Request](),
		fulfillment.SchemaTierRequest: reflect.TypeFor[connect.TierRequest](),
	} {
		sameFields(t, name, typ, schemaTree(t, name), schemaTree(t, name), "")
	}
}

func sameFields(t *testing.T, name string, typ reflect.Type, root, s map[string]any, at string) {
	t.Helper()
	for typ.Kind() == reflect.Pointer {
		typ = typ.Elem()
	}
	s = follow(root, s)
	if typ.Kind() == reflect.Slice && typ.Elem().Kind() == reflect.Struct {
		items, _ := s["items"].(map[string]any)
		sameFields(t, name, typ.Elem(), root, items, at+"[]")
		return
	}
	opaque := typ == reflect.TypeFor[connect.Time]() || typ == reflect.TypeFor[connect.Quantity]()
	if typ.Kind() != reflect.Struct || opaque {
		return
	}
	properties, _ := s["properties"].(map[string]any)
	var has, want []string
	for key := range properties {
		has = append(has, key)
	}
	for i := range typ.NumField() {
		key, _, _ := strings.Cut(typ.Field(i).Tag.Get("json"), ",")
		want = append(want, key)
		child, _ := properties[key].(map[string]any)
		sameFields(t, name, typ.Field(i).Type, root, child, at+"."+key)
	}
	slices.Sort(has)
	slices.Sort(want)
	if diff := cmp.Diff(want, has); diff != "" {
		t.Errorf("%s: properties of %q: %s", name, at, diff)
	}
}
