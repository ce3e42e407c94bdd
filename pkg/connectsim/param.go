package connectsim

import (
	"encoding/json"
	"slices"
	"unicode/utf8"
)

// The longest texts that Connect takes.
const (
	maxValue      = 2048
	maxValueError = 512
)

// structured are the types of parameter that keep a structured value. Others
// may be sent one, which is dropped.
var structured = []string{"phone", "address", "checkbox", "object"}

// setParams applies the list given to params, which it changes in place. Only
// what is listed changes, and of it only the values and the error.
func (s *Server) setParams(params []object, given any) error {
	if given == nil {
		return nil
	}
	list, ok := given.([]any)
	if !ok {
		return invalid("params", "Expected a list of items.")
	}
	for _, e := range list {
		change, ok := e.(object)
		if !ok || text(change, "id") == "" {
			return invalid("params", "id: This field is required.")
		}
		p := find(params, "id", text(change, "id"))
		switch {
		case p != nil:
			if err := setParam(p, change); err != nil {
				return err
			}
		case !s.opts.AllowUnknownParams:
			return invalid("params", "Parameter %s does not exist.", text(change, "id"))
		}
	}
	return nil
}

func setParam(p, change object) error {
	for key, limit := range map[string]int{"value": maxValue, "value_error": maxValueError} {
		given, ok := change[key]
		if !ok {
			continue
		}
		value, ok := scalar(given)
		if !ok {
			return invalid(key, "Not a valid string.")
		}
		if utf8.RuneCountInString(value) > limit {
			return invalid(key, "Ensure this field has no more than %d characters.", limit)
		}
		p[key] = value
	}
	if v, ok := change["structured_value"]; ok && slices.Contains(structured, text(p, "type")) {
		p["structured_value"] = v
	}
	if v, ok := change["structured_error"]; ok {
		p["structured_error"] = v
		if message := text(v, "message", "value"); message != "" {
			p["value_error"] = message
		}
	}
	return nil
}

// scalar is v as a parameter's value, which is always a string; null is none.
func scalar(v any) (string, bool) {
	switch v := v.(type) {
	case nil:
		return "", true
	case string:
		return v, true
	case json.Number:
		return v.String(), true
	}
	return "", false
}

// emptyRequired are the ids of the required parameters of a phase that have
// no value.
func emptyRequired(params []object, phase string) []string {
	var ids []string
	for _, p := range params {
		if text(p, "phase") == phase && at(p, "constraints", "required") == true && text(p, "value") == "" {
			ids = append(ids, text(p, "id"))
		}
	}
	return ids
}
