package profile

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/headrace/headrace/pkg/config"
)

// faults gathers what is wrong with a file.
type faults struct {
	file string
	list []fault
}

type fault struct {
	line int
	err  error
}

// joined is all faults in the order of the file, or nil.
func (f *faults) joined() error {
	slices.SortStableFunc(f.list, func(a, b fault) int { return a.line - b.line })
	var all []error
	for _, one := range f.list {
		all = append(all, one.err)
	}
	return errors.Join(all...)
}

func (f *faults) add(at position, format string, args ...any) {
	name := f.file
	if at.Line > 0 {
		name += fmt.Sprintf(":%d", at.Line)
	}
	if at.Path != "" {
		name += ": " + at.Path
	}
	f.list = append(f.list, fault{at.Line, &config.Fault{Setting: name, Problem: fmt.Sprintf(format, args...)}})
}

// decode fills v, a struct of file.go, from a node. No fault shows a value that
// is not one of a list: it might be a secret in the wrong place.
func (f *faults) decode(n *yaml.Node, path string, v reflect.Value) {
	n = followed(n)
	at := position{n.Line, path}
	switch v.Kind() {
	case reflect.Pointer:
		if n.Tag == "!!null" && n.Kind == yaml.ScalarNode {
			f.add(at, "is empty; fill it in or remove it")
			return
		}
		v.Set(reflect.New(v.Type().Elem()))
		f.decode(n, path, v.Elem())
	case reflect.Slice:
		if n.Kind != yaml.SequenceNode {
			f.add(at, "is not a list; put a dash before each entry")
			return
		}
		v.Set(reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content)))
		for i, one := range n.Content {
			f.decode(one, fmt.Sprintf("%s[%d]", path, i), v.Index(i))
		}
	case reflect.Map:
		if n.Kind != yaml.MappingNode {
			f.add(at, "is not a block of names and values")
			return
		}
		v.Set(reflect.MakeMap(v.Type()))
		for i := 0; i < len(n.Content); i += 2 {
			key, one := n.Content[i], reflect.New(v.Type().Elem()).Elem()
			if key.Value == "" || key.Value != strings.TrimSpace(key.Value) {
				f.add(position{key.Line, path}, "has a name that is empty or has spaces around it")
				continue
			}
			f.decode(n.Content[i+1], path+"."+key.Value, one)
			v.SetMapIndex(reflect.ValueOf(key.Value), one)
		}
	default:
		if t, leaf := v.Addr().Interface().(*text); leaf {
			f.scalar(n, at, t)
			return
		}
		f.block(n, at, v)
	}
}

func (f *faults) scalar(n *yaml.Node, at position, t *text) {
	value, block := n.Value, n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0
	if block { // ends with a line break that nobody meant
		value = strings.TrimRight(value, "\r\n")
	}
	switch {
	case n.Kind != yaml.ScalarNode:
		f.add(at, "takes one value; expressions with braces go into quotes or below a |")
	case n.Tag == "!!null" || strings.TrimSpace(value) == "":
		f.add(at, "is empty; fill it in or remove it")
	case value != strings.TrimSpace(value):
		f.add(at, "has spaces around it; remove them")
	default:
		if block {
			at.Line++ // the text begins below the sign
		}
		t.Value, t.At = value, at
	}
}

// block decodes a mapping into a struct.
func (f *faults) block(n *yaml.Node, at position, v reflect.Value) {
	if n.Kind != yaml.MappingNode {
		if v.Type() == reflect.TypeFor[secret]() {
			f.add(at, "is no place for a secret; say where it is, with {env: VARIABLE} or {file: PATH}")
			return
		}
		f.add(at, "is not a block; put %s below it", strings.Join(keys(v.Type()), ", "))
		return
	}
	v.FieldByName("At").Set(reflect.ValueOf(at))
	given := map[string]bool{}
	for _, pair := range merged(n) {
		name, path := pair[0].Value, strings.TrimPrefix(at.Path+"."+pair[0].Value, ".")
		field, known := fieldOf(v.Type(), name)
		switch {
		case !known:
			f.unknown(position{pair[0].Line, path}, name, keys(v.Type()))
		case given[name]:
			f.add(position{pair[0].Line, path}, "is there twice; keep one of them")
		default:
			f.decode(pair[1], path, v.FieldByIndex(field.Index))
			f.choice(v.FieldByIndex(field.Index), field)
		}
		given[name] = true
	}
	for i := range v.NumField() {
		if field := v.Type().Field(i); field.Tag.Get("need") != "" && !given[field.Tag.Get("yaml")] {
			f.add(at, "lacks %s", field.Tag.Get("yaml"))
		}
	}
}

func (f *faults) unknown(at position, name string, among []string) {
	if near, ok := config.Nearest(name, among); ok {
		f.add(at, "is not known; did you mean %s?", near)
		return
	}
	f.add(at, "is not known; there are %s", strings.Join(among, ", "))
}

// choice checks a value, or a list of values, against the words it may be.
func (f *faults) choice(v reflect.Value, field reflect.StructField) {
	words := strings.Split(field.Tag.Get("enum"), ",")
	if words[0] == "" {
		return
	}
	values, isList := v.Interface().([]text)
	if !isList {
		values = []text{v.Interface().(text)}
	}
	for _, t := range values {
		if t.given() && !slices.Contains(words, t.Value) {
			f.unknown(t.At, t.Value, words)
		}
	}
}

// followed is what an alias stands for.
func followed(n *yaml.Node) *yaml.Node {
	for n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	return n
}

// merged lists the keys of a mapping with their values. Those that << brings
// come last, and only where the mapping itself does not have them.
func merged(n *yaml.Node) [][2]*yaml.Node {
	var own, brought [][2]*yaml.Node
	for i := 0; i < len(n.Content); i += 2 {
		if key, value := n.Content[i], followed(n.Content[i+1]); key.Tag == "!!merge" {
			from := []*yaml.Node{value}
			if value.Kind == yaml.SequenceNode {
				from = value.Content
			}
			for _, m := range from {
				brought = append(brought, merged(followed(m))...)
			}
		} else {
			own = append(own, [2]*yaml.Node{key, n.Content[i+1]})
		}
	}
	for _, pair := range brought {
		if !slices.ContainsFunc(own, func(p [2]*yaml.Node) bool { return p[0].Value == pair[0].Value }) {
			own = append(own, pair)
		}
	}
	return own
}

func keys(t reflect.Type) []string {
	var names []string
	for i := range t.NumField() {
		if name := t.Field(i).Tag.Get("yaml"); name != "" {
			names = append(names, name)
		}
	}
	return names
}

func fieldOf(t reflect.Type, name string) (reflect.StructField, bool) {
	for i := range t.NumField() {
		if t.Field(i).Tag.Get("yaml") == name {
			return t.Field(i), true
		}
	}
	return reflect.StructField{}, false
}
