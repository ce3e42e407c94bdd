package gen

import (
	"fmt"
	"strings"

	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/stream"
)

// page is docs/reference/events.md.
func page(base object) []byte {
	var b strings.Builder
	b.WriteString(`<!-- Generated from pkg/fulfillment/catalogue.go and schemas/event.v1.json: UPDATE_GOLDEN=1 go test ./schemas/gen -->

# Events

What becomes of requests and subscriptions, for other teams to build on. [Read the events](../how-to/read-the-events.md) shows how to get them; the
same is there for tools as an [AsyncAPI 3 document](../../schemas/asyncapi.json) and as a JSON Schema for each event.

`)
	fmt.Fprintf(&b, "Every event is a message in the stream `%s`, on the subject `%s`, with the `ce-type` `fulfillment.<type>.<event>.v1`. It is kept for %d days unless `HEADRACE_EVENTS_MAX_AGE` says otherwise.\n",
		fulfillment.StreamEvents, subject("<event>"), int(stream.DefaultEventsMaxAge.Hours())/24)
	catalogue(&b)
	b.WriteString("\n## What you can rely on\n\n")
	for _, line := range delivery() {
		fmt.Fprintf(&b, "- %s\n", line)
	}
	b.WriteString("\n## Subject\n\n| place | |\n|---|---|\n")
	for _, name := range []string{"type", "product", "asset", "request"} {
		fmt.Fprintf(&b, "| `<%s>` | %s |\n", name, parameterText(name))
	}
	b.WriteString("\nIn a place every byte outside `A–Z a–z 0–9 - _` is written `%XX`; what is not known is `_`.\n")
	b.WriteString("\n## Headers\n\n| header | |\n|---|---|\n")
	for _, h := range headers(nil) {
		fmt.Fprintf(&b, "| `%s` | %s |\n", h.name, h.text)
	}
	b.WriteString("\nMore may be there. Compare names without regard to case.\n\n## Body\n\n")
	b.WriteString("What is not always there is missing where Connect has nothing, where it may not leave, or in events of before it was added. What an event has beyond that stands with it below.\n\n")
	b.WriteString("| field | type | always | |\n|---|---|---|---|\n")
	fields(&b, base, base, "")
	for _, d := range base.sub("$defs") {
		if of, _ := d.value.(object); of.get("properties") != nil {
			fmt.Fprintf(&b, "\n### %s\n\n%s\n\n| field | type | always | |\n|---|---|---|---|\n", d.key, of.text("description"))
			fields(&b, base, of, "")
		}
	}
	b.WriteString("\n## Each event\n")
	for _, f := range fulfillment.Facts() {
		section(&b, f)
	}
	return []byte(b.String())
}

func subject(event string) string {
	return fulfillment.RootEvents + ".<type>." + event + ".<product>.<asset>.<request>"
}

// catalogue is the table of all events.
func catalogue(b *strings.Builder) {
	b.WriteString("\n| event | when | of requests |\n|---|---|---|\n")
	for _, f := range fulfillment.Facts() {
		fmt.Fprintf(b, "| [%s](#%s) | %s | %s |\n", f.Event, f.Event, f.When, typesOf(f))
	}
}

func typesOf(f fulfillment.Fact) string {
	if f.Types == nil {
		return "all"
	}
	var words []string
	for _, t := range f.Types {
		words = append(words, string(t))
	}
	return strings.Join(words, ", ")
}

func section(b *strings.Builder, f fulfillment.Fact) {
	name := fulfillment.EventSchema(f.Event)
	fmt.Fprintf(b, "\n### %s\n\n%s %s\n\n", f.Event, f.When, f.Promise)
	fmt.Fprintf(b, "- subject: `%s`\n- `ce-type`: `fulfillment.<type>.%s.v1`\n", subject(string(f.Event)), f.Event)
	fmt.Fprintf(b, "- of requests: %s\n", typesOf(f))
	if more := required(f); len(more.all) > 0 {
		fmt.Fprintf(b, "- always has, too: `%s`\n", strings.Join(more.all, "`, `"))
	} else if len(more.any) > 0 {
		b.WriteString("- always has, too: `subscription` or `configuration`\n")
	}
	fmt.Fprintf(b, "- schema: [%s](../../schemas/%s)\n", name, name)
	var links []string
	for _, e := range examples(f) {
		stem := "../../schemas/examples/" + strings.TrimSuffix(name, ".json") + "." + e.name
		links = append(links, fmt.Sprintf("[%s](%s.json) ([headers](%s.headers.json))", e.name, stem, stem))
	}
	fmt.Fprintf(b, "- examples: %s\n", strings.Join(links, ", "))
}

// fields are the rows of what s describes, and of what is within and nowhere else.
func fields(b *strings.Builder, root, s object, at string) {
	required := map[string]bool{}
	listed, _ := s.get("required").([]any)
	for _, name := range listed {
		required[fmt.Sprint(name)] = true
	}
	for _, p := range s.sub("properties") {
		given, _ := p.value.(object)
		is := follow(root, given)
		text := given.text("description")
		if text == "" {
			text = is.text("description")
		}
		always := ""
		if required[p.key] {
			always = "yes"
		}
		what := kind(is)
		name, refers := strings.CutPrefix(given.text("$ref"), "#/$defs/")
		shared := refers && is.get("properties") != nil // it has a table of its own
		if shared {
			what = fmt.Sprintf("[%s](#%s)", name, name)
		}
		fmt.Fprintf(b, "| `%s%s` | %s | %s | %s |\n", at, p.key, what, always, strings.ReplaceAll(text, "|", `\|`))
		if shared {
			continue
		}
		fields(b, root, is, at+p.key+".")
		fields(b, root, follow(root, is.sub("items")), at+p.key+"[].")
	}
}

// kind is the type in a word or two.
func kind(s object) string {
	if s.get("oneOf") != nil {
		return "number or `\"unlimited\"`"
	}
	if f := s.text("format"); f != "" {
		return f
	}
	return s.text("type")
}

// follow returns the definition that s refers to, or s.
func follow(root, s object) object {
	name, refers := strings.CutPrefix(s.text("$ref"), "#/$defs/")
	if !refers {
		return s
	}
	return root.sub("$defs").sub(name)
}
