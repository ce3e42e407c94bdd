package connect

import (
	"bytes"
	"encoding/json"
	"time"
	"unicode/utf8"
)

// Ref points at another object of Connect. Connect sends {}, null and "" for
// "none", and in old bodies the bare id; all of them decode as part of a
// request.
type Ref struct {
	ID   string `json:"id,omitempty"`
	Name string `json:"name,omitempty"`
}

// User is the person a request is assigned to: absent, a bare id, or an object.
type User struct {
	ID    string `json:"id,omitempty"`
	Name  string `json:"name,omitempty"`
	Email string `json:"email,omitempty"`
}

// UnmarshalJSON takes an object, a bare id, null and "". It ignores any other
// kind of value, as no decision rests on the assignee. Connect sends "" for
// nobody, so that the plain decoder would fail on most requests.
func (u *User) UnmarshalJSON(b []byte) error {
	*u = User{}
	if len(b) == 0 {
		return nil
	}
	switch b[0] {
	case '{':
		type plain User
		_ = decodeTolerant(b, (*plain)(u))
	case '"':
		return json.Unmarshal(b, &u.ID)
	case '-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9':
		u.ID = string(b)
	}
	return nil
}

// Time is a moment as Connect writes it: ISO 8601 with an offset, with or
// without microseconds. The zero Time stands for null, "" and a missing field.
type Time struct{ time.Time }

// The forms seen, commonest first. A time without an offset is taken as UTC.
func timeLayouts() []string {
	return []string{time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02 15:04:05Z07:00", time.DateTime, time.DateOnly}
}

// UnmarshalJSON never fails on valid JSON. What is not a time becomes the zero
// Time, as no order should stop for a timestamp.
func (t *Time) UnmarshalJSON(b []byte) error {
	*t = Time{}
	if len(b) == 0 || b[0] != '"' {
		return nil
	}
	text, err := unquote(b)
	if err != nil || text == "" {
		return err
	}
	for _, layout := range timeLayouts() {
		if at, err := time.Parse(layout, text); err == nil && at.Year() >= 0 && at.Year() <= 9999 {
			t.Time = at
			return nil
		}
	}
	return nil
}

// unquote reads a JSON string. Most have nothing escaped in them, and then all is
// there already.
func unquote(b []byte) (string, error) {
	if len(b) >= 2 && b[len(b)-1] == '"' && bytes.IndexByte(b, '\\') < 0 && utf8.Valid(b) {
		return string(b[1 : len(b)-1]), nil
	}
	var text string
	err := json.Unmarshal(b, &text)
	return text, err
}

// MarshalJSON writes null for the zero Time.
func (t Time) MarshalJSON() ([]byte, error) {
	if t.IsZero() {
		return []byte("null"), nil
	}
	return t.Time.MarshalJSON()
}
