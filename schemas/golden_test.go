package schemas

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"path"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/headrace/headrace/pkg/connect"
	"github.com/headrace/headrace/pkg/fulfillment"
)

// What Headrace writes is exactly what the examples show: nothing is lost and
// nothing is added on the way through the Go types.
func TestGolden_OurBodies_RoundTrip(t *testing.T) {
	t.Parallel()
	for name, fresh := range allBodies() {
		for _, e := range examplesOf(t, name) {
			body := fresh()
			if err := json.Unmarshal(e.Body, body); err != nil {
				t.Errorf("%s.%s: %v", name, e.Case, err)
				continue
			}
			if diff := cmp.Diff(tree(t, e.Body), tree(t, encode(t, body))); diff != "" {
				t.Errorf("%s.%s: %s", name, e.Case, diff)
			}
		}
	}
}

// A property is required exactly where the Go type always writes it.
func TestGolden_OurSchemas_AreTheGoTypes(t *testing.T) {
	t.Parallel()
	for name, fresh := range bodies() {
		compare(t, name, reflect.TypeOf(fresh()).Elem(), schemaTree(t, name), "")
	}
}

func compare(t *testing.T, name string, typ reflect.Type, s map[string]any, at string) {
	t.Helper()
	root := schemaTree(t, name)
	properties, _ := s["properties"].(map[string]any)
	var fields, always []string
	for i := range typ.NumField() {
		f := typ.Field(i)
		key, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		fields = append(fields, key)
		if !strings.Contains(options, "omit") {
			always = append(always, key)
		}
		inner, _ := properties[key].(map[string]any)
		inner = follow(root, inner)
		of := f.Type
		if of.Kind() == reflect.Pointer {
			of = of.Elem()
		}
		if of.Kind() == reflect.Struct && of != reflect.TypeFor[time.Time]() {
			compare(t, name, of, inner, at+key+".")
		}
		if of.Kind() == reflect.Slice && of.Elem().Kind() == reflect.Struct {
			items, _ := inner["items"].(map[string]any)
			compare(t, name, of.Elem(), follow(root, items), at+key+"[].")
		}
	}
	var has, required []string
	for key := range properties {
		has = append(has, key)
	}
	listed, _ := s["required"].([]any)
	for _, key := range listed {
		required = append(required, key.(string))
	}
	for _, list := range [][]string{fields, always, has, required} {
		slices.Sort(list)
	}
	if diff := cmp.Diff(fields, has); diff != "" {
		t.Errorf("%s: properties of %q: %s", name, at, diff)
	}
	if diff := cmp.Diff(always, required); diff != "" {
		t.Errorf("%s: required of %q: %s", name, at, diff)
	}
}

