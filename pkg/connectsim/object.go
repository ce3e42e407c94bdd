package connectsim

import "time"

// object is a JSON object as encoding/json decodes it.
type object = map[string]any

// at follows keys into v; nil where they lead nowhere.
func at(v any, keys ...string) any {
	for _, k := range keys {
		m, ok := v.(object)
		if !ok {
			return nil
		}
		v = m[k]
	}
	return v
}

// text is the string that keys lead to, else "".
func text(v any, keys ...string) string {
	s, _ := at(v, keys...).(string)
	return s
}

// child is the object that keys lead to, else nil, which can be read.
func child(v any, keys ...string) object {
	o, _ := at(v, keys...).(object)
	return o
}

// rows are the objects in the array that keys lead to; what is no object is
// left out.
func rows(v any, keys ...string) []object {
	list, _ := at(v, keys...).([]any)
	out := make([]object, 0, len(list))
	for _, e := range list {
		if o, ok := e.(object); ok {
			out = append(out, o)
		}
	}
	return out
}

// clone copies v with all that it holds.
func clone[T any](v T) T {
	c, _ := copyOf(v, nil).(T)
	return c
}

// fork is clone without the parts that no action changes in place: both
// copies share them. They may be replaced in a fork, never written to.
func fork(o object) object {
	c, _ := copyOf(o, isFixed).(object)
	return c
}

func isFixed(key string) bool {
	switch key {
	case "product", "connection", "marketplace", "contract", "tiers", "account", "constraints":
		return true
	}
	return false
}

// copyOf copies v, except for what stands under the keys that share says.
func copyOf(v any, share func(key string) bool) any {
	switch v := v.(type) {
	case object:
		c := make(object, len(v))
		for k, e := range v {
			if share != nil && share(k) {
				c[k] = e
			} else {
				c[k] = copyOf(e, share)
			}
		}
		return c
	case []any:
		c := make([]any, len(v))
		for i, e := range v {
			c[i] = copyOf(e, share)
		}
		return c
	}
	return v
}

// find returns the row whose key is value, else nil.
func find(list []object, key, value string) object {
	for _, o := range list {
		if o[key] == value {
			return o
		}
	}
	return nil
}

func array(list []object) []any {
	out := make([]any, len(list))
	for i, o := range list {
		out[i] = o
	}
	return out
}

// stamp writes a time as Connect does: with an offset, and with microseconds
// where there are any.
func stamp(t time.Time) string {
	t = t.UTC().Truncate(time.Microsecond)
	if t.Nanosecond() == 0 {
		return t.Format("2006-01-02T15:04:05+00:00")
	}
	return t.Format("2006-01-02T15:04:05.000000+00:00")
}

// events is the record of what happened to a new object.
func events(now string) object {
	return object{"created": object{"at": now}, "updated": object{"at": now}}
}

// touch sets when o was last updated.
func touch(o object, now string) {
	if _, ok := o["updated"]; ok {
		o["updated"] = now
	}
	mark(o, "updated", now)
}

// mark records the event name in o.
func mark(o object, name, now string) {
	ev := child(o, "events")
	if ev == nil {
		ev = object{}
		o["events"] = ev
	}
	ev[name] = object{"at": now}
}
