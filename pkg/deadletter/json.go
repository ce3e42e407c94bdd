package deadletter

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
)

// decodeJSON reads one JSON value, with numbers as they are written. Its errors
// name the line.
func decodeJSON(data []byte) (any, error) {
	var probe json.RawMessage
	if err := json.Unmarshal(data, &probe); err != nil {
		var syntax *json.SyntaxError
		if errors.As(err, &syntax) {
			line := 1 + bytes.Count(data[:min(int(syntax.Offset), len(data))], []byte("\n"))
			return nil, fmt.Errorf("not valid JSON, line %d: %w", line, err)
		}
		return nil, fmt.Errorf("not valid JSON: %w", err)
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber() // 1e400 and long ids stay what they are
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, fmt.Errorf("not valid JSON: %w", err)
	}
	return v, nil
}

// encode writes what decodeJSON read, which does not fail.
func encode(v any, indent string) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", indent)
	_ = e.Encode(v)
	if indent == "" {
		return bytes.TrimSpace(b.Bytes())
	}
	return b.Bytes()
}

func same(a, b any) bool { return reflect.DeepEqual(a, b) }
