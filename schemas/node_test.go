package schemas_test

import (
	"bytes"
	"encoding/json"
	"maps"
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
			line, err := json.Marshal(map[string]any{"schema": name, "name": e.Case, "body": json.RawMessage(e.Body)})
			if err != nil {
				t.Fatal(err)
			}
			lines.Write(append(line, '\n'))
		}
	}
	return &lines
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

// TestAjv_Examples_AreValid has a validator that is not ours judge every example.
func TestAjv_Examples_AreValid(t *testing.T) {
	t.Parallel()
	node, here := nodetest.Open(t, "node")
	if !here {
		return
	}
	sent := examplesOf(t, schemas.Names())
	want := bytes.Count(sent.Bytes(), []byte("\n"))
	all := verdicts(t, node.Run(t, sent, "ajv.js", ".."))
	for _, j := range all {
		if !j.Valid {
			t.Errorf("%s.%s: %s", j.Schema, j.Name, j.Errors)
		}
	}
	if len(all) != want || want < 60 {
		t.Errorf("%d of %d examples were judged", len(all), want)
	}
}

// TestAjv_Mutants_AreRefused changes every example in every way that its schema
// rules out: each required field removed, each type changed, each enumeration
// left, each limit passed. Both validators must refuse each.
func TestAjv_Mutants_AreRefused(t *testing.T) {
	t.Parallel()
	node, here := nodetest.Open(t, "node")
	if !here {
		return
	}
	counts := map[string]int{}
	of := map[string]map[string]int{}
	for _, j := range verdicts(t, node.Run(t, examplesOf(t, ours()), "ajv.js", "--mutants", "..")) {
		counts[j.Kind]++
		if of[j.Schema] == nil {
			of[j.Schema] = map[string]int{}
		}
		of[j.Schema][j.Kind]++
		if j.Valid {
			t.Errorf("%s.%s: ajv takes the mutant %s", j.Schema, j.Name, j.What)
		}
		if err := schemas.Validate(j.Schema, j.Body); err == nil {
			t.Errorf("%s.%s: our validator takes the mutant %s", j.Schema, j.Name, j.What)
		}
	}
	t.Logf("mutants refused: %v", counts)
	for _, f := range fulfillment.Facts() {
		kinds := of[fulfillment.EventSchema(f.Event)]
		if got := slices.Sorted(maps.Keys(kinds)); !slices.Equal(got, []string{"enumeration", "limit", "required", "type"}) {
			t.Errorf("%s: only mutants of the kinds %v were made", f.Event, got)
		}
	}
}

// TestAsyncAPI_OfficialParser_TakesIt has the parser of the AsyncAPI project judge
// the document, which refers to the schemas, and holds what it read of it to the
// catalogue.
func TestAsyncAPI_OfficialParser_TakesIt(t *testing.T) {
	t.Parallel()
	node, here := nodetest.Open(t, "node")
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
