package connect

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"github.com/headrace/headrace/pkg/fastjson"
)

// decodeTolerant decodes data into the zero struct that dst points to. The plain
// decoder serves what Connect sends today; only where it stumbles over a kind
// of value (a number for an id, "" for an object, "False" for a boolean) is the
// value fitted to the struct and decoded again. On an error dst holds what was
// readable.
func decodeTolerant(data []byte, dst any) error {
	err := fastjson.Unmarshal(data, dst)
	if kind := (*json.UnmarshalTypeError)(nil); err == nil || !errors.As(err, &kind) {
		return err
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	var value any
	if err := dec.Decode(&value); err != nil {
		return err
	}
	target := reflect.ValueOf(dst).Elem()
	target.SetZero()
	var f fitter
	fitted, ok := f.fit(value, target.Type(), "", false)
	if ok {
		f.add(redecode(fitted, dst))
	}
	return errors.Join(f.faults...)
}

func redecode(value, dst any) error {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false) // raw messages are to stay as they were sent
	if err := enc.Encode(value); err != nil {
		return err
	}
	return json.Unmarshal(b.Bytes(), dst)
}

// fitter collects what could not be fitted.
type fitter struct{ faults []error }

func (f *fitter) add(err error) {
	if err != nil {
		f.faults = append(f.faults, err)
	}
}

// fault notes that path holds value where want is expected, and drops value.
func (f *fitter) fault(path, want string, value any) (any, bool) {
	if path == "" {
		path = "body"
	}
	f.add(fmt.Errorf("%s: want %s, found %s", path, want, kindOf(value)))
	return nil, false
}

// fit returns value in the form that the plain decoder takes for t, and false
// where it is to be left out: null, and the empty forms "", {} and [] wherever
// they are of the wrong kind. anyKind lets a string hold JSON text.
func (f *fitter) fit(value any, t reflect.Type, path string, anyKind bool) (any, bool) {
	if value == nil {
		return nil, false
	}
	if reflect.PointerTo(t).Implements(reflect.TypeFor[json.Unmarshaler]()) {
		return value, true
	}
	switch t.Kind() {
	case reflect.Pointer:
		return f.fit(value, t.Elem(), path, anyKind)
	case reflect.String:
		return f.fitString(value, path, anyKind)
	case reflect.Bool:
		return f.fitBool(value, path)
	case reflect.Int:
		return f.fitInt(value, path)
	case reflect.Slice:
		return f.fitSlice(value, t, path)
	case reflect.Struct:
		return f.fitStruct(value, t, path)
	}
	return value, true
}

func (f *fitter) fitString(value any, path string, anyKind bool) (any, bool) {
	switch v := value.(type) {
	case string:
		return v, true
	case json.Number:
		return v.String(), true
	case bool:
		return strconv.FormatBool(v), true
	}
	if isEmpty(value) {
		return nil, false
	}
	if !anyKind {
		return f.fault(path, "a string", value)
	}
	text, err := json.Marshal(value)
	f.add(err)
	return string(text), err == nil
}

func (f *fitter) fitBool(value any, path string) (any, bool) {
	switch v := value.(type) {
	case bool:
		return v, true
	case string:
		if b, err := strconv.ParseBool(strings.ToLower(v)); err == nil {
			return b, true
		}
	case json.Number:
		if n, err := v.Float64(); err == nil {
			return n != 0, true
		}
	}
	if isEmpty(value) {
		return nil, false
	}
	return f.fault(path, "a boolean", value)
}

func (f *fitter) fitInt(value any, path string) (any, bool) {
	if isEmpty(value) {
		return nil, false
	}
	text := fmt.Sprint(value)
	if n, err := strconv.Atoi(text); err == nil {
		return n, true
	}
	return f.fault(path, "an integer", value)
}

func (f *fitter) fitSlice(value any, t reflect.Type, path string) (any, bool) {
	list, ok := value.([]any)
	if !ok {
		if isEmpty(value) {
			return nil, false
		}
		return f.fault(path, "an array", value)
	}
	out := make([]any, 0, len(list))
	for i, v := range list {
		if v, keep := f.fit(v, t.Elem(), path+"["+strconv.Itoa(i)+"]", false); keep {
			out = append(out, v)
		}
	}
	return out, true
}

func (f *fitter) fitStruct(value any, t reflect.Type, path string) (any, bool) {
	object, ok := value.(map[string]any)
	if !ok {
		if isEmpty(value) {
			return nil, false
		}
		if t == reflect.TypeFor[Ref]() {
			id, keep := f.fitString(value, path, false)
			return map[string]any{"id": id}, keep
		}
		return f.fault(path, "an object", value)
	}
	out := make(map[string]any, t.NumField())
	for key, v := range object {
		field, known := fieldNamed(t, key)
		if !known {
			continue
		}
		at := strings.TrimPrefix(path+"."+key, ".")
		if v, keep := f.fit(v, field.Type, at, field.Tag.Get("connect") == "any"); keep {
			out[key] = v
		}
	}
	return out, true
}

// fieldNamed finds the field that the plain decoder fills from key; like that
// one, it takes any case.
func fieldNamed(t reflect.Type, key string) (reflect.StructField, bool) {
	for i := range t.NumField() {
		field := t.Field(i)
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		if name != "" && strings.EqualFold(name, key) {
			return field, true
		}
	}
	return reflect.StructField{}, false
}

// isEmpty reports whether value is a way of saying "nothing".
func isEmpty(value any) bool {
	switch v := value.(type) {
	case string:
		return v == ""
	case []any:
		return len(v) == 0
	case map[string]any:
		return len(v) == 0
	}
	return value == nil
}

func kindOf(value any) string {
	switch value.(type) {
	case string:
		return "a string"
	case json.Number:
		return "a number"
	case bool:
		return "a boolean"
	case []any:
		return "an array"
	}
	return "an object"
}
