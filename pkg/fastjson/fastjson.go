// Package fastjson decodes JSON as encoding/json does, in less than half of the
// time. It tries the decoder that Go has from 1.27 on as encoding/json/v2, told
// to be as lenient as the old one where that costs nothing; of whatever that one
// refuses, be it only a name that is there twice, encoding/json has the last
// word. So what is taken, what comes of it and what an error says is
// encoding/json's. It is the only package that knows the new decoder.
package fastjson

import (
	"bytes"
	"encoding/json"
	"reflect"
	"slices"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	jsonv1 "github.com/go-json-experiment/json/v1"
)

// lenient has names match as they do in encoding/json. Names that are there
// twice, which it merges, and broken characters, which it replaces, stay refused.
func lenient() jsonv2.Options {
	return jsonv2.JoinOptions(jsonv2.MatchCaseInsensitiveNames(true), jsonv1.MatchCaseSensitiveDelimiter(true))
}

// Unmarshal decodes data into the zero value that dst points to. That is made of
// structs, slices, pointers, strings, booleans, integers, json.RawMessage,
// time.Time and what has an UnmarshalJSON of its own: of other types, such as
// json.Number or a map, the two decoders think differently. What UnmarshalJSON is
// given is its own only until it returns.
func Unmarshal(data []byte, dst any) error {
	if jsonv2.Unmarshal(data, dst, lenient()) == nil {
		return nil
	}
	reflect.ValueOf(dst).Elem().SetZero()
	return json.Unmarshal(data, dst)
}

// Element is an element of an array: its bytes, which are a part of the array's,
// and what was decoded of it.
type Element[T any] struct {
	Raw   json.RawMessage
	Value T
}

// Elements takes an array apart and decodes its elements while it reads them. It
// reports false where any of them needs more than that: then it is no array, or
// the elements are to be decoded one by one.
func Elements[T any](data []byte) ([]Element[T], bool) {
	dec := jsontext.NewDecoder(bytes.NewBuffer(data), lenient())
	if first, err := dec.ReadToken(); err != nil || first.Kind() != '[' {
		return nil, false
	}
	var all []Element[T]
	for dec.PeekKind() != ']' {
		var e Element[T]
		from := dec.InputOffset()
		if jsonv2.UnmarshalDecode(dec, &e.Value) != nil {
			return nil, false
		}
		e.Raw = slices.Clip(bytes.TrimLeft(data[from:dec.InputOffset()], ", \t\r\n"))
		all = append(all, e)
	}
	if _, err := dec.ReadToken(); err != nil {
		return nil, false
	}
	rest := bytes.TrimLeft(data[dec.InputOffset():], " \t\r\n")
	return all, len(rest) == 0
}