// The words of the Go constants are the ones that the schemas offer.
func TestGolden_Words_AreTheConstants(t *testing.T) {
	t.Parallel()
	words := func(name, property, keyword string) []string {
		p, _ := schemaTree(t, name)["properties"].(map[string]any)[property].(map[string]any)
		var out []string
		for _, w := range p[keyword].([]any) {
			out = append(out, w.(string))
		}
		return out
	}
	var types, decisions, events []string
	for _, f := range fulfillment.Facts() {
		events = append(events, string(f.Event))
	}
	for _, typ := range fulfillment.Types() {
		types = append(types, string(typ))
	}
	for _, d := range []fulfillment.Decision{
		fulfillment.Approve, fulfillment.Fail, fulfillment.Inquire, fulfillment.Wait, fulfillment.Hold, fulfillment.Recheck,
	} {
		if d.Final() || d == fulfillment.Wait { // a hold is a dead letter, not a result
			decisions = append(decisions, string(d))
		}
	}
	for name := range bodies() {
		if diff := cmp.Diff(types, words(name, "type", "examples")); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	for _, c := range []struct {
		name, property, keyword string
		want                    []string
	}{
		{fulfillment.SchemaResult, "decision", "enum", decisions},
		{fulfillment.SchemaIntent, "state", "enum", []string{string(fulfillment.IntentCalling), string(fulfillment.IntentNotDone)}},
		{fulfillment.SchemaEvent, "event", "examples", events},
		{fulfillment.SchemaDead, "stage", "examples", []string{
			string(fulfillment.StageDecode), string(fulfillment.StageType), string(fulfillment.StageHold),
			string(fulfillment.StageProcess), string(fulfillment.StageCommit), string(fulfillment.StageAudit),
		}},
	} {
		if diff := cmp.Diff(c.want, words(c.name, c.property, c.keyword)); diff != "" {
			t.Errorf("%s %s: %s", c.name, c.property, diff)
		}
	}
}

// Nothing can be done with a body of ours that lacks a required field, and what
// a later version adds does no harm.
func TestGolden_OurBodies_DemandTheRequiredAndTakeMore(t *testing.T) {
	t.Parallel()
	for name := range allBodies() {
		s := schemaTree(t, name)
		required := s["required"].([]any)
		_, closed := s["properties"].(map[string]any)["type"].(map[string]any)["enum"]
		for _, e := range examplesOf(t, name) {
			for _, key := range required {
				o := object(t, e.Body)
				delete(o, key.(string))
				if err := Validate(name, encode(t, o)); err == nil || !strings.HasSuffix(err.Error(), key.(string)+": missing") {
					t.Errorf("%s.%s without %s: got %v", name, e.Case, key, err)
				}
			}
			o := object(t, e.Body)
			o["added_later"] = map[string]any{"x": 1}
			if !closed {
				o["type"] = "a-type-of-tomorrow"
			}
			if err := Validate(name, encode(t, o)); err != nil {
				t.Errorf("%s.%s with more: %v", name, e.Case, err)
			}
		}
	}
}

// The headers of an example are those that the services would write for its
// body, and watermill-nats' id is the event's.
func TestGolden_Headers_AreTheEnvelope(t *testing.T) {
	t.Parallel()
	for _, name := range Names() {
		for _, e := range examplesOf(t, name) {
			if e.Header == nil {
				continue
			}
			want := envelopeOf(t, name, e).Header()
			want["_watermill_message_uuid"] = e.Header[fulfillment.HeaderID]
			if diff := cmp.Diff(want, e.Header); diff != "" {
				t.Errorf("%s.%s: %s", name, e.Case, diff)
			}
			if file := path.Base(e.Header[fulfillment.HeaderSchema]); !slices.Contains(Names(), file) {
				t.Errorf("%s.%s: ce-dataschema ends with %s, which is no file here", name, e.Case, file)
			}
		}
	}
}

func envelopeOf(t *testing.T, name string, e Example) fulfillment.Envelope {
	t.Helper()
	env := fulfillment.Envelope{ID: e.Header[fulfillment.HeaderID], Schema: name}
	kind := name
	if slices.Contains(events(), name) {
		kind = fulfillment.SchemaEvent
	}
	switch kind {
	case fulfillment.SchemaRequest:
		r, err := connect.DecodeRequest(e.Body)
		if err != nil {
			t.Fatal(err)
		}
		env.Key = fulfillment.Key{Type: fulfillment.Type(r.Type), Product: r.Asset.Product.ID, Asset: r.Asset.ID, Request: r.ID}
		env.ID, env.Kind, env.Attempt = fulfillment.StepID(r.ID, 0, "requested"), "requested", 1
		env.Time = timeOf(t, e)
	case fulfillment.SchemaTierRequest:
		r, err := connect.DecodeTierRequest(e.Body)
		if err != nil {
			t.Fatal(err)
		}
		env.Key = fulfillment.Key{Type: fulfillment.TierType(r.Type), Asset: r.Configuration.ID}
		env.ID, env.Kind, env.Attempt = fulfillment.StepID(r.ID, 0, "requested"), "requested", 1
		env.Time = timeOf(t, e)
	case fulfillment.SchemaResult:
		r := bodyOf[fulfillment.Result](t, e)
		env.Key, env.Kind, env.Episode, env.Attempt, env.Time = r.Key(), "result", r.Episode, r.Attempt, r.Time
	case fulfillment.SchemaIntent:
		in := bodyOf[fulfillment.Intent](t, e)
		env.Key = fulfillment.Key{Type: in.Type, Asset: in.AssetID}
		env.Kind, env.Episode, env.Attempt, env.Time = "intent", in.Episode, in.Attempt, in.Time
	case fulfillment.SchemaEvent:
		ev := bodyOf[fulfillment.EventBody](t, e)
		env.Key = fulfillment.Key{Type: ev.Type, Asset: ev.AssetID}
		step := string(ev.Event)
		if ev.Letter != 0 {
			step += "/" + strconv.FormatUint(ev.Letter, 10)
		}
		env.ID = fulfillment.StepID(ev.RequestID, ev.Episode, step)
		env.Kind, env.Episode, env.Time = string(ev.Event), ev.Episode, ev.Time
	case fulfillment.SchemaDead:
		l := bodyOf[fulfillment.Letter](t, e)
		env.Key, env.Kind, env.Episode, env.Attempt, env.Time = l.Key(), "dead", l.Episode, l.Attempts, l.Time
	default:
		t.Fatalf("no envelope of %s", name)
	}
	return env
}

func timeOf(t *testing.T, e Example) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339Nano, e.Header[fulfillment.HeaderTime])
	if err != nil {
		t.Fatal(err)
	}
	return at
}

func bodyOf[T any](t *testing.T, e Example) *T {
	t.Helper()
	body := new(T)
	if err := json.Unmarshal(e.Body, body); err != nil {
		t.Fatal(err)
	}
	return body
}

// A dead letter is enough to send its message again: what is inside is valid by
// the schema that its headers name, under the subject that it names.
func TestGolden_DeadLetters_HoldTheirMessage(t *testing.T) {
	t.Parallel()
	inside := 0
	for _, e := range examplesOf(t, fulfillment.SchemaDead) {
		l := bodyOf[fulfillment.Letter](t, e)
		if sum := sha256.Sum256(l.Body); l.Digest != "" && l.Digest != hex.EncodeToString(sum[:]) {
			t.Errorf("%s: the digest is not that of the body", e.Case)
		}
		schema := l.Headers[fulfillment.HeaderSchema]
		if len(schema) == 0 {
			continue
		}
		inside++
		if err := Validate(path.Base(schema[0]), l.Body); err != nil {
			t.Errorf("%s: %v", e.Case, err)
		}
		if _, key, err := fulfillment.ParseSubject(l.Subject); err != nil || key != l.Key() {
			t.Errorf("%s: is about %v, its subject about %v, %v", e.Case, l.Key(), key, err)
		}
	}
	if inside < 3 {
		t.Errorf("only %d dead letters hold a message of ours", inside)
	}
}
