package app_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"path"
	"slices"
	"testing"

	"github.com/headrace/headrace/pkg/connectsim"
	"github.com/headrace/headrace/pkg/deadletter"
	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/nodetest"
	"github.com/headrace/headrace/pkg/replay"
	"github.com/headrace/headrace/pkg/vendorsim"
	"github.com/headrace/headrace/schemas"
)

// TestContract_EveryEventOfAFullRun_IsWhatItsSchemaSays brings every event of the
// catalogue about, and has a validator that is not ours hold each to the schema
// that its header names, and its headers to what the AsyncAPI document says.
func TestContract_EveryEventOfAFullRun_IsWhatItsSchemaSays(t *testing.T) {
	t.Parallel()
	for name, personal := range map[string]bool{"by default": false, "with personal data": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := &flow{world: newWorld(t, connectsim.Options{}, vendorsim.Options{})}
			f.cfg.EventsPersonalData = personal
			f.everyFate()

			lines, counts := f.contract()
			t.Logf("events: %v", counts)
			for _, fact := range fulfillment.Facts() {
				if counts[fact.Event] == 0 {
					t.Errorf("no event %s came", fact.Event)
				}
			}
			if bytes.Contains(lines.Bytes(), []byte(`"first_name"`)) != personal {
				t.Errorf("names are there: %v", !personal)
			}
			f.ajv(lines)
		})
	}
}

// contract holds each event in the stream to what is published of it. It returns
// them as ajv.js reads them, and how many there are of each.
func (f *flow) contract() (*bytes.Buffer, map[fulfillment.Event]int) {
	f.t.Helper()
	described, counts := headersOf(f.t), map[fulfillment.Event]int{}
	var lines bytes.Buffer
	for m, err := range f.client.Read(f.t.Context(), fulfillment.StreamEvents, "", 1) {
		if err != nil {
			f.t.Fatal(err)
		}
		_, event, err := fulfillment.ParseEventSubject(m.Subject)
		name := path.Base(m.Header[fulfillment.HeaderSchema])
		if err != nil || name == fulfillment.SchemaEvent || m.Header[fulfillment.HeaderSchema] != fulfillment.SchemaBase+fulfillment.EventSchema(event) {
			f.t.Errorf("%s names the schema %s, %v", m.Subject, name, err)
			continue
		}
		counts[event]++
		if err := schemas.Validate(name, m.Body); err != nil {
			f.t.Errorf("%s: %v: %s", m.Subject, err, m.Body)
		}
		headers := maps.Clone(m.Header)
		headers["_watermill_message_uuid"] = m.ID
		for header := range headers {
			if !described[string(event)][header] {
				f.t.Errorf("%s has the header %s, of which the AsyncAPI document does not tell", m.Subject, header)
			}
		}
		for schema, body := range map[string]any{
			name: json.RawMessage(m.Body), "asyncapi.json#/components/messages/" + string(event) + "/headers": headers,
		} {
			line, err := json.Marshal(map[string]any{"schema": schema, "name": m.Subject, "body": body})
			if err != nil {
				f.t.Fatal(err)
			}
			lines.Write(append(line, '\n'))
		}
	}
	return &lines, counts
}

// headersOf are those that the AsyncAPI document tells of, by event.
func headersOf(t *testing.T) map[string]map[string]bool {
	t.Helper()
	text, err := os.ReadFile("../../../schemas/asyncapi.json")
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Components struct {
			Messages map[string]struct {
				Headers struct{ Properties map[string]any }
			}
		}
	}
	if err := json.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	of := map[string]map[string]bool{}
	for event, m := range doc.Components.Messages {
		of[event] = map[string]bool{}
		for name := range m.Headers.Properties {
			of[event][name] = true
		}
	}
	return of
}

// ajv has it judge the lines.
func (f *flow) ajv(lines *bytes.Buffer) {
	f.t.Helper()
	node, here := nodetest.Open(f.t, "../../../schemas/node")
	if !here {
		return
	}
	want, valid := bytes.Count(lines.Bytes(), []byte("\n")), 0
	for d := json.NewDecoder(bytes.NewReader(node.Run(f.t, lines, "ajv.js", ".."))); d.More(); {
		var j struct {
			Schema, Name, Errors string
			Valid                bool
		}
		if err := d.Decode(&j); err != nil {
			f.t.Fatal(err)
		}
		if !j.Valid {
			f.t.Errorf("ajv refuses %s by %s: %s", j.Name, j.Schema, j.Errors)
			continue
		}
		valid++
	}
	f.t.Logf("ajv takes %d of %d bodies and headers", valid, want)
	if valid != want || want < 100 {
		f.t.Errorf("ajv takes %d of %d", valid, want)
	}
}

// everyFate has requests of each type meet every end that there is.
func (f *flow) everyFate() {
	f.t.Helper()
	f.seed(f.connect.Load(connectsim.LoadOptions{Adjustments: 3, Renews: 1, Transfers: 1}))
	others := map[string][]string{}
	for _, r := range f.connect.Requests() {
		others[r.Type] = append(others[r.Type], r.ID)
	}
	rejected := f.connect.AddRequest(ordered(map[string]string{note: "reject: this region is not served"}))
	asked := f.connect.AddRequest(connectsim.NewRequest{Lines: []connectsim.Line{{Item: "MW-SEAT", Quantity: "5"}}})
	f.connect.AddRequest(connectsim.NewRequest{Type: "teleport"})
	f.run()
	f.reaches(rejected, "failed")
	f.reaches(asked, "inquiring")
	if err := f.connect.Answer(asked, map[string]string{"admin_email": "ada@example.com"}); err != nil {
		f.t.Fatal(err)
	}
	f.reaches(asked, "approved")

	adjustments := others["adjustment"]
	for _, id := range []string{adjustments[0], others["renew"][0], others["transfer"][0]} {
		if err := deadletter.Send(f.t.Context(), f.client, f.letter(id), deadletter.Redrive{Outcome: deadletter.OutcomeDone, By: "ada"}); err != nil {
			f.t.Fatal(err)
		}
		f.reaches(id, "approved")
	}
	f.letter(adjustments[1])
	if err := f.connect.SetStatus(adjustments[1], "revoked"); err != nil {
		f.t.Fatal(err)
	}
	if err := deadletter.Discard(f.t.Context(), f.client, f.letter(adjustments[2]), "done by hand", "ada"); err != nil {
		f.t.Fatal(err)
	}
	f.counted(map[fulfillment.Event]int{fulfillment.EventLeft: 1, fulfillment.EventDiscarded: 1, fulfillment.EventApproved: 100})
	f.replays(replay.Again(f.t.Context(), f.client, replay.Range{}, 0))
	f.counted(map[fulfillment.Event]int{fulfillment.EventReplayed: 10})
}

// letter is the dead letter of a request, once there is one.
func (f *flow) letter(id string) deadletter.Entry {
	f.t.Helper()
	f.held(id)
	e, err := deadletter.Get(f.t.Context(), f.client, id)
	if err != nil {
		f.t.Fatal(err)
	}
	return e
}

// counted waits for as many events.
func (f *flow) counted(want map[fulfillment.Event]int) {
	f.t.Helper()
	for _, event := range slices.Sorted(maps.Keys(want)) {
		f.until("events "+string(event), func() bool {
			n := 0
			for _, err := range f.client.Read(f.t.Context(), fulfillment.StreamEvents, fulfillment.RootEvents+".*."+string(event)+".>", 1) {
				if err != nil {
					f.t.Fatal(err)
				}
				n++
			}
			return n >= want[event]
		})
	}
}
