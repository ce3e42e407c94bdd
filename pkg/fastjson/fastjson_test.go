package fastjson

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// thing has a field of each kind that is decoded in earnest.
type thing struct {
	ID       string          `json:"id"`
	Snake    string          `json:"snake_case,omitempty"`
	Level    int             `json:"level"`
	On       bool            `json:"on"`
	Raw      json.RawMessage `json:"raw,omitempty"`
	Own      own             `json:"own,omitzero"`
	Inner    inner           `json:"inner"`
	Optional *inner          `json:"optional"`
	List     []inner         `json:"list"`
	Counter  uint64          `json:"counter"`
	Value    *string         `json:"value"`
	At       time.Time       `json:"at"`
}

type inner struct {
	Name string `json:"name"`
	Own  own    `json:"own"`
}

// own notes what it was given.
type own struct{ Given string }

func (o *own) UnmarshalJSON(b []byte) error {
	o.Given += string(b)
	return nil
}

func bodies() []string {
	return []string{
		`{"id":"a","snake_case":"b","level":3,"on":true,"raw":{"x":[1, 2]},"own":{"a":1},"inner":{"name":"n"},"optional":{"name":"o"},"list":[{"name":"1"},{"name":"2","own":7}],"unknown":[{}],"counter":18446744073709551615,"value":"v","at":"2026-11-22T20:51:00.123456789Z"}`,
		`{"ID":"a","Snake_Case":"b","INNER":{"Name":"n"},"snakecase":"c","snake-case":"d","ſnake_case":"e"}`, // whose first letter is s in old print
		`{"id":null,"level":null,"on":null,"raw":null,"own":null,"inner":null,"optional":null,"list":null,"value":null}`,
		`{"id":"a","id":"b","inner":{"name":"n"},"inner":{"own":1},"list":[{"name":"1"},{"name":"2"}],"list":[{"own":1}],"raw":1,"raw":2,"own":1,"own":2}`,
		`{"id":"a","ID":"b","Id":"c"}`, `{"x":1,"x":2,"id":"a"}`, `{"x":{"y":1,"y":2},"id":"a"}`,
		"{\"id\":\"\xff\",\"snake_case\":\"\\ud800\",\"\xfe\":1}", `{"id":"\u00e4\ud83d\ude00\n","level":1e0}`,
		`{"id":1}`, `{"level":"1"}`, `{"level":1.0}`, `{"on":"true"}`, `{"inner":[]}`, `{"inner":""}`, `{"list":{}}`, `{"list":[null]}`, `{"optional":{}}`, `{"list":[]}`,
		`{"id":"a"} `, `{"id":"a"} x`, `{"id":"a"`, `{"id":"a",}`, ``, ` `, `null`, `[]`, `7`, `"a"`, `{}`, ` { "raw" : [ 1 , 2 ] } `, "\ufeff{}",
		`{"counter":-1}`, `{"counter":1e3}`, `{"value":""}`, `{"at":"2026-11-22T20:51:00+01:30"}`, `{"at":"2026-11-22 20:51:00Z"}`, `{"at":""}`, `{"at":null}`, `{"at":"2026-11-22T20:51:00,5Z"}`, `{"at":"2026-11-22T2:51:00Z"}`, `{"at":"2026-11-22T20:51:00+24:00"}`, `{"level":-0}`,
		`{"id":"` + strings.Repeat("ä", 5000) + `"}`, strings.Repeat(`[`, 10001) + strings.Repeat(`]`, 10001), `{"x":` + strings.Repeat(`[`, 9998) + strings.Repeat(`]`, 9998) + `}`,
	}
}

// same compares with encoding/json.
func same(t *testing.T, data []byte) {
	t.Helper()
	var got, want thing
	gotErr, wantErr := Unmarshal(data, &got), json.Unmarshal(data, &want)
	if (gotErr == nil) != (wantErr == nil) || gotErr != nil && gotErr.Error() != wantErr.Error() {
		t.Fatalf("%.200q: error %v, want %v", data, gotErr, wantErr)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("%.200q: %s", data, diff)
	}
	elements(t, data)
}

// elements compares what was taken apart with what encoding/json makes of it.
func elements(t *testing.T, data []byte) {
	t.Helper()
	got, ok := Elements[thing](data)
	if !ok {
		return
	}
	var raws []json.RawMessage
	if err := json.Unmarshal(data, &raws); err != nil || len(raws) != len(got) {
		t.Fatalf("%.200q: %d elements, want %d, %v", data, len(got), len(raws), err)
	}
	for i, e := range got {
		var want thing
		if err := json.Unmarshal(raws[i], &want); err != nil || string(raws[i]) != string(e.Raw) {
			t.Fatalf("%.200q: element %d is %q, want %q, %v", data, i, e.Raw, raws[i], err)
		}
		if diff := cmp.Diff(want, e.Value); diff != "" {
			t.Fatalf("%.200q: element %d: %s", data, i, diff)
		}
	}
}

func TestUnmarshal_OfAnyBody_IsThatOfEncodingJSON(t *testing.T) {
	t.Parallel()
	for _, body := range bodies() {
		same(t, []byte(body))
		same(t, []byte(`[`+body+`]`))
		same(t, []byte(" [\n"+body+" ,\t"+body+"\n] "))
	}
}

func TestElements_OfPlainRows_AreTakenApartAtOnce(t *testing.T) {
	t.Parallel()
	data := []byte(" [ {\"id\":\"a\", \"x\":[1 ]} ,\n{\"ID\":\"b\"}\t] ")
	got, ok := Elements[thing](data)
	want := []Element[thing]{{Raw: json.RawMessage(`{"id":"a", "x":[1 ]}`), Value: thing{ID: "a"}}, {Raw: json.RawMessage(`{"ID":"b"}`), Value: thing{ID: "b"}}}
	if diff := cmp.Diff(want, got); diff != "" || !ok {
		t.Errorf("%v %s", ok, diff)
	}
	if got, ok := Elements[thing]([]byte(`[]`)); !ok || len(got) != 0 {
		t.Errorf("an empty list: %v %v", got, ok)
	}
	for _, body := range []string{``, `{}`, `null`, `[{"id":1}]`, `[{"id":"a"}`, `[{"id":"a"}] x`, `[{"id":"a"},]`, `[{"id":"a"} {"id":"b"}]`, `[{"id":"a","id":"b"}]`} {
		if got, ok := Elements[thing]([]byte(body)); ok {
			t.Errorf("%s: %+v", body, got)
		}
	}
}

func FuzzUnmarshal(f *testing.F) {
	for _, body := range bodies() {
		if len(body) < 1000 {
			f.Add([]byte(body))
			f.Add([]byte(`[` + body + `]`))
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) { same(t, data) })
}
