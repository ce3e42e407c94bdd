package breaking

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// said reports whether a keyword speaks to people or tools and demands nothing.
func said(keyword string) bool {
	switch keyword {
	case "title", "description", "examples", "default", "deprecated", "readOnly", "writeOnly",
		"$comment", "$defs", "$id", "$schema", "$anchor":
		return true
	}
	return strings.HasPrefix(keyword, "x-")
}

// values compares which values are valid: type, enum and const.
func (c *comparison) values(path string, was, is schema) {
	oldTypes, newTypes := types(was), types(is)
	for _, t := range oldTypes {
		if !slices.Contains(newTypes, t) {
			c.tell(path, "type narrowed: %s is refused", t)
		}
	}
	for _, t := range newTypes {
		if !slices.Contains(oldTypes, t) {
			c.tell(path, "type widened: readers never met %s", t)
		}
	}
	oldWords, wasClosed := words(was)
	newWords, isClosed := words(is)
	switch {
	case !wasClosed && !isClosed:
	case !wasClosed:
		c.tell(path, "only %s is left of what was any value", strings.Join(newWords, ", "))
	case !isClosed:
		c.tell(path, "any value, and was one of %s", strings.Join(oldWords, ", "))
	default:
		for _, w := range oldWords {
			if !slices.Contains(newWords, w) {
				c.tell(path, "value removed: %s", w)
			}
		}
		for _, w := range newWords {
			if !slices.Contains(oldWords, w) {
				c.tell(path, "value added: %s", w)
			}
		}
	}
}

// types are those that a value may have. A number includes the integers.
func types(s schema) []string {
	var list []string
	switch t := s["type"].(type) {
	case nil:
		list = []string{"array", "boolean", "null", "number", "object", "string"}
	case string:
		list = []string{t}
	case []any:
		for _, one := range t {
			name, _ := one.(string)
			list = append(list, name)
		}
	}
	if slices.Contains(list, "number") && !slices.Contains(list, "integer") {
		list = append(list, "integer")
	}
	slices.Sort(list)
	return list
}

// words are the values that an enum or a const leaves, as JSON; false: all.
func words(s schema) ([]string, bool) {
	values, closed := s["enum"].([]any)
	if only, one := s["const"]; one {
		values, closed = []any{only}, true
	}
	var list []string
	for _, v := range values {
		text, err := json.Marshal(v)
		if err == nil {
			list = append(list, string(text))
		}
	}
	return list, closed
}

func (c *comparison) required(path string, was, is schema) {
	old, today := names(was["required"]), names(is["required"])
	for _, n := range today {
		if !slices.Contains(old, n) {
			c.tell(path, "%q is required now", n)
		}
	}
	for _, n := range old {
		if !slices.Contains(today, n) {
			c.tell(path, "%q is no longer required", n)
		}
	}
}

func names(list any) []string {
	values, _ := list.([]any)
	var out []string
	for _, v := range values {
		name, _ := v.(string)
		out = append(out, name)
	}
	return out
}

func (c *comparison) properties(path string, was, is schema) {
	old, _ := was["properties"].(schema)
	today, _ := is["properties"].(schema)
	for _, name := range slices.Sorted(maps.Keys(old)) {
		at := strings.TrimPrefix(path+"."+name, ".")
		if _, there := today[name]; !there {
			c.tell(at, "property removed")
			continue
		}
		c.compare(at, old[name], today[name])
	}
}

// open compares what is said of properties that have no name in the schema.
func (c *comparison) open(path string, was, is schema) {
	for _, keyword := range []string{"additionalProperties", "unevaluatedProperties", "unevaluatedItems"} {
		old, today := was[keyword], is[keyword]
		switch {
		case old == false, old == nil && today == nil: // opened, or as it was
		case today == false:
			c.tell(path, "closed by %s", keyword)
		default:
			c.compare(path+"{}", old, today)
		}
	}
}

// others compares the rest: a limit or a format may not change, neither way, and
// what is not understood even less.
func (c *comparison) others(path string, was, is schema) {
	keywords := slices.Collect(maps.Keys(was))
	for k := range is {
		if _, both := was[k]; !both {
			keywords = append(keywords, k)
		}
	}
	slices.Sort(keywords)
	for _, k := range keywords {
		switch k {
		case "type", "enum", "const", "required", "properties", "items", "propertyNames",
			"additionalProperties", "unevaluatedProperties", "unevaluatedItems":
			continue // compared above
		}
		old, today := was[k], is[k]
		if said(k) || reflect.DeepEqual(old, today) {
			continue
		}
		switch {
		case old == nil:
			c.tell(path, "%s is demanded now: %v", k, today)
		case today == nil:
			c.tell(path, "%s %v is no longer promised", k, old)
		default:
			c.tell(path, "%s is %v and was %v", k, today, old)
		}
	}
}
