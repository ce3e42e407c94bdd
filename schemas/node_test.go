package schemas_test

import (
	"bytes"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/nodetest"
	"github.com/headrace/headrace/schemas"
)

// judged is what ajv says of one body.
type judged struct {
	Schema, Name, What, Kind string
	Body                     json.RawMessage
	Valid                    bool
	Errors                   string
}

// ours are the schemas of what Headrace writes; what Connect sends is held to
// little.
func ours() []string {
	return slices.DeleteFunc(schemas.Names(), func(name string) bool { return strings.Contains(name, "request.") })
}

// examplesOf are the examples of a schema, as ajv.js reads them.
func examplesOf(t *testing.T, names []string) *bytes.Buffer {
	t.Helper()
	var lines bytes.Buffer
	for _, name := range names {
		all, err := schemas.Examples(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range all {
			lines.Write(line(t, name, e.Case, json.RawMessage(e.Body)))
		}
	}
	return &lines
}

func line(t *testing.T, schema, name string, body any) []byte {
	t.Helper()
	text, err := json.Marshal(map[string]any{"schema": schema, "name": name, "body": body})
	if err != nil {
		t.Fatal(err)
	}
	return append(text, '\n')
}

func verdicts(t *testing.T, out []byte) []judged {
	t.Helper()
	var all []judged
	for d := json.NewDecoder(bytes.NewReader(out)); d.More(); {
		var j judged
		if err := d.Decode(&j); err != nil {
			t.Fatal(err)
		}
		all = append(all, j)
	}
	return all
}

// headersOf are the headers of the events' examples, to be judged by what the
// AsyncAPI document says.
func headersOf(t *testing.T) []byte {
	t.Helper()
	var lines []byte
	for _, f := range fulfillment.Facts() {
		all, err := schemas.Examples(fulfillment.EventSchema(f.Event))
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range all {
			lines = append(lines, line(t, "asyncapi.json#/components/messages/"+string(f.Event)+"/headers", e.Case, e.Header)...)
		}
	}
	return lines
}

// open finds node and looks at what only its scripts read, so that go test knows
// when that has changed.
func open(t *testing.T) (*nodetest.Dir, bool) {
	t.Helper()
	for _, file := range []string{"asyncapi.json", "node/mutants.js"} {
		if _, err := os.Stat(file); err != nil {
			t.Fatal(err)
		}
	}
	return nodetest.Open(t, "node")
}

// TestAjv_Examples_AreValid has a validator that is not ours judge every example.
func TestAjv_Examples_AreValid(t *testing.T) {
	t.Parallel()
	node, here := open(t)
	if !here {
		return
	}
	sent := examplesOf(t, schemas.Names())
	sent.Write(headersOf(t))
	want := bytes.Count(sent.Bytes(), []byte("\n"))
	all := verdicts(t, node.Run(t, sent, "ajv.js", ".."))
	for _, j := range all {
		if !j.Valid {
			t.Errorf("%s.%s: %s", j.Schema, j.Name, j.Errors)
		}
	}
	if len(all) != want || want < 100 {
		t.Errorf("%d of %d examples were judged", len(all), want)
	}
}

// TestAjv_Mutants_AreRefused changes every example in every way that its schema
// rules out: each required field removed, each type changed, each enumeration
// left, each limit passed. Both validators must refuse each.
func TestAjv_Mutants_AreRefused(t *testing.T) {
	t.Parallel()
	node, here := open(t)
	if !here {
		return
	}
	counts := map[string]int{}
	made := map[string]bool{}
	for _, j := range verdicts(t, node.Run(t, examplesOf(t, ours()), "ajv.js", "--mutants", "..")) {
		counts[j.Kind]++
		made[j.Schema+" "+j.What] = true
		if j.Valid {
			t.Errorf("%s.%s: ajv takes the mutant %s", j.Schema, j.Name, j.What)
		}
		if err := schemas.Validate(j.Schema, j.Body); err == nil {
			t.Errorf("%s.%s: our validator takes the mutant %s", j.Schema, j.Name, j.What)
		}
	}
	t.Logf("mutants refused: %v", counts)
	// A rule that is gone makes no mutants.
	for _, f := range fulfillment.Facts() {
		want := []string{"event: left the list", "event: removed", "time: no time", "episode: too small"}
		if f.Types != nil {
			want = append(want, "type: left the list")
		}
		for _, what := range want {
			if !made[fulfillment.EventSchema(f.Event)+" "+what] {
				t.Errorf("%s: there is no mutant %s", f.Event, what)
			}
		}
	}
}

// TestAsyncAPI_OfficialParser_TakesIt has the parser of the AsyncAPI project judge
// the document, which refers to the schemas, and holds what it read of it to the
// catalogue.
func TestAsyncAPI_OfficialParser_TakesIt(t *testing.T) {
	t.Parallel()
	node, here := open(t)
	if !here {
		return
	}
	var read struct {
		Version  string
		Channels []struct {
			Address    string
			Parameters []string
			Messages   []struct {
				Name, Schema string
				Headers      []string
				Examples     int
			}
		}
		Operations []string
	}
	if err := json.Unmarshal(node.Run(t, nil, "asyncapi.js", "../asyncapi.json"), &read); err != nil {
		t.Fatal(err)
	}
	facts := fulfillment.Facts()
	if read.Version != "3.0.0" || len(read.Channels) != len(facts) || len(read.Operations) != len(facts) {
		t.Fatalf("version %s, %d channels, %d operations for %d events", read.Version, len(read.Channels), len(read.Operations), len(facts))
	}
	for i, f := range facts {
		c := read.Channels[i]
		if want := fulfillment.RootEvents + ".{type}." + string(f.Event) + ".{product}.{asset}.{request}"; c.Address != want {
			t.Errorf("%s has the address %s", f.Event, c.Address)
		}
		if len(c.Parameters) != 4 || len(c.Messages) != 1 {
			t.Fatalf("%s has %d parameters and %d messages", f.Event, len(c.Parameters), len(c.Messages))
		}
		m := c.Messages[0]
		if m.Name != string(f.Event) || m.Schema != fulfillment.SchemaBase+fulfillment.EventSchema(f.Event) || m.Examples == 0 ||
			!slices.Contains(m.Headers, fulfillment.HeaderID) {
			t.Errorf("%s: the message is %+v", f.Event, m)
		}
	}
}
