// Package breaking finds what in a JSON Schema (2020-12) would break those who
// build on the one that was published. It performs no I/O.
//
// Both sides count: who checks stored messages by the new schema (nothing that
// was valid may be refused), and who wrote a program by the old one (nothing that
// it promised may be taken back). What remains is: a property may be added that is
// not required, a closed object may be opened, and words for people may change.
// A keyword that is not understood here may not change at all.
package breaking

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// Change is one that breaks.
type Change struct {
	File string // of the schema, e.g. event.v1.json
	Path string // to what it is about, e.g. subscription.items[].quantity; "" is the whole
	What string // e.g. "reason" is no longer required
}

// String is one line.
func (c Change) String() string {
	if c.Path == "" {
		return c.File + ": " + c.What
	}
	return c.File + ": " + c.Path + ": " + c.What
}

// Set compares all schemas of a release with today's, both by file name: each
// must still be there, as another version lives beside it. It fails on what is
// not a schema, or refers to what is not in its file.
func Set(old, today map[string][]byte) ([]Change, error) {
	var found []Change
	for _, name := range slices.Sorted(maps.Keys(old)) {
		text, there := today[name]
		if !there {
			found = append(found, Change{File: name, What: "is gone; a new version lives beside the old one"})
			continue
		}
		changes, err := Changes(old[name], text)
		if err != nil {
			return nil, fmt.Errorf("compare %s: %w", name, err)
		}
		for _, c := range changes {
			c.File = name
			found = append(found, c)
		}
	}
	return found, nil
}

// Changes compares one schema with today's, sorted by path.
func Changes(old, today []byte) ([]Change, error) {
	c := &comparison{seen: map[[2]string]bool{}}
	if err := json.Unmarshal(old, &c.old); err != nil {
		return nil, fmt.Errorf("read old schema: %w", err)
	}
	if err := json.Unmarshal(today, &c.today); err != nil {
		return nil, fmt.Errorf("read today's schema: %w", err)
	}
	for _, k := range []string{"$id", "$schema"} {
		if !reflect.DeepEqual(c.old[k], c.today[k]) {
			c.tell("", "%s is %v and was %v", k, c.today[k], c.old[k])
		}
	}
	c.compare("", c.old, c.today)
	slices.SortStableFunc(c.found, func(a, b Change) int { return strings.Compare(a.Path, b.Path) })
	return c.found, c.err
}

type schema = map[string]any

type comparison struct {
	old, today schema
	// seen are the pairs of references that were followed, since schemas may
	// refer to themselves.
	seen  map[[2]string]bool
	found []Change
	err   error // the first
}

func (c *comparison) tell(path, format string, args ...any) {
	c.found = append(c.found, Change{Path: path, What: fmt.Sprintf(format, args...)})
}

func (c *comparison) compare(path string, old, today any) {
	was, wasRef := c.resolve(c.old, old)
	is, isRef := c.resolve(c.today, today)
	if wasRef != "" || isRef != "" {
		pair := [2]string{wasRef, isRef}
		if c.seen[pair] {
			return
		}
		c.seen[pair] = true
		// Only on the way down: the same pair elsewhere is told there, too.
		defer delete(c.seen, pair)
	}
	c.values(path, was, is)
	c.required(path, was, is)
	c.properties(path, was, is)
	c.open(path, was, is)
	for keyword, suffix := range nested {
		if was[keyword] != nil || is[keyword] != nil {
			c.compare(path+suffix, was[keyword], is[keyword])
		}
	}
	c.others(path, was, is)
}

// nested are the keywords that hold one schema of parts.
var nested = map[string]string{"items": "[]", "propertyNames": "{name}"}

// resolve follows references and returns the keywords that hold together. Nil
// and true are the schema that demands nothing.
func (c *comparison) resolve(root schema, value any) (schema, string) {
	s, ok := value.(schema)
	switch {
	case value == nil || value == true:
		return schema{}, ""
	case value == false:
		return schema{"not": schema{}}, ""
	case !ok:
		c.fail(fmt.Errorf("%v is no schema", value))
		return schema{}, ""
	}
	ref, refers := s["$ref"].(string)
	if !refers {
		return s, ""
	}
	target, err := find(root, ref)
	if err != nil {
		c.fail(err)
		return schema{}, ""
	}
	within, further := c.resolve(root, target)
	merged := maps.Clone(within)
	for k, v := range s {
		if _, both := within[k]; both && !said(k) {
			k = "beside $ref: " + k // both hold: no keyword that is understood
		}
		if k != "$ref" {
			merged[k] = v
		}
	}
	return merged, ref + further
}

func (c *comparison) fail(err error) {
	if c.err == nil {
		c.err = err
	}
}

// find follows a JSON pointer within the document.
func find(root schema, ref string) (any, error) {
	pointer, within := strings.CutPrefix(ref, "#")
	if !within {
		return nil, fmt.Errorf("$ref %s leads out of the file", ref)
	}
	var at any = root
	for token := range strings.SplitSeq(strings.TrimPrefix(pointer, "/"), "/") {
		if pointer == "" {
			break
		}
		token = strings.NewReplacer("~1", "/", "~0", "~").Replace(token)
		o, _ := at.(schema)
		if at = o[token]; at == nil {
			return nil, fmt.Errorf("$ref %s leads nowhere", ref)
		}
	}
	return at, nil
}
