package profile

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"

	"github.com/headrace/headrace/pkg/config"
)

const schemaFile = "profile.schema.json"

type object = map[string]any

// schemaOf is the JSON Schema of a type of file.go.
func schemaOf(t reflect.Type, tag reflect.StructTag, defs object) object {
	switch t.Kind() {
	case reflect.Pointer:
		return schemaOf(t.Elem(), tag, defs)
	case reflect.Slice:
		return object{"type": "array", "items": schemaOf(t.Elem(), tag, defs)}
	case reflect.Map:
		return object{"type": "object", "additionalProperties": schemaOf(t.Elem(), tag, defs)}
	case reflect.Struct:
	}
	if t == reflect.TypeFor[text]() {
		return scalarSchema(tag)
	}
	if _, known := defs[t.Name()]; !known {
		defs[t.Name()] = nil // types contain none that contain them, but may come twice
		properties, needed := object{}, []string{}
		for i := range t.NumField() {
			f := t.Field(i)
			name := f.Tag.Get("yaml")
			if name == "" {
				continue
			}
			one := schemaOf(f.Type, f.Tag, defs)
			if _, ref := one["$ref"]; ref {
				one = object{"allOf": []any{one}}
			}
			if no := f.Tag.Get("without"); no != "" {
				one["not"] = object{"required": []string{no}}
			}
			one["description"] = f.Tag.Get("doc")
			properties[name] = one
			if f.Tag.Get("need") != "" {
				needed = append(needed, name)
			}
		}
		def := object{"type": "object", "properties": properties, "additionalProperties": false}
		if len(needed) > 0 {
			def["required"] = needed
		}
		defs[t.Name()] = def
	}
	return object{"$ref": "#/$defs/" + t.Name()}
}

func scalarSchema(tag reflect.StructTag) object {
	if words := tag.Get("enum"); words != "" {
		return object{"enum": strings.Split(words, ",")}
	}
	switch tag.Get("kind") {
	case "bool":
		return object{"type": "boolean"}
	case "number":
		return object{"type": "number"}
	case "duration":
		return object{"type": "string", "pattern": `^([0-9.]+(h|m|s|ms))+$`}
	}
	return object{"type": []any{"string", "number", "boolean"}}
}

func schemaText(t *testing.T) []byte {
	t.Helper()
	defs := object{}
	profiles := schemaOf(reflect.TypeFor[[]product](), "", defs)
	ids := object{"type": "array", "items": object{"type": "string"}}
	schema := object{
		"$schema": "https://json-schema.org/draft/2020-12/schema",
		"$id":     "https://github.com/headrace/headrace/pkg/profile/" + schemaFile,
		"title":   "Settings of Headrace with product profiles",
		"type":    "object",
		"properties": object{"products": object{
			"description": "profiles of products, or just their ids", "anyOf": []any{profiles, ids, object{"type": "string"}},
		}},
		"$defs": defs,
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(schema); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestSchema_File_IsWhatTheDecoderTakes makes the schema from the structs;
// UPDATE_GOLDEN=1 writes it.
func TestSchema_File_IsWhatTheDecoderTakes(t *testing.T) {
	t.Parallel()
	want := schemaText(t)
	if os.Getenv("UPDATE_GOLDEN") != "" {
		if err := os.WriteFile(schemaFile, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(schemaFile)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("UPDATE_GOLDEN=1 has this test write it; %s differs (-structs +file):\n%s", schemaFile, diff)
	}
}

func TestSchema_Examples_AreValidAndLoad(t *testing.T) {
	t.Parallel()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(schemaText(t)))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("profile.json", doc); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("profile.json")
	if err != nil {
		t.Fatal(err)
	}
	read := func(name string) any {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		var v any
		if err := yaml.Unmarshal(data, &v); err != nil {
			t.Fatal(err)
		}
		return v
	}
	examples, err := filepath.Glob("../../docs/examples/profiles/*.yaml")
	if err != nil || len(examples) < 4 {
		t.Fatalf("%d examples, %v", len(examples), err)
	}
	for _, name := range examples {
		if err := schema.Validate(read(name)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := Load(name, config.Vendor{Endpoint: "http://v"}); err != nil {
			t.Error(err)
		}
	}
	if schema.Validate(read("testdata/wrong.yaml")) == nil {
		t.Error("the schema takes anything")
	}
}

// TestDocs_Page_NamesEveryKey holds docs/reference/profiles.md to the structs.
func TestDocs_Page_NamesEveryKey(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/reference/profiles.md")
	if err != nil {
		t.Fatal(err)
	}
	var check func(t reflect.Type)
	seen := map[reflect.Type]bool{}
	check = func(of reflect.Type) {
		for of.Kind() != reflect.Struct {
			of = of.Elem()
		}
		if seen[of] {
			return
		}
		seen[of] = true
		for i := range of.NumField() {
			f := of.Field(i)
			name := f.Tag.Get("yaml")
			if name == "" {
				continue
			}
			if !strings.Contains(string(page), "`"+name+"`") {
				t.Errorf("docs/reference/profiles.md does not say what %s of %s is: %s", name, of.Name(), f.Tag.Get("doc"))
			}
			check(f.Type)
		}
	}
	check(reflect.TypeFor[product]())
	for _, of := range []reflect.Type{reflect.TypeFor[Reply](), reflect.TypeFor[OrderAsset](), reflect.TypeFor[OrderItem](), reflect.TypeFor[OrderAccount](), reflect.TypeFor[OrderTier]()} {
		for i := range of.NumField() {
			if name := of.Field(i).Tag.Get("expr"); name != "" && !strings.Contains(string(page), name) {
				t.Errorf("docs/reference/profiles.md does not say what %s is in expressions", name)
			}
		}
	}
}
